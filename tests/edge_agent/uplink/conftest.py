"""One stand-in server for the room; a test that breaks it finds it whole again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge_agent.stand_in import StandInServer

TOKEN = "token-of-the-box"


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInServer]:
    with StandInServer(tmp_path_factory.mktemp("server"), device_token=TOKEN) as server:
        yield server


@pytest.fixture
def server(one_server: StandInServer) -> Iterator[StandInServer]:
    """The server, without faults."""
    one_server.tell(
        faults=[], behaviour={"batch_max": 1000, "fail_over": [], "reject_over": [], "refuse": [], "ignore": []}
    )
    yield one_server
