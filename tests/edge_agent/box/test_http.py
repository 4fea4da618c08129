"""What terminals, monitors and browsers are answered."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.box import swipes
from edge_agent.box.http import listen, make_app, serve
from edge_agent.box.view import NOT_READY, CurrentProblem, Problem
from edge_agent.edge_config import HttpConfig
from renzheng.contracts import Reason, Verdict
from renzheng.errors import BadInput
from tests.edge_agent.box.sample_box import PICTURE, SampleView, a_healthy_box, a_troubled_box
from tests.edge_agent.builders import a_check
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake, fields

MISMATCH = a_check(Verdict.MISMATCH, reasons=(Reason.EVERY_FACE_DIFFERS,))
PERSON = str(fields()["psn_no"])


class Box:
    """A box's application and a terminal that asks it without a network."""

    def __init__(self, config: HttpConfig | None = None) -> None:
        self.intake, self.view = RememberingIntake(), SampleView(a_healthy_box())
        self.app = make_app(self.intake, self.view, config or HttpConfig(), BOX)

    def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        """One request to 127.0.0.1, or to ``base_url``."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            base_url = given.pop("base_url", "http://127.0.0.1:8070")
            async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
                return await client.request(method, url, **given)

        return asyncio.run(asked())

    def hand_in(self, query: str = "", **changed: Any) -> httpx.Response:
        """A swipe."""
        return self.ask("POST", f"/v1/swipes{query}", json=fields(**changed))


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def locked(tmp_path: Path) -> Box:
    (tmp_path / "token").write_text("the-token\n")
    return Box(HttpConfig(host="0.0.0.0", token_file=tmp_path / "token"))


def test_a_swipe_is_answered_at_once_with_its_id(box: Box) -> None:
    answer = box.hand_in()
    assert (answer.status_code, answer.json()) == (202, {"swipe_id": "S0001", "receipt": "new"})
    assert box.intake.taken == [("S0001", "http", True)]
    assert box.intake.waited == []


def test_handing_it_in_again_is_the_same_and_a_different_one_under_its_number_is_a_conflict(box: Box) -> None:
    box.hand_in()
    assert box.hand_in().json()["receipt"] == "known"
    other = box.hand_in(psn_no="33028100000000000002")
    assert (other.status_code, other.json()["error"], other.json()["swipe_id"]) == (409, "conflict", "S0001")


def test_a_terminal_that_waits_is_told_the_verdict_in_both_languages(box: Box) -> None:
    box.intake.checks["S0001"] = MISMATCH
    answer = box.hand_in("?wait=final&timeout_s=7.5")
    assert answer.status_code == 200
    assert answer.json() == {
        "swipe_id": "S0001",
        "receipt": "new",
        "final": True,
        "flagged": True,
        "verdict": {"code": "mismatch", "zh": "非本人", "en": "somebody else"},
        "reasons": [
            {
                "code": "every_face_differs",
                "zh": "可辨认的人脸均与持卡人不符",
                "en": "every assessable face differs from the holder",
            }
        ],
    }
    assert box.intake.waited == [7.5]
    assert PERSON not in answer.text


def test_a_first_opinion_says_that_it_is_not_final(box: Box) -> None:
    box.intake.opinions["S0001"] = a_check()
    answer = box.hand_in("?wait=opinion").json()
    assert (answer["final"], answer["flagged"], answer["verdict"]["code"]) == (False, False, "match")
    assert box.intake.waited == [3.0]


def test_when_the_verdict_does_not_come_in_time_the_swipe_is_safe_all_the_same(box: Box) -> None:
    answer = box.hand_in("?wait=final&timeout_s=0")
    assert (answer.status_code, answer.json()) == (202, {"swipe_id": "S0001", "receipt": "new"})


@pytest.mark.parametrize(
    ("query", "field"),
    [("?wait=long", "wait"), ("?wait=final&timeout_s=61", "timeout_s"), ("?wait=final&timeout_s=nan", "timeout_s"),
     ("?wait=final&timeout_s=-1", "timeout_s"), ("?wait=final&timeout_s=soon", "timeout_s")],
)  # fmt: skip
def test_a_wait_that_cannot_be_is_refused_before_the_swipe_is_taken(box: Box, query: str, field: str) -> None:
    answer = box.hand_in(query)
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, field)
    assert box.intake.ids == []


def test_every_wrong_field_is_named(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = box.hand_in(setl_time="today", setl_id=None, psn_no=PERSON + "\n1")
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["fields"]] == ["setl_id", "psn_no", "setl_time"]
    assert "expected a time with seconds" in answer.json()["message"]
    said = answer.text + "".join(str(vars(record)) for record in caplog.records if record.name.startswith("edge"))
    assert PERSON not in said and "张三" not in said


def test_an_unknown_terminal_is_a_wrong_field(box: Box) -> None:
    answer = box.hand_in(terminal_id="T99")
    assert answer.status_code == 422
    assert answer.json()["fields"] == [{"field": "terminal_id", "message": 'expected T01, found "T99"'}]


def test_the_id_of_a_bed_check_is_a_wrong_field(box: Box) -> None:
    answer = box.hand_in(setl_id="bed-301-1")
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["fields"]] == ["setl_id"]


def test_a_full_disk_asks_the_terminal_to_come_again(box: Box) -> None:
    box.intake.is_full = True
    answer = box.hand_in()
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "storage_full", "30")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken_so_that_no_form_of_a_strange_page_can_send_it(box: Box, kind: str) -> None:
    answer = box.ask("POST", "/v1/swipes", content=json.dumps(fields()), headers={"Content-Type": kind})
    assert (answer.status_code, box.intake.ids) == (415, [])


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\x00", b"[" * 50000])
def test_a_body_that_is_no_swipe_is_refused(box: Box, data: bytes) -> None:
    answer = box.ask("POST", "/v1/swipes", content=data, headers={"Content-Type": "application/json; charset=utf-8"})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, "swipe")


def test_a_large_body_is_refused(box: Box) -> None:
    answer = box.hand_in(note="x" * 2**16)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def test_a_swipe_can_be_looked_up_also_under_an_odd_number(box: Box) -> None:
    assert box.ask("GET", "/v1/swipes/S0001").status_code == 404
    box.hand_in(setl_id="A/B 1?")
    found = box.ask("GET", "/v1/swipes/A%2FB%201%3F")
    assert found.json() == {
        "swipe_id": "A/B 1?",
        "terminal_id": "T01",
        "source": "http",
        "received_at": "2025-06-15T15:06:40.000+00:00",
        "state": "accepted",
    }
    box.intake.checks["A/B 1?"] = MISMATCH
    done = box.ask("GET", "/v1/swipes/A%2FB%201%3F")
    assert (done.json()["state"], done.json()["verdict"]["code"], done.json()["final"]) == ("done", "mismatch", True)
    assert PERSON not in done.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET", "PATCH"])
def test_other_methods_are_refused(box: Box, method: str) -> None:
    assert box.ask(method, "/v1/swipes").status_code == 405


# --- who may ask


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "", "[::2]"])
@pytest.mark.parametrize("url", ["/", "/v1/swipes/S1", "/metrics", "/healthz"])
def test_on_loopback_only_requests_by_its_own_name_are_answered(box: Box, host: str, url: str) -> None:
    assert box.ask("GET", url, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8070", "LOCALHOST", "[::1]:8070"])
def test_every_name_of_loopback_is_its_own(box: Box, host: str) -> None:
    assert box.ask("GET", "/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("url", ["/", "/style.css", "/metrics", "/v1/swipes/S1", "/cameras/counter-1/snapshot.jpg"])
def test_with_a_token_nothing_is_shown_without_it(locked: Box, url: str) -> None:
    for header in ({}, {"Authorization": "Bearer the-toke"}, {"Authorization": "Bearer"}, {"Authorization": "Basic ?"}):
        answer = locked.ask("GET", url, headers=header)
        assert (answer.status_code, answer.json()["error"]) == (401, "token_needed")
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_the_token_opens_as_bearer_and_as_a_password(locked: Box) -> None:
    password = base64.b64encode(b"anybody:the-token").decode()
    for value in ("Bearer the-token", "bearer the-token", f"Basic {password}"):
        header = {"Authorization": value}
        assert locked.ask("GET", "/", headers=header, base_url="http://box.lan").status_code == 200
        assert locked.ask("POST", "/v1/swipes", headers=header, json=fields()).status_code == 202


def test_health_is_told_without_a_token(locked: Box) -> None:
    assert locked.ask("GET", "/healthz").status_code == 200
    assert locked.ask("GET", "/readyz").status_code == 200


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing\.txt: the secret cannot be read"):
        Box(HttpConfig(token_file=tmp_path / "nothing.txt"))


def test_every_answer_forbids_scripts_and_keeping(box: Box) -> None:
    for url in ("/", "/metrics", "/nowhere", "/cameras/counter-1/snapshot.jpg"):
        headers = box.ask("GET", url).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("url", ["/docs", "/redoc", "/openapi.json"])
def test_nothing_else_is_served(box: Box, url: str) -> None:
    assert box.ask("GET", url).status_code == 404


# --- how it stands


@pytest.mark.parametrize("kind", Problem)
def test_it_is_ready_unless_nothing_is_checked(box: Box, kind: Problem) -> None:
    box.view.shown = replace(a_healthy_box(), problems=(CurrentProblem(kind, "ward-3f", "secret detail"),))
    answer = box.ask("GET", "/readyz")
    assert answer.status_code == (503 if kind in NOT_READY else 200)
    assert answer.json() == {"ready": kind not in NOT_READY, "problems": [kind.value]}


def test_a_snapshot_is_a_picture_or_not_there(box: Box) -> None:
    box.view.shown = a_troubled_box()
    answer = box.ask("GET", "/cameras/counter-1/snapshot.jpg")
    assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/jpeg")
    assert box.ask("GET", "/cameras/door/snapshot.jpg").status_code == 404
    assert box.ask("GET", "/cameras/..%2F..%2Fagent.sqlite/snapshot.jpg").status_code == 404


# --- over a real port


async def served(box: Box, story: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Run the story while the box listens, then stop it."""
    stop, port = asyncio.Event(), listen("127.0.0.1", 0)
    task = asyncio.create_task(serve(box.app, port, stop))
    try:
        await story(port.getsockname()[1])
    finally:
        stop.set()
        await asyncio.wait_for(task, 8)


