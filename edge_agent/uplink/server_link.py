"""The line to the review server: each request ends in an answer or in a failure of a known kind."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import httpx
from pydantic import ValidationError

import renzheng
from edge_agent.edge_config import ServerConfig
from edge_agent.uplink.device import DeviceIdentity, is_loopback, tls_of
from renzheng.contracts import (
    Contract,
    DeliveryAnswer,
    DeliveryBatch,
    StaffAnswer,
    TemplateAnswer,
    TemplateQuestion,
)
from renzheng.errors import RenzhengError

ANSWER_BYTES_MAX = 16 * 2**20
"""An answer is kept in memory; a server that sends more than this is not ours."""

SLOWEST_BYTES_PER_S = 4096.0
"""A body gets this much longer than ``timeout_s`` to arrive: boxes hang on poor lines."""

WAIT_S_MAX = 3600.0
_DETAIL_MAX = 200

_Answer = TypeVar("_Answer", bound=Contract)


class LinkFailure(RenzhengError):
    """A request without a usable answer. Nothing may be thrown away because of it."""


class Unreachable(LinkFailure):
    """Nobody answered, or not what the server answers: network, time-out, 5xx, a body that broke off."""


class ServerFailed(Unreachable):
    """5xx or another answer that the server should not give: perhaps because of what was sent."""


class TooMuch(LinkFailure):
    """413: send less at a time."""


class Wait(LinkFailure):
    """429, or 503 with a time: not before ``retry_after_s`` real seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(LinkFailure):
    """The server read the request and does not want it."""


class Revoked(LinkFailure):
    """401 or 403: this box's token no longer counts."""


class Answered(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes


class ServerLink:
    """One HTTP client for one server. Used from one event loop; close it, or use it with ``async with``."""

    def __init__(
        self, server: ServerConfig, identity: DeviceIdentity, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises :class:`BadInput` when the server's ``ca_file`` holds no certificate.

        ``transport`` stands in for the network.
        """
        self.device_id = identity.device_id
        self.successes = 0
        self.base = httpx.URL(server.url.rstrip("/") + "/")
        self._timeout_s = server.timeout_s
        headers = {"User-Agent": f"renzheng-edge/{renzheng.__version__}"}
        if identity.token is not None:
            headers["Authorization"] = f"Bearer {identity.token}"
        self._client = httpx.AsyncClient(
            verify=tls_of(server),
            headers=headers,
            timeout=server.timeout_s,
            follow_redirects=False,
            trust_env=not is_loopback(server.url),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def deliver(self, batch: DeliveryBatch) -> DeliveryAnswer:
        """Hand over checks and reports; only what the answer names is safe. Raises :class:`LinkFailure`."""
        body = await asyncio.to_thread(lambda: gzip.compress(batch.model_dump_json().encode(), compresslevel=5))
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return _read(await self.request("POST", "v1/checks", headers=headers, content=body), DeliveryAnswer)

    async def templates_of(self, question: TemplateQuestion) -> TemplateAnswer:
        """Whom a swipe may be compared with.

        Raises :class:`LinkFailure`, also when the answer is about another person.
        """
        answer = _read(await self._ask("v1/templates", question), TemplateAnswer)
        if answer.psn_no != question.psn_no or (answer.holder and answer.holder.person_id != question.psn_no):
            raise Unreachable("the server answered about another person than was asked for")
        return answer

    async def staff(self, embedder_sha256: str) -> StaffAnswer:
        """Everybody who works at the institution. Raises :class:`LinkFailure`."""
        return _read(await self.request("GET", f"v1/staff?embedder_sha256={embedder_sha256}"), StaffAnswer)

    async def request(
        self, method: str, path: str | httpx.URL, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answered:
        """Send and read to the end; 2xx alone comes back. Raises :class:`LinkFailure`."""
        answered = await self.exchange(method, path, headers=headers, content=content)
        if not 200 <= answered.status < 300:
            raise failure_of(answered)
        return answered

    async def exchange(
        self, method: str, path: str | httpx.URL, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answered:
        """Send and read to the end, whatever the status. Raises :class:`Unreachable`."""
        limit_s = self._timeout_s + len(content) / SLOWEST_BYTES_PER_S
        try:
            async with asyncio.timeout(limit_s):
                answered = await self._exchange(method, self.base.join(path), dict(headers or {}), content)
        except TimeoutError as error:
            raise Unreachable(f"{self.base.host}: no whole answer within {limit_s:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.base.host}: {type(error).__name__}: {error}") from error
        self.successes += answered.status < 300
        return answered

    async def _exchange(self, method: str, url: httpx.URL, headers: dict[str, str], content: bytes) -> Answered:
        async with self._client.stream(method, url, headers=headers, content=content) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise Unreachable(f"{self.base.host}: answered more than {ANSWER_BYTES_MAX} bytes")
            return Answered(response.status_code, response.headers, bytes(body))

    async def _ask(self, path: str, question: Contract) -> Answered:
        headers = {"Content-Type": "application/json"}
        return await self.request("POST", path, headers=headers, content=question.model_dump_json().encode())


def failure_of(answered: Answered) -> LinkFailure:
    """What a status that is no success means.

    400, 409, 415 and 422 count as a refusal only when they come as JSON, as our server sends them: a proxy in between
    that answers with a page of its own must not make a box give anything up.
    """
    status, what = answered.status, _told(answered)
    if status in (401, 403):
        return Revoked(f"the server no longer takes this box's token ({what}); enrol it again")
    if status == 413:
        return TooMuch(f"too much at once ({what})")
    if status == 429 or (status == 503 and "Retry-After" in answered.headers):
        return Wait(f"the server asks to wait ({what})", retry_after_s(answered.headers.get("Retry-After", "")))
    if status in (400, 409, 415, 422) and _is_json(answered):
        return Refused(f"the server refuses it ({what})")
    return ServerFailed(f"the server answers {what}")


def retry_after_s(value: str) -> float:
    """Seconds of a Retry-After header, which is a number or a date; 1 to 3600, and 30 when it says nothing."""
    try:
        wait_s = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return 30.0
        wait_s = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 1.0), WAIT_S_MAX) if wait_s == wait_s else 30.0


def _read(answered: Answered, contract: type[_Answer]) -> _Answer:
    try:
        return contract.model_validate_json(answered.body)
    except ValidationError as error:
        raise Unreachable(f"expected a {contract.__name__}, the server answered something else") from error


def _is_json(answered: Answered) -> bool:
    return str(answered.headers.get("Content-Type", "")).partition(";")[0].strip() == "application/json"


def _told(answered: Answered) -> str:
    """Status and the ``detail`` of a JSON answer where that is one short sentence.

    A list of wrong fields repeats what was sent, and this text ends up in logs, which hold no person numbers.
    """
    detail = None
    if _is_json(answered):
        with suppress(ValueError):
            said = json.loads(answered.body)
            detail = said.get("detail") if isinstance(said, dict) else None
    plain = detail if isinstance(detail, str) and len(detail) <= _DETAIL_MAX else ""
    return f"{answered.status} {plain}".strip()
