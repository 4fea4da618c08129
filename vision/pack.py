"""From a pack's name to a detector and an embedder that are ready to look at pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from models.pack import DEFAULT_PACK, Pack, load_pack
from models.runtime import open_session
from vision.types import BgrImage, Detections, FloatArray


class Detector(Protocol):
    """Finds faces in one picture."""

    def detect(self, image_bgr: BgrImage, min_score: float = ...) -> Detections:
        """Faces scoring at least ``min_score`` (0–1), best first, in pixels of the given picture."""
        ...


class Embedder(Protocol):
    """Turns aligned faces into embeddings."""

    @property
    def size(self) -> int:
        """Length of one embedding."""
        ...

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        """Unit-length embeddings, N × size, of crops N × 112 × 112 × 3, uint8; N may be 0."""
        ...


@dataclass(frozen=True)
class VisionPack:
    """An opened pack. Digests are those of the published files and travel with every template and check."""

    name: str
    detector_sha256: str
    embedder_sha256: str
    detector: Detector
    embedder: Embedder
    embedding_size: int


def open_pack(name: str = DEFAULT_PACK) -> VisionPack:
    """Fetch, prepare and open a pack as far as that has not happened yet.

    Raises as :func:`models.pack.load_pack` and :func:`models.runtime.open_session` do.
    """
    pack = load_pack(name)
    detector, embedder = _insightface_parts(pack) if pack.family == "insightface" else _zoo_parts(pack)
    return VisionPack(pack.name, pack.detector_sha256, pack.embedder_sha256, detector, embedder, embedder.size)


def _zoo_parts(pack: Pack) -> tuple[Detector, Embedder]:
    from vision.detect import YuNetDetector
    from vision.embed import SFaceEmbedder

    return YuNetDetector(open_session(pack.detector_path)), SFaceEmbedder(open_session(pack.embedder_path))


def _insightface_parts(pack: Pack) -> tuple[Detector, Embedder]:
    from models.insightface_packs import open_insightface_model
    from vision.detect import ScrfdDetector
    from vision.embed import ArcFaceEmbedder

    detector, embedder = (open_insightface_model(path) for path in (pack.detector_path, pack.embedder_path))
    return ScrfdDetector(detector), ArcFaceEmbedder(embedder)
