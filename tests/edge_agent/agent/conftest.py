"""What the tests of the agent share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that starts logging in the test's own process leaves nothing of it behind."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = kept, level
