"""A tus server in memory that offers checksums, which tuspyserver does not, and that can be told what to answer."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

import httpx


@dataclass
class ScriptedTus:
    """Keeps uploads by address. ``answers`` are given instead of its own, one each, to the method they are for."""

    location: str = "/v1/clips/{number}"
    algorithms: str = "md5,sha1,sha256"
    answers: list[tuple[str, int]] = field(default_factory=list)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    seen: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.seen.append(request)
        if self.answers and self.answers[0][0] == request.method:
            return httpx.Response(self.answers.pop(0)[1])
        answer: httpx.Response = getattr(self, f"_{request.method.lower()}")(request)
        return answer

    def methods(self) -> str:
        """What was asked, in order."""
        return " ".join(request.method for request in self.seen)

    def _options(self, request: httpx.Request) -> httpx.Response:
        extensions = "creation,termination" + (",checksum" if self.algorithms else "")
        return httpx.Response(204, headers={"Tus-Extension": extensions, "Tus-Checksum-Algorithm": self.algorithms})

    def _post(self, request: httpx.Request) -> httpx.Response:
        path = f"/v1/clips/{len(self.lengths)}"
        self.uploads[path] = bytearray()
        self.lengths[path] = int(request.headers["Upload-Length"])
        return httpx.Response(201, headers={"Location": self.location.format(number=len(self.lengths) - 1)})

    def _head(self, request: httpx.Request) -> httpx.Response:
        if request.url.path not in self.uploads:
            return httpx.Response(404)
        return self._state(200, request.url.path)

    def _patch(self, request: httpx.Request) -> httpx.Response:
        data = self.uploads.get(request.url.path)
        if data is None:
            return httpx.Response(404)
        if int(request.headers["Upload-Offset"]) != len(data):
            return httpx.Response(409)
        body = request.content
        if self.algorithms:
            name, digest = request.headers["Upload-Checksum"].split(" ")
            if base64.b64decode(digest) != hashlib.new(name, body).digest():
                return httpx.Response(460)
        data += body
        return self._state(204, request.url.path)

    def _delete(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204 if self.uploads.pop(request.url.path, None) is not None else 404)

    def _state(self, status: int, path: str) -> httpx.Response:
        headers = {"Upload-Offset": str(len(self.uploads[path])), "Upload-Length": str(self.lengths[path])}
        return httpx.Response(status, headers=headers)
