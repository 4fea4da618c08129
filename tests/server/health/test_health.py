"""What whoever watches the server is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from renzheng.errors import StorageFull
from server.app import create_app
from server.context import Server
from server.permissions import Role
from tests.server.conftest import House


@pytest.fixture
def running(server: Server) -> Iterator[TestClient]:
    """A server with its periodic jobs."""
    with TestClient(create_app(server), base_url="http://127.0.0.1") as client:
        yield client


def test_a_server_that_can_work_is_ready(running: TestClient) -> None:
    assert running.get("/healthz").json() == {"status": "ok"}
    ready = running.get("/readyz")
    assert (ready.status_code, set(ready.json().values())) == (200, {True})
    assert "renzheng_server_periodic_alive 1.0" in running.get("/metrics").text


def test_a_server_without_its_periodic_jobs_is_not_ready(sqlite_house: House) -> None:
    ready = sqlite_house.anybody().get("/readyz")
    assert (ready.status_code, ready.json()["periodic_jobs"], ready.json()["database"]) == (503, False, True)


def test_a_store_that_is_full_is_told(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StorageFull("no space left")

    monkeypatch.setattr(sqlite_house.server.store, "check", full)
    ready = sqlite_house.anybody().get("/readyz")
    assert (ready.status_code, ready.json()["store"]) == (503, False)


def test_a_database_of_another_release_is_told(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.migrations.running.newest_revision", lambda: "another")
    assert sqlite_house.anybody().get("/readyz").json()["migrated"] is False


def test_requests_are_counted_by_the_template_of_their_route(sqlite_house: House) -> None:
    reviewer = sqlite_house.user(Role.REVIEWER)
    reviewer.get("/v1/checks/1")
    reviewer.get("/v1/nowhere-at-all")
    text = reviewer.get("/metrics").text
    assert 'renzheng_server_requests_total{method="GET",route="/v1/checks/{check_id}",status="404"} 1.0' in text
    assert 'renzheng_server_requests_total{method="none",route="none",status="404"} 1.0' in text
    assert "nowhere-at-all" not in text
    assert "renzheng_server_sessions 1.0" in text


def test_metrics_tell_that_the_database_does_not_answer(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.errors import Unavailable

    def gone(*_: object, **__: object) -> None:
        raise Unavailable("the database does not answer now")

    monkeypatch.setattr("server.health.repository.state_of", gone)
    assert "renzheng_server_database_up 0.0" in sqlite_house.anybody().get("/metrics").text