def test_it_listens_inside_the_agents_loop_and_stops_with_it(box: Box) -> None:
    async def story(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.post("/v1/swipes", json=fields())
            assert (answer.status_code, box.intake.ids) == (202, ["S0001"])
            assert "server" not in answer.headers

    asyncio.run(served(box, story))


def test_a_stop_before_it_began_is_not_lost(box: Box) -> None:
    async def story() -> None:
        stop = asyncio.Event()
        stop.set()
        await asyncio.wait_for(serve(box.app, listen("127.0.0.1", 0), stop), 5)

    asyncio.run(story())


def test_a_terminal_that_waits_when_it_stops_is_answered(box: Box) -> None:
    async def slow(swipe_id: str, timeout_s: float) -> None:
        await asyncio.sleep(0.4)

    box.intake.final = slow  # type: ignore[method-assign]
    answers: list[httpx.Response] = []

    async def ask(port: int) -> None:
        async with httpx.AsyncClient() as client:
            answers.append(await client.post(f"http://127.0.0.1:{port}/v1/swipes?wait=final", json=fields()))

    async def story() -> None:
        asking: list[asyncio.Task[None]] = []

        async def begin(port: int) -> None:
            asking.append(asyncio.create_task(ask(port)))
            await asyncio.sleep(0.15)

        await served(box, begin)
        await asking[0]

    asyncio.run(story())
    assert answers[0].status_code == 202


def test_a_terminal_that_never_sends_its_body_is_let_go(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swipes, "BODY_WITHIN_S", 0.2)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /v1/swipes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        writer.write(f"{head}\r\n{{".encode())
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 3)
        writer.close()
        await writer.wait_closed()

    asyncio.run(served(box, story))
    assert box.intake.ids == []


def test_a_terminal_that_hangs_up_half_way_harms_nobody(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    async def story(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /v1/swipes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        writer.write(f"{head}\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.2)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200

    asyncio.run(served(box, story))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"http: 127.0.0.1:{port} cannot be listened on: Address already in use"):
            listen("127.0.0.1", port)
