"""Every way a request can end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from edge_agent.uplink.server_link import (
    Answered,
    LinkFailure,
    Refused,
    Revoked,
    ServerFailed,
    ServerLink,
    TooMuch,
    Unreachable,
    Wait,
    failure_of,
    retry_after_s,
)
from renzheng.contracts import DeliveryAnswer, DeliveryBatch, TemplateQuestion
from tests.edge_agent.builders import NOON
from tests.edge_agent.stand_in import StandInServer, free_port
from tests.edge_agent.uplink.builders import link_to

BATCH = DeliveryBatch(device_id="box-1")
PSN_NO = "33028119540321000X"


def ask(server: StandInServer | str, request: Callable[[ServerLink], Awaitable[Any]], **given: Any) -> Any:
    async def asked() -> Any:
        async with link_to(server, **given) as link:
            return await request(link)

    return asyncio.run(asked())


def deliver(server: StandInServer | str, **given: Any) -> DeliveryAnswer:
    answer: DeliveryAnswer = ask(server, lambda link: link.deliver(BATCH), **given)
    return answer


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("500", ServerFailed),
        ("413", TooMuch),
        ("429", Wait),
        ("400", Refused),
        ("422", Refused),
        ("401", Revoked),
        ("403", Revoked),
        ("hang", Unreachable),
        ("close_mid_body", Unreachable),
        ("drop_answer", Unreachable),
        ("nonsense", Unreachable),
    ],
)
def test_each_fault_of_a_server_is_a_failure_of_its_kind(
    fault: str, failure: type[LinkFailure], server: StandInServer
) -> None:
    server.fail(fault)
    with pytest.raises(failure) as raised:
        deliver(server, timeout_s=0.4)
    assert type(raised.value) is failure
    server.fail(None)
    assert deliver(server) == DeliveryAnswer(accepted=())


def test_nobody_at_the_address_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        deliver(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_a_request_for_ever() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        except OSError:
            writer.close()

    async def asked() -> float:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        began_s = asyncio.get_running_loop().time()
        async with link_to(f"http://127.0.0.1:{port}", timeout_s=0.4) as link:
            with pytest.raises(Unreachable, match="no whole answer within"):
                await link.deliver(BATCH)
        took_s = asyncio.get_running_loop().time() - began_s
        server.close()
        await asyncio.sleep(0.2)
        return took_s

    assert asyncio.run(asked()) < 2.0


def test_a_refusal_by_a_page_of_a_proxy_is_no_refusal() -> None:
    page = Answered(400, httpx.Headers({"Content-Type": "text/html"}), b"<h1>Bad request</h1>")
    assert type(failure_of(page)) is ServerFailed


@pytest.mark.parametrize("status", [301, 302, 404, 405, 411, 418, 502, 504])
def test_what_our_server_would_not_answer_never_makes_a_box_give_up(status: int) -> None:
    assert type(failure_of(Answered(status, httpx.Headers(), b""))) is ServerFailed


def test_words_that_may_repeat_what_was_sent_are_left_out_of_messages() -> None:
    headers = httpx.Headers({"Content-Type": "application/json"})
    listed = b'{"detail": [{"loc": ["psn_no"], "input": "33028119540321000X"}]}'
    assert PSN_NO not in str(failure_of(Answered(422, headers, listed)))
    assert "too old" in str(failure_of(Answered(422, headers, b'{"detail": "the agent is too old"}')))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("0", 1.0),
        ("-3", 1.0),
        ("86400", 3600.0),
        ("", 30.0),
        ("soon", 30.0),
        ("nan", 30.0),
        ("inf", 3600.0),
    ],
)
def test_the_time_to_wait_is_read_and_bounded(value: str, expected: float) -> None:
    assert retry_after_s(value) == expected


def test_the_time_to_wait_may_be_a_date() -> None:
    until = datetime.now(UTC) + timedelta(seconds=100)
    assert 95 < retry_after_s(format_datetime(until, usegmt=True)) <= 100


def test_a_person_number_is_in_no_address_and_in_no_log(
    server: StandInServer, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in (None, "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=logger)
    question = TemplateQuestion(psn_no=PSN_NO, at=NOON, embedder_sha256="e" * 64)
    answer = ask(server, lambda link: link.templates_of(question))
    assert answer.psn_no == PSN_NO
    assert answer.holder is None
    assert PSN_NO not in caplog.text
    assert "/v1/templates" in caplog.text


def test_an_answer_about_another_person_is_no_answer(server: StandInServer) -> None:
    stranger = {"psn_no": "another", "holder": None, "expires_at": "2036-01-01T00:00:00Z"}
    server.tell(people={PSN_NO: stranger})
    question = TemplateQuestion(psn_no=PSN_NO, at=NOON, embedder_sha256="e" * 64)
    with pytest.raises(Unreachable, match="another person"):
        ask(server, lambda link: link.templates_of(question))
    holder = {"person_id": "another", "embedder_sha256": "e" * 64, "templates": []}
    server.tell(people={PSN_NO: stranger | {"psn_no": PSN_NO, "holder": holder}})
    with pytest.raises(Unreachable, match="another person"):
        ask(server, lambda link: link.templates_of(question))


def test_a_revoked_token_is_told_apart(server: StandInServer) -> None:
    with pytest.raises(Revoked, match="enrol it again"):
        deliver(server, token="a-token-of-nobody")
