"""Aligned faces to embeddings of unit length; their dot product is the cosine."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.runtime import Session
from vision.types import CROP_SIDE_PX, BgrImage, FloatArray, expect_shape

SFACE_EMBEDDING_SIZE = 128
# crops in one run of the network; on a processor more gain nothing, and the runtime keeps the memory they took for good
MAX_BATCH = 1


def unit_length(vectors: FloatArray) -> FloatArray:
    """Each row of N × D divided by its Euclidean length; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def expect_crops(crops_bgr: BgrImage) -> None:
    """Raise ``ValueError`` unless the array is N × 112 × 112 × 3 of uint8."""
    expect_shape("crops_bgr", crops_bgr, (None, CROP_SIDE_PX, CROP_SIDE_PX, 3))
    if crops_bgr.dtype != np.uint8:
        raise ValueError(f"crops_bgr: expected uint8, got {crops_bgr.dtype}")


def rgb_planes(crops_bgr: BgrImage) -> FloatArray:
    """N × 112 × 112 × 3 BGR as N × 3 × 112 × 112 RGB, 0–255."""
    return np.ascontiguousarray(crops_bgr[:, :, :, ::-1].transpose(0, 3, 1, 2), dtype=np.float32)


class SFaceEmbedder:
    """SFace as ``models.prepare`` prepares it; it takes RGB 0–255 and scales inside the network."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def size(self) -> int:
        """Length of one embedding."""
        return SFACE_EMBEDDING_SIZE

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        """Unit-length embeddings, N × 128, of crops N × 112 × 112 × 3 aligned to ArcFace's template; N may be 0."""
        expect_crops(crops_bgr)
        planes = rgb_planes(crops_bgr)
        parts = [
            self._session.run({"data": planes[start : start + MAX_BATCH]})[0]
            for start in range(0, len(planes), MAX_BATCH)
        ]
        return unit_length(np.concatenate([np.empty((0, self.size), np.float32), *parts]))


class ArcFaceEmbedder:
    """An ArcFace model of insightface's zoo."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._size = int(model.output_shape[-1])

    @property
    def size(self) -> int:
        """Length of one embedding."""
        return self._size

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        """Unit-length embeddings, N × size, of crops N × 112 × 112 × 3 aligned to ArcFace's template; N may be 0."""
        expect_crops(crops_bgr)
        if len(crops_bgr) == 0:
            return np.empty((0, self._size), np.float32)
        return unit_length(np.asarray(self._model.get_feat(list(crops_bgr)), np.float32))
