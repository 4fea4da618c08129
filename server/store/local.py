"""Objects as files of a folder that only the server enters."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from renzheng.files import atomic_path, is_part, make_private, write_atomic
from server.errors import Unavailable
from server.store.base import NoSuchObject

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@contextmanager
def _disk_errors(key: str) -> Iterator[None]:
    """A disk that is gone, read-only or broken is a store that does not answer."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoSuchObject(f"the store has nothing under {key}") from error
    except OSError as error:
        raise Unavailable(f"the store does not answer now: {error.strerror}") from error


class LocalStore:
    """A folder; see :class:`ObjectStore`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_private(folder)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of a store")
        return self._folder / key

    def put(self, key: str, data: bytes) -> None:
        """See :class:`ObjectStore`."""
        target = self._path(key)
        with _disk_errors(key):
            make_private(target.parent)
            write_atomic(target, data)

    def put_file(self, key: str, path: Path) -> None:
        """See :class:`ObjectStore`. Within one file system the file is moved."""
        target = self._path(key)
        with _disk_errors(key):
            make_private(target.parent)
            with atomic_path(target) as part:
                try:
                    path.replace(part)
                except OSError:  # another file system
                    with path.open("rb") as source, part.open("wb") as copy:
                        while block := source.read(1 << 20):
                            copy.write(block)

    def get(self, key: str) -> bytes:
        """See :class:`ObjectStore`."""
        with _disk_errors(key):
            return self._path(key).read_bytes()

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """See :class:`ObjectStore`."""
        with _disk_errors(key):
            stream = self._path(key).open("rb")
            stream.seek(start)
            if length is None:
                return stream
            with stream:
                return io.BytesIO(stream.read(length))

    def size(self, key: str) -> int:
        """See :class:`ObjectStore`."""
        with _disk_errors(key):
            return self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        """See :class:`ObjectStore`."""
        with _disk_errors(key):
            self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See :class:`ObjectStore`."""
        for path in (self._folder / prefix.rpartition("/")[0]).rglob("*"):
            key = path.relative_to(self._folder).as_posix()
            if path.is_file() and key.startswith(prefix) and not is_part(path.name):
                yield key

    def check(self) -> None:
        """See :class:`ObjectStore`."""
        probe = "probe"
        self.put(probe, b"probe")
        self.delete(probe)
