"""What every store offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from server.errors import NotFound


class NoSuchObject(NotFound):
    """The store has nothing under this key."""


class ObjectStore(Protocol):
    """Bytes by key. Keys are plain words with slashes, such as ``clips/2026/11/0193….mp4``.

    A put is whole or not at all, and lasts when it returns. All raise :class:`StorageFull` when there is no room and
    :class:`server.errors.Unavailable` when the store does not answer.
    """

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key; what was there is replaced."""

    def put_file(self, key: str, path: Path) -> None:
        """Keep a file's bytes; the file may be gone afterwards."""

    def get(self, key: str) -> bytes:
        """All bytes of a key. Raises :class:`NoSuchObject`."""

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """A stream over (a part of) the bytes, to be closed. Raises :class:`NoSuchObject`."""

    def size(self, key: str) -> int:
        """Bytes under a key. Raises :class:`NoSuchObject`."""

    def delete(self, key: str) -> None:
        """Have nothing under a key; that there was nothing is no error."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin so, in no order."""

    def check(self) -> None:
        """Raises when the store cannot be written now."""
