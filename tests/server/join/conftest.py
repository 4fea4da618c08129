"""A server with a box at the pharmacy."""

from __future__ import annotations

import pytest

from server.context import Server
from tests.server.join.rows import make_box, make_import


@pytest.fixture
def box(server: Server) -> str:
    """A box at the pharmacy."""
    with server.database.transaction() as session:
        make_import(session)
        return make_box(session)
