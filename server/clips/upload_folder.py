"""Uploads that run, as files of a folder: the bytes so far, and beside them how far they count.

After a crash only the bytes below the offset that was told count; what lies beyond is cut off before more is written.
Of an upload that is finished, the bytes are in the object store and the offset stays, so that the last request can be
answered again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from tuspyserver.storage import TusStorage

from renzheng.errors import StorageFull
from renzheng.files import make_private, storage_errors, write_atomic

LOCK_WAIT_S = 20.0
_LOCK_POLL_S = 0.05
_BLOCK_BYTES = 1 << 20
_ID = re.compile(r"[0-9a-f]{32}")


class UploadFolder(TusStorage):  # type: ignore[misc]
    """What tuspyserver keeps uploads in. Several processes may share the folder on one file system.

    Errors while bytes come in are HTTP errors: tuspyserver takes others for a client that went away.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: dict[str, bytearray] = {}

    def path(self, uid: str) -> Path:
        """Where the bytes of an upload are."""
        if not _ID.fullmatch(uid):
            raise HTTPException(404, "there is no such upload")
        return self.folder / uid

    def _info_path(self, uid: str) -> Path:
        return self.path(uid).with_suffix(".info")

    def _lock_path(self, uid: str) -> Path:
        return self.path(uid).with_suffix(".lock")

    def location(self, uid: str) -> str:
        """For the hook at the end."""
        return str(self.path(uid))

    async def create(self, uid: str) -> None:
        """Begin an empty upload."""

        def make() -> None:
            make_private(self.folder)
            with storage_errors(self.path(uid)):
                self.path(uid).touch(0o600)

        await asyncio.to_thread(make)

    async def exists(self, uid: str) -> bool:
        """Whether it is known, also when its bytes have gone to the store."""
        return await asyncio.to_thread(self._info_path(uid).exists)

    async def size(self, uid: str) -> int:
        """Bytes that count."""
        info = await self.read_info(uid)
        return 0 if info is None else int(info["offset"])

    async def append(self, uid: str, chunk: bytes) -> None:
        """Take a part of a request's body; written in larger blocks."""
        waiting = self._waiting.setdefault(uid, bytearray())
        waiting += chunk
        if len(waiting) >= _BLOCK_BYTES:
            await self._write(uid, sync=False)

    async def flush(self, uid: str) -> None:
        """Have on the disk what came, before its offset is told."""
        await self._write(uid, sync=True)

    async def _write(self, uid: str, *, sync: bool) -> None:
        data = self._waiting.pop(uid, bytearray())

        def write() -> None:
            if not data and not self.path(uid).exists():
                return
            with storage_errors(self.path(uid)), self.path(uid).open("ab") as stream:
                stream.write(data)
                stream.flush()
                if sync:
                    os.fsync(stream.fileno())

        try:
            await asyncio.to_thread(write)
        except StorageFull as error:
            raise HTTPException(503, "there is no room for this upload now", {"Retry-After": "60"}) from error
        except OSError as error:
            raise HTTPException(503, "the folder of uploads cannot be written now", {"Retry-After": "60"}) from error

    async def finalize(self, uid: str) -> None:
        """Nothing to seal."""

    async def read(self, uid: str) -> bytes | None:
        """All bytes; nobody asks for them."""
        return await asyncio.to_thread(self.path(uid).read_bytes)

    async def delete(self, uid: str) -> None:
        """End an upload."""
        await asyncio.to_thread(self.remove, uid)

    def remove(self, uid: str) -> None:
        """Delete what there is of an upload. Its offset goes first: an upload without bytes must not be known."""
        self._waiting.pop(uid, None)
        for path in (self._info_path(uid), self.path(uid), self.path(uid).with_suffix(".done"), self._lock_path(uid)):
            path.unlink(missing_ok=True)

    async def read_info(self, uid: str) -> dict[str, Any] | None:
        """What tuspyserver keeps of an upload."""
        return await asyncio.to_thread(self.info, uid)

    def info(self, uid: str) -> dict[str, Any] | None:
        """As :meth:`read_info`."""
        try:
            told = json.loads(self._info_path(uid).read_bytes())
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) else None

    async def write_info(self, uid: str, data: dict[str, Any]) -> None:
        """Keep it. An offset never goes back: a request whose line broke may still write what it knew."""

        def write() -> None:
            former = self.info(uid)
            offset = max(int(data["offset"]), int(former["offset"]) if former else 0)
            make_private(self.folder)
            write_atomic(self._info_path(uid), json.dumps({**data, "offset": offset}, default=str))

        await asyncio.to_thread(write)

    async def list_uids(self) -> list[str]:
        """Every upload that is known."""
        return await asyncio.to_thread(self.known)

    def known(self) -> list[str]:
        """As :meth:`list_uids`, with those that lost a part."""
        if not self.folder.is_dir():
            return []
        return sorted({path.stem for path in self.folder.iterdir() if _ID.fullmatch(path.stem)})

    @asynccontextmanager
    async def lock(self, uid: str) -> AsyncIterator[None]:
        """One writer at a time. Whoever begins finds the bytes that count and no others."""
        held = self.held(uid)
        await asyncio.to_thread(held.__enter__)
        try:
            self._waiting.pop(uid, None)
            await asyncio.to_thread(self._cut, uid)
            yield
        finally:
            await asyncio.to_thread(held.__exit__, None, None, None)

    def _cut(self, uid: str) -> None:
        info, path = self.info(uid), self.path(uid)
        if info is not None and path.exists() and path.stat().st_size > int(info["offset"]):
            os.truncate(path, int(info["offset"]))

    @contextmanager
    def held(self, uid: str) -> Iterator[None]:
        """The lock, for threads. Raises :class:`TimeoutError` when somebody else holds it too long."""
        make_private(self.folder)
        until_s = time.monotonic() + LOCK_WAIT_S
        with self._lock_path(uid).open("ab") as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until_s:
                        raise TimeoutError("another request writes this upload") from None
                    time.sleep(_LOCK_POLL_S)
            yield
