"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from renzheng.errors import StorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF}
"""What file systems answer that cannot sync a folder, and what a folder answers that may be written but not read."""

_PART_NAME = re.compile(r"\..*\.\d+\.part(\.[^.]*)?", re.DOTALL)

PRIVATE_MODE = 0o700
"""For folders with faces in them: nobody but their owner enters."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn "no space left" into :class:`StorageFull` that names the file; other errors pass unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"{path}: no space left on the disk") from error
        raise


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, on failure it is removed.

    The temporary name keeps the suffix of ``path``, because encoders choose the format by it. ``durable`` has file
    and folder on the disk before it returns; without it, a power cut may leave an empty file or none.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with storage_errors(path):
            yield part
            if durable:
                _sync(part)
            part.replace(path)
            if durable:
                sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sync_written(paths: Iterable[Path]) -> None:
    """Have files and the names in their folders on the disk: what was written with ``durable=False`` and must last.

    The folders above those of the files are synced by whoever makes them. Raises :class:`StorageFull`.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        with storage_errors(path):
            _sync(path)
        folders[path.parent] = None
    for folder in folders:
        sync_folder(folder)


def is_part(name: str) -> bool:
    """Whether a file's name is one of the temporary names of :func:`atomic_path`."""
    return _PART_NAME.fullmatch(name) is not None


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have the folder's names on the disk, where its file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def write_atomic(path: Path, data: bytes | str, *, durable: bool = True) -> None:
    """Write the whole file or nothing. Raises :class:`StorageFull` when the disk has no room."""
    with atomic_path(path, durable=durable) as part:
        part.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; what is there stays as it is."""
    if not folder.is_dir():
        make_private(folder.parent)
        with storage_errors(folder):
            folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)


def sha256_file(path: Path) -> str:
    """Hex digest of the file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
