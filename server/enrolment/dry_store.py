"""A store for dry runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from server.store import ObjectStore


class DryStore:
    """See :class:`ObjectStore`: what is there is read, and nothing is written or deleted."""

    def __init__(self, behind: ObjectStore) -> None:
        self._behind = behind

    def put(self, key: str, data: bytes) -> None:
        """Does nothing."""

    def put_file(self, key: str, path: Path) -> None:
        """Does nothing."""

    def delete(self, key: str) -> None:
        """Does nothing."""

    def get(self, key: str) -> bytes:
        """See :class:`ObjectStore`."""
        return self._behind.get(key)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """See :class:`ObjectStore`."""
        return self._behind.open(key, start, length)

    def size(self, key: str) -> int:
        """See :class:`ObjectStore`."""
        return self._behind.size(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See :class:`ObjectStore`."""
        return self._behind.keys(prefix)

    def check(self) -> None:
        """See :class:`ObjectStore`."""
        self._behind.check()
