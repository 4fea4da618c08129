"""From a pack's name to paths of networks that are ready to be opened, with their digests and licence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from models.fetch import fetch_file
from models.licences import INSIGHTFACE_PREFIX, refuse_unlicensed
from models.manifest import manifest
from models.prepare import prepared

PackFamily = Literal["opencv-zoo", "insightface"]
DEFAULT_PACK = "opencv-zoo"


@dataclass(frozen=True)
class Pack:
    """Networks on this machine. Digests are those of the files as published, before any preparation.

    ``embedding_size`` is ``None`` where only the opened network tells it.
    """

    name: str
    family: PackFamily
    detector_path: Path
    embedder_path: Path
    detector_sha256: str
    embedder_sha256: str
    embedding_size: int | None


def load_pack(name: str = DEFAULT_PACK, cache_dir: Path | None = None) -> Pack:
    """The named pack, fetched and prepared first where that has not happened yet.

    Raises :class:`BadInput` for an unknown pack, a wrong digest or a licence that was not acknowledged, and
    :class:`MissingPart` when the files, or a library for them, cannot be had.
    """
    refuse_unlicensed(name)
    if name.startswith(INSIGHTFACE_PREFIX):
        from models.insightface_packs import load_insightface_pack

        return load_insightface_pack(name)
    entry = manifest().pack(name)
    paths = [prepared(file, partial(fetch_file, file, cache_dir), cache_dir) for file in entry.files]
    return Pack(
        name=name,
        family="opencv-zoo",
        detector_path=paths[0],
        embedder_path=paths[1],
        detector_sha256=entry.detector.sha256,
        embedder_sha256=entry.embedder.sha256,
        embedding_size=entry.embedding_size,
    )
