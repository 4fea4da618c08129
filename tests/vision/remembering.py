"""The real pack, which remembers what it has worked out: tests look at the same pictures for many people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vision.detect import MIN_SCORE
from vision.pack import Detector, Embedder, VisionPack
from vision.types import BgrImage, Detections, FloatArray


class RememberingDetector:
    """A detector that looks at each picture once."""

    def __init__(self, real: Detector) -> None:
        self._real = real
        self._known: dict[tuple[int, float], Detections] = {}

    def detect(self, image_bgr: BgrImage, min_score: float = MIN_SCORE) -> Detections:
        key = hash(image_bgr.tobytes()), min_score
        if key not in self._known:
            self._known[key] = self._real.detect(image_bgr, min_score)
        return self._known[key]


class RememberingEmbedder:
    """An embedder that embeds each crop once."""

    def __init__(self, real: Embedder) -> None:
        self._real = real
        self._known: dict[int, FloatArray] = {}

    @property
    def size(self) -> int:
        return self._real.size

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        keys = [hash(crop.tobytes()) for crop in crops_bgr]
        new = {key: crop for key, crop in zip(keys, crops_bgr, strict=True) if key not in self._known}
        if new:
            rows = self._real.embed(np.stack(list(new.values())))
            self._known.update(zip(new, rows, strict=True))
        return np.stack([self._known[key] for key in keys]) if keys else np.empty((0, self.size), np.float32)


def remembering(pack: VisionPack) -> VisionPack:
    """The same pack with both memories."""
    return replace(pack, detector=RememberingDetector(pack.detector), embedder=RememberingEmbedder(pack.embedder))
