"""The only place that strings the steps together: frames in, faces and tracks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vision.align import align_crop, portrait
from vision.closer import look_closer
from vision.detect import MIN_SCORE
from vision.pack import VisionPack
from vision.quality import assess
from vision.track import build_tracks, link
from vision.types import Face, FaceTrack, FloatArray, Frame

Embedded = dict[tuple[float, bytes], FloatArray]
"""Embeddings of the faces of one window, by time and box."""


def faces_in(frame: Frame, pack: VisionPack, min_score: float = MIN_SCORE) -> list[Face]:
    """Faces of one frame: found on the reduced picture, cut and judged on the full one; best detector score first.

    Small faces are placed by a closer look at the full picture. It finds no others and drops none.
    """
    found = pack.detector.detect(frame.reduced_bgr, min_score)
    if not len(found):
        return []
    image_bgr = frame.full_bgr
    found, gate_scores = look_closer(image_bgr, found.scaled(frame.scale_xy), frame.scale_xy, pack.detector)
    faces = []
    for box_xyxy, score, landmarks, gate_score in zip(
        found.boxes_xyxy, found.scores, found.landmarks, gate_scores, strict=True
    ):
        crop_bgr = align_crop(image_bgr, landmarks)
        quality = assess(crop_bgr, landmarks, box_xyxy, frame.full_wh, float(gate_score))
        faces.append(
            Face(
                frame.time_s,
                frame.full_wh,
                box_xyxy,
                landmarks,
                float(score),
                quality,
                crop_bgr,
                portrait(image_bgr, box_xyxy),
            )
        )
    return faces


@dataclass
class WindowView:
    """What was seen of one window so far. Each face is embedded at most once, however often tracks are rebuilt.

    Views of the same window may share ``embedded``.
    """

    pack: VisionPack
    faces: list[Face] = field(default_factory=list)
    embedded: Embedded = field(default_factory=dict)

    def look_at(self, frame: Frame) -> None:
        """Add one frame."""
        self.faces.extend(faces_in(frame, self.pack))

    def tracks(self) -> list[FaceTrack]:
        """Tracks of everything seen so far, in order of first sighting."""
        return build_tracks(self.faces, self._embed)

    def may_show(self, templates: FloatArray, at_least: float) -> bool:
        """Whether the best sighting of any face comes near one of M × D templates: a cheap look before ``tracks``."""
        sightings = [max(run, key=_by_quality) for run in link(self.faces)]
        good = [face for face in sightings if face.assessable]
        return bool(good) and float((self._embed(good) @ templates.T).max(initial=-1.0)) >= at_least

    def _embed(self, faces: Sequence[Face]) -> FloatArray:
        keys = [(face.time_s, face.box_xyxy.tobytes()) for face in faces]
        new = {key: face for key, face in zip(keys, faces, strict=True) if key not in self.embedded}
        if new:
            rows = self.pack.embedder.embed(np.stack([face.crop_bgr for face in new.values()]))
            self.embedded.update(zip(new, rows, strict=True))
        return np.stack([self.embedded[key] for key in keys])


def _by_quality(face: Face) -> tuple[float, float]:
    return face.quality.score, -face.time_s
