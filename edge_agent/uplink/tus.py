"""Uploads that can be taken up again, after the tus protocol 1.0 (https://tus.io/protocols/resumable-upload).

Core, creation, checksum where the server offers it, termination. A clip is only taken for arrived when a PATCH at its
end was answered with success: our servers compare the whole file's digest there and answer 460 when it is another.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from edge_agent.uplink.pace import TokenBucket
from edge_agent.uplink.server_link import Answered, Refused, ServerLink, Unreachable, failure_of
from renzheng.errors import RenzhengError

VERSION = "1.0.0"
CHUNK_BYTES = 2**20
CHUNK_BYTES_MIN = 2**16
CHUNK_S = 2.0
"""With a limited line, one PATCH is what may go in this time."""

FRESH_STARTS_MAX = 3
DISAGREEMENTS_MAX = 5
_GONE = (404, 410)
_DISAGREES = (409, 460)
_ALGORITHMS = ("sha256", "sha1")


class UploadPaused(RenzhengError):
    """Uploads are not wanted now; what has arrived stays where it is."""


class ClipGone(RenzhengError):
    """The file to upload is not there, or not what it was."""


@dataclass(frozen=True)
class Upload:
    """One file and what the server is told of it, as text."""

    path: Path
    size: int
    metadata: Mapping[str, str]


class TusClient:
    """Uploads to one address of one server."""

    def __init__(self, link: ServerLink, bucket: TokenBucket, path: str = "v1/clips/") -> None:
        self._link, self._bucket = link, bucket
        self._collection = link.base.join(path)
        self._algorithm: str | None = None
        self._asked = False
        self.bytes_sent = 0

    async def upload(
        self,
        upload: Upload,
        url: str | None,
        keep_url: Callable[[str], None],
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Bring the file to the server, from where it stood when ``url`` is that of a former try.

        ``keep_url`` is called with each new address before the first byte goes there. Raises :class:`LinkFailure`,
        :class:`UploadPaused` as soon as ``may_go_on`` says no, :class:`ClipGone`.
        """
        await self._ask_extensions()
        offset = None if url is None else await self._offset(url, upload.size)
        for _ in range(FRESH_STARTS_MAX):
            if url is None or offset is None:
                url, offset = await self._create(upload), 0
                keep_url(url)
            offset = await self._send(upload, url, offset, may_go_on)
            if offset is not None:
                return
        raise Unreachable(f"an upload was lost by the server {FRESH_STARTS_MAX} times over")

    async def terminate(self, url: str) -> None:
        """Tell the server that nothing more comes; it need not know of it. Raises :class:`LinkFailure`."""
        answered = await self._exchange("DELETE", self._own(url))
        if answered.status not in (*_GONE, 405) and not 200 <= answered.status < 300:
            raise failure_of(answered)

    async def _send(self, upload: Upload, url: str, offset: int, may_go_on: Callable[[], bool]) -> int | None:
        """The size when the last PATCH was taken; ``None`` when the upload is gone and must begin anew.

        An upload that is whole already gets one PATCH without bytes: its former answer was lost, and with it whether
        the digest was right.
        """
        disagreements = 0
        while True:
            if not may_go_on():
                raise UploadPaused("not the time to upload")
            chunk = await asyncio.to_thread(_read, upload, offset, self._chunk_bytes())
            await self._bucket.take(len(chunk))
            after = await self._patch(url, offset, chunk)
            if after is None:
                disagreements += 1
                if disagreements > DISAGREEMENTS_MAX:
                    raise Unreachable("the server keeps disagreeing about how much of an upload it has")
                found = await self._offset(url, upload.size)
                if found is None or found > upload.size:
                    return None
                offset = found
            elif after == upload.size:
                return after
            elif after <= offset or after > upload.size:
                raise Unreachable(f"after {offset + len(chunk)} bytes the server says that it has {after}")
            else:
                offset = after

    async def _patch(self, url: str, offset: int, chunk: bytes) -> int | None:
        """The server's new offset; ``None`` when it disagrees with ours, with a checksum, or lost the upload."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        if self._algorithm is not None:
            digest = base64.b64encode(hashlib.new(self._algorithm, chunk).digest()).decode()
            headers["Upload-Checksum"] = f"{self._algorithm} {digest}"
        answered = await self._exchange("PATCH", self._own(url), headers, chunk)
        if answered.status in _DISAGREES or answered.status in _GONE:
            return None
        if not 200 <= answered.status < 300:
            raise failure_of(answered)
        self.bytes_sent += len(chunk)
        return _number(answered, "Upload-Offset")

    async def _offset(self, url: str, size: int) -> int | None:
        """How much the server has; ``None`` when it no longer knows the upload or takes it for another one."""
        answered = await self._exchange("HEAD", self._own(url))
        if answered.status in _GONE:
            return None
        if not 200 <= answered.status < 300:
            raise failure_of(answered)
        if _number(answered, "Upload-Length") != size:
            await self.terminate(url)
            return None
        return _number(answered, "Upload-Offset")

    async def _create(self, upload: Upload) -> str:
        headers = {"Upload-Length": str(upload.size), "Upload-Metadata": metadata_header(upload.metadata)}
        answered = await self._exchange("POST", self._collection, headers)
        if answered.status != 201:
            raise failure_of(answered)
        location = answered.headers.get("Location")
        if not location:
            raise Unreachable("the server made an upload and did not say where (no Location)")
        return str(self._own(location))

    async def _ask_extensions(self) -> None:
        """Which checksum goes with each chunk; asked once, none where the server offers none."""
        if self._asked:
            return
        answered = await self._exchange("OPTIONS", self._collection)
        if not 200 <= answered.status < 300:
            raise failure_of(answered)
        extensions = _words(answered, "Tus-Extension")
        if "creation" not in extensions:
            raise Refused("expected a tus server with the extension creation")
        offered = _words(answered, "Tus-Checksum-Algorithm") if "checksum" in extensions else []
        self._algorithm = next((name for name in _ALGORITHMS if name in offered), None)
        self._asked = True

    def _own(self, location: str) -> httpx.URL:
        """The place on the server that was set: behind a proxy a server may not know its own name, and our token
        goes nowhere else.
        """
        found = self._collection.join(location)
        return self._collection.copy_with(raw_path=found.raw_path)

    def _chunk_bytes(self) -> int:
        rate = self._bucket.bytes_per_s
        return CHUNK_BYTES if rate is None else max(CHUNK_BYTES_MIN, min(CHUNK_BYTES, int(rate * CHUNK_S)))

    async def _exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answered:
        return await self._link.exchange(
            method, url, headers={"Tus-Resumable": VERSION, **(headers or {})}, content=content
        )


def metadata_header(metadata: Mapping[str, str]) -> str:
    """``Upload-Metadata``: each key with its value in base64. Keys hold no space or comma."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


def _read(upload: Upload, offset: int, size: int) -> bytes:
    try:
        with upload.path.open("rb") as stream:
            stream.seek(offset)
            chunk = stream.read(size)
    except OSError as error:
        raise ClipGone(f"{upload.path.name}: cannot be read: {error.strerror}") from error
    if not chunk and offset < upload.size:
        raise ClipGone(f"{upload.path.name}: expected {upload.size} bytes, the file ends after {offset}")
    return chunk


def _number(answered: Answered, header: str) -> int:
    try:
        return int(answered.headers[header])
    except (KeyError, ValueError) as error:
        raise Unreachable(f"expected a number in {header}; is it a tus server?") from error


def _words(answered: Answered, header: str) -> list[str]:
    return [word.strip() for word in answered.headers.get(header, "").split(",") if word.strip()]
