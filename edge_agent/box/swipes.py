"""``/v1/swipes``: how a terminal hands in a swipe and asks what became of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from edge_agent.box.metrics import BoxMetrics
from edge_agent.box.pages import is_flagged, verdict_words
from edge_agent.logs import facts
from edge_agent.swipe_sources.intake import Intake, Receipt, SwipeStatus, UnknownTerminal
from edge_agent.swipe_sources.swipe_json import BadField, BadSwipe, parse_swipe
from renzheng.clock import from_seconds
from renzheng.contracts import REASON_WORDS, IdentityCheck
from renzheng.errors import BadInput, StorageFull

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 2**16
BODY_WITHIN_S = 10.0
WAIT_MAX_S = 60.0
_WAIT_S = {"opinion": 3.0, "final": 20.0}
"""How long an answer is waited for unless the terminal says; a window ends 4 s after its swipe."""

RETRY_AFTER_S = 30
Wait = Literal["opinion", "final"]


class _Refused(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.why = code, message
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
        self.response = JSONResponse({"error": code, "message": message, **more}, status, headers=headers)


def add_swipe_routes(app: FastAPI, intake: Intake, metrics: BoxMetrics, fixmedins_code: str) -> None:
    """Add ``POST /v1/swipes`` and ``GET /v1/swipes/{setl_id}``."""

    @app.post("/v1/swipes")
    async def hand_in(request: Request) -> JSONResponse:
        """202 with the swipe's id once it is safe; 200 with the verdict where that was waited for and came."""
        try:
            wait, timeout_s = _waiting(request)
            receipt = _taken(intake, await _body(request), fixmedins_code)
            check = await _waited(intake, receipt.swipe_id, wait, timeout_s)
        except _Refused as refused:
            metrics.refused(refused.code)
            log.info("a swipe was refused", extra=facts(source="http", why=refused.why))
            return refused.response
        answer: dict[str, Any] = {"swipe_id": receipt.swipe_id, "receipt": receipt.state}
        if check is None:
            return JSONResponse(answer, 202)
        kept = intake.find(receipt.swipe_id)
        return JSONResponse(answer | _check_json(check, final=kept is not None and kept.check is not None))

    @app.get("/v1/swipes/{swipe_id:path}")
    async def look_up(swipe_id: str) -> JSONResponse:
        """The swipe and its final verdict, where there is one."""
        found = intake.find(swipe_id)
        if found is None:
            return _Refused(404, "unknown_swipe", "expected the setl_id of a swipe this box has taken").response
        return JSONResponse(_status_json(found))


def _waiting(request: Request) -> tuple[Wait | None, float]:
    """What the terminal waits for and how long, from ``wait`` and ``timeout_s``."""
    asked, given = request.query_params.get("wait"), request.query_params.get("timeout_s")
    wait: Wait | None = "opinion" if asked == "opinion" else "final" if asked == "final" else None
    if wait != asked:
        raise _bad_fields(BadField("wait", "expected opinion or final"))
    try:
        timeout_s = float(given) if given is not None else _WAIT_S.get(wait or "", 0.0)
    except ValueError:
        timeout_s = -1.0
    if not 0 <= timeout_s <= WAIT_MAX_S:  # also refuses nan
        raise _bad_fields(BadField("timeout_s", f"expected seconds from 0 to {WAIT_MAX_S:.0f}"))
    return wait, timeout_s


async def _body(request: Request) -> bytes:
    """The body, which must be JSON by its type, small, and come soon."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _Refused(415, "not_json", "expected Content-Type: application/json")
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_BYTES_MAX:
                    raise _Refused(413, "too_large", f"expected at most {BODY_BYTES_MAX} bytes")
    except TimeoutError as error:
        raise _Refused(408, "too_slow", f"expected the whole swipe within {BODY_WITHIN_S:.0f} s") from error
    except ClientDisconnect as error:
        raise _Refused(400, "cut_off", "expected the whole swipe") from error
    return body


def _taken(intake: Intake, body: bytes, fixmedins_code: str) -> Receipt:
    """The receipt of a swipe that is on the disk now."""
    try:
        receipt = intake.take(parse_swipe(body, fixmedins_code), "http", live=True)
    except BadSwipe as error:
        raise _bad_fields(*error.problems) from error
    except UnknownTerminal as error:
        raise _bad_fields(BadField("terminal_id", str(error).removeprefix("terminal_id: "))) from error
    except BadInput as error:  # an id that is a bed check's
        raise _bad_fields(BadField("setl_id", str(error))) from error
    except StorageFull as error:
        raise _Refused(503, "storage_full", "the box has no room; hand the swipe in again later") from error
    if receipt.state == "conflict":
        raise _Refused(
            409, "conflict", "this setl_id was used before for another swipe, which stays", swipe_id=receipt.swipe_id
        )
    return receipt


def _bad_fields(*problems: BadField) -> _Refused:
    fields = [{"field": problem.field, "message": problem.message} for problem in problems]
    return _Refused(422, "bad_swipe", "; ".join(map(str, problems)), fields=fields)


async def _waited(intake: Intake, swipe_id: str, wait: Wait | None, timeout_s: float) -> IdentityCheck | None:
    if wait is None:
        return None
    ask = intake.opinion if wait == "opinion" else intake.final
    return await ask(swipe_id, timeout_s)


def _status_json(status: SwipeStatus) -> dict[str, Any]:
    return {
        "swipe_id": status.swipe_id,
        "terminal_id": status.terminal_id,
        "source": status.source,
        "received_at": from_seconds(status.received_s).isoformat(timespec="milliseconds"),
        "state": "done" if status.check else "accepted",
        **(_check_json(status.check, final=True) if status.check else {}),
    }


def _check_json(check: IdentityCheck, final: bool) -> dict[str, Any]:
    """What a terminal may show of a check. Not ``final``: an opinion, which may still change."""
    verdict = verdict_words(check.verdict)
    return {
        "final": final,
        "flagged": is_flagged(check.verdict),
        "verdict": {"code": check.verdict.value, **verdict._asdict()},
        "reasons": [{"code": reason.value, **REASON_WORDS[reason]._asdict()} for reason in check.reasons],
    }
