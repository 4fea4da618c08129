"""One audit at a time writes to a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from renzheng.errors import BadInput

LOCK_NAME = ".lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder that exists. The system lets go of it when the process ends, however it does.

    Raises :class:`BadInput` when another audit holds it.
    """
    path = folder / LOCK_NAME
    handle = _locked(path, folder)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _locked(path: Path, folder: Path) -> int:
    """A locked handle of the file that lies there now: one that was removed meanwhile would keep nobody out."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BlockingIOError as error:
            os.close(handle)
            raise BadInput(f"another audit is writing to {folder}; wait for it, or choose another --out") from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
