"""How large a body may be, and what is said of every answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from server.app import create_app
from server.context import Server
from server.limits import MB, USUAL_BYTES, limit_bytes
from tests.server.conftest import House

FORM = "multipart/form-data; boundary=x"


@pytest.fixture
def anybody(sqlite_server: Server) -> TestClient:
    """Asks a route of the tests' own that reads its body, and one that does not."""
    app = create_app(sqlite_server)

    @app.post("/test/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/test/json")
    def json(asked: dict[str, str]) -> int:
        return len(asked)

    @app.post("/test/late")
    async def late(request: Request) -> int:
        try:
            return len(await request.body())
        except Exception:
            return -1

    return House(sqlite_server, app).anybody()


def blocks(size: int) -> Iterator[bytes]:
    """A body that does not say how large it is."""
    for _ in range(0, size, MB):
        yield b"x" * MB


def test_a_body_up_to_the_limit_is_read(anybody: TestClient) -> None:
    assert anybody.post("/test/size", content=b"x" * USUAL_BYTES).json() == USUAL_BYTES
    assert anybody.post("/test/size", content=blocks(USUAL_BYTES)).json() == USUAL_BYTES


@pytest.mark.parametrize("path", ["/test/size", "/test/json", "/test/late", "/v1/login", "/nowhere"])
def test_a_body_that_says_it_is_larger_is_refused_unread(anybody: TestClient, path: str) -> None:
    answer = anybody.post(path, content=b"x" * (USUAL_BYTES + 1), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json() == {"detail": f"expected a body of at most {USUAL_BYTES} bytes", "errors": []}


@pytest.mark.parametrize("path", ["/test/size", "/test/json", "/test/late", "/v1/login"])
def test_a_body_that_turns_out_larger_is_refused_as_it_comes(anybody: TestClient, path: str) -> None:
    answer = anybody.post(path, content=blocks(USUAL_BYTES + MB), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "at most" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "content_type", "megabytes"),
    [
        ("/v1/settlement-imports", FORM, 2049),
        ("/v1/bulk-enrolments", FORM, 2049),
        ("/v1/settlement-imports", "application/json", 16),
        ("/v1/people/1/photos", FORM, 21),
        ("/v1/clips/1", "application/offset+octet-stream", 512),
        ("/v1/clipsandmore", "application/offset+octet-stream", 16),
        ("/v1/users", FORM, 16),
    ],
)
def test_what_takes_files_takes_more(sqlite_server: Server, path: str, content_type: str, megabytes: int) -> None:
    assert limit_bytes(sqlite_server.settings, path, content_type) == megabytes * MB


def test_no_answer_is_kept_or_shown_within_another_page(anybody: TestClient) -> None:
    for answer in (anybody.get("/v1/me"), anybody.get("/nowhere"), anybody.post("/test/size", content=b"x" * 20 * MB)):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers  # the tests' server speaks HTTP
