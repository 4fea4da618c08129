"""Around every request: how large a body may be, and what browsers are told of every answer."""

from __future__ import annotations

import re
from typing import Final

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.problems import Problem
from server.settings import ServerSettings

MB: Final = 1 << 20
USUAL_BYTES: Final = 16 * MB
FORM_BYTES: Final = 1 * MB
"""What a form may hold beside its files."""

UPLOADS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"/v1/(bulk-enrolments|settlement-imports)(/.*)?"), "upload_mb"),
    (re.compile(r"/v1/(people|staff)/[^/]+/photos"), "photo_mb"),
)
"""Paths that take files, with the setting that says how large; elsewhere, and for JSON, the usual limit holds."""

CLIPS: Final = re.compile(r"/v1/clips(/.*)?")

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Answers hold data of persons: no cache keeps them, no page of others shows them."""

HTTPS_HEADER: Final = ("Strict-Transport-Security", "max-age=31536000")


def limit_bytes(settings: ServerSettings, path: str, content_type: str) -> int:
    """Bytes that a request to a path may bring."""
    if CLIPS.fullmatch(path):
        return settings.clip_mb * MB
    if content_type.lower().startswith("multipart/form-data"):
        for pattern, setting in UPLOADS:
            if pattern.fullmatch(path):
                megabytes: int = getattr(settings, setting)
                return megabytes * MB + FORM_BYTES
    return USUAL_BYTES


class BodyTooLarge(Exception):
    """Ends reading a body; it never leaves :class:`Limits`."""


class Limits:
    """ASGI middleware that refuses larger bodies with 413, told by their head where they have one, else counted."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = limit_bytes(self._settings, scope["path"], headers.get("content-type", ""))
        told = headers.get("content-length", "")
        if told.isascii() and told.isdecimal() and int(told) > limit:
            await _refuse(limit, scope, receive, send)
            return
        await _Counted(self._app, limit).serve(scope, receive, send)


class _Counted:
    """One request whose body is counted as it comes. What the application says after its limit is not sent."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._bytes = 0
        self._answering = False

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""

        async def counting() -> Message:
            message = await receive()
            self._bytes += len(message.get("body", b""))
            if self._too_many:
                raise BodyTooLarge
            return message

        async def passing(message: Message) -> None:
            if self._too_many and not self._answering:
                return
            self._answering = True
            await send(message)

        try:
            await self._app(scope, counting, passing)
        except Exception:
            if not self._too_many or self._answering:
                raise
        if self._too_many and not self._answering:
            await _refuse(self._limit, scope, receive, send)

    @property
    def _too_many(self) -> bool:
        return self._bytes > self._limit


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(detail=f"expected a body of at most {limit} bytes")
    await JSONResponse(problem.model_dump(), 413, {"Connection": "close"})(scope, receive, send)


class SafeHeaders:
    """ASGI middleware that adds :data:`HEADERS` to every answer that does not say otherwise."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = HEADERS | dict([HTTPS_HEADER] if https else [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
