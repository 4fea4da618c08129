"""The opened model pack, one a process. Sessions of models are used by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vision.pack import VisionPack, open_pack

_LOCK = threading.Lock()
_OPENED: dict[str, VisionPack] = {}


@contextmanager
def pack_in_use(name: str) -> Iterator[VisionPack]:
    """The pack of that name, for this thread alone until the block ends; opened at the first use, kept for the next.

    Raises as :func:`vision.pack.open_pack` does.
    """
    with _LOCK:
        if name not in _OPENED:
            _OPENED[name] = open_pack(name)
        yield _OPENED[name]


def embedder_of(name: str) -> str:
    """Digest of the embedder of a pack."""
    with pack_in_use(name) as pack:
        return pack.embedder_sha256
