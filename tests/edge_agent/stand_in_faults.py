"""Faults of the stand-in server, as a layer of ASGI around it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATUSES = {"400": 400, "401": 401, "403": 403, "413": 413, "422": 422, "429": 429, "500": 500, "503": 503}
KINDS = (*STATUSES, "hang", "close_mid_body", "drop_answer", "nonsense")
"""``drop_answer`` does what was asked and then breaks the answer off; the others do nothing of it."""


@dataclass
class Fault:
    """What goes wrong with requests to addresses that begin with ``route``, ``times`` times or until it is replaced.

    ``skip`` requests pass before the first that fails.
    """

    kind: str
    route: str = "/v1/"
    method: str | None = None
    times: int | None = None
    skip: int = 0


@dataclass
class Faults:
    """The layer. ``requests`` counts what came in by method and first words of the address."""

    app: ASGIApp
    faults: list[Fault] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or fail."""
        fault = self._due(scope) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.kind == "hang":
            await asyncio.sleep(3600)
        elif fault.kind == "close_mid_body":
            await _break_off(send)
        elif fault.kind == "drop_answer":
            await self.app(scope, receive, _nowhere)
            await _break_off(send)
        elif fault.kind == "nonsense":
            await _swallow(receive)
            await JSONResponse({"hello": "portal"})(scope, receive, send)
        else:
            await _swallow(receive)
            headers = {"Retry-After": "1"} if fault.kind == "429" else {}
            await JSONResponse({"detail": "a fault"}, STATUSES[fault.kind], headers)(scope, receive, send)

    def _due(self, scope: Scope) -> Fault | None:
        path, method = scope["path"], scope["method"]
        if not path.startswith("/v1/"):
            return None
        self.requests[f"{method} {'/'.join(path.split('/')[:3])}"] += 1
        for fault in self.faults:
            if not path.startswith(fault.route) or fault.method not in (None, method):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is None:
                return fault
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None


async def _nowhere(message: Message) -> None:
    """An answer that never leaves."""


async def _swallow(receive: Receive) -> None:
    message: dict[str, Any] = {"more_body": True}
    while message.get("more_body"):
        message = dict(await receive())


async def _break_off(send: Send) -> None:
    """Promise more than comes; the server then tears the connection."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"accepted": [', "more_body": True})
