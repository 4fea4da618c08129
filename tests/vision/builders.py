"""Faces, tracks and coverage as tests need them: sensible unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from renzheng.contracts import Coverage, FaceSample, Reason, SampleQuality, TrackEvidence, TrackRole
from vision.align import ARCFACE_POINTS
from vision.types import CROP_SIDE_PX, Face, FloatArray

NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
FRAME_WH = (1920, 1080)


def a_quality(score: float = 0.8, failed: Sequence[Reason] = (), yaw_deg: float = 0.0) -> SampleQuality:
    """Quality of a face that passes the gate, unless something is named that failed."""
    return SampleQuality(
        components={"Sharpness": score},
        measures={"yaw_deg": yaw_deg},
        failed=tuple(failed),
        score=0.0 if failed else score,
    )


def a_face(
    time_s: float = 0.0,
    middle_xy: tuple[float, float] = (960.0, 540.0),
    *,
    width_px: float = 100.0,
    shade: int = 100,
    **given: Any,
) -> Face:
    """One sighting. ``shade`` is the level of its crop: fakes tell people by it."""
    x, y = middle_xy
    half_wh = np.array([width_px / 2, width_px * 0.6])
    quality = given.pop("quality", None) or a_quality(
        given.pop("quality_score", 0.8), given.pop("failed", ()), given.pop("yaw_deg", 0.0)
    )
    values: dict[str, Any] = {
        "time_s": time_s,
        "frame_wh": FRAME_WH,
        "box_xyxy": np.array([*(np.array([x, y]) - half_wh), *(np.array([x, y]) + half_wh)], np.float32),
        "landmarks": (ARCFACE_POINTS - 56) * np.float32(width_px / 100) + np.array([x, y], np.float32),
        "score": 0.9,
        "quality": quality,
        "crop_bgr": np.full((CROP_SIDE_PX, CROP_SIDE_PX, 3), shade, np.uint8),
        "portrait_bgr": np.full((8, 8, 3), shade, np.uint8),
    }
    return Face(**(values | given))


def embed_by_shade(faces: Sequence[Face]) -> FloatArray:
    """Each shade is a person of its own: unit rows that are equal for one shade and orthogonal for others."""
    rows = np.zeros((len(faces), 256), np.float32)
    for row, face in zip(rows, faces, strict=True):
        row[int(face.crop_bgr[0, 0, 0])] = 1.0
    return rows


def a_track(track: int = 0, **given: Any) -> TrackEvidence:
    """A stranger at the counter with three good samples; ``role`` is not looked at by the rule."""
    values: dict[str, Any] = {
        "track": track,
        "role": TrackRole.UNCERTAIN,
        "first_seen": NOON,
        "last_seen": NOON + timedelta(seconds=4),
        "frames_seen": 20,
        "in_counter_zone": True,
        "samples": 3,
        "assessable_samples": 3,
        "independent_samples": 3,
        "concentration": 0.97,
        "lowest_agreement": 0.85,
        "holder_score": 0.05,
    }
    return TrackEvidence(**(values | given))


def a_poor_track(track: int = 1, **given: Any) -> TrackEvidence:
    """A face at the counter that the gate refused."""
    poor = {"samples": 1, "assessable_samples": 0, "independent_samples": 0}
    return a_track(track, **(poor | given))


def a_sample(track: int = 0, second: float = 0.0, *, height_px: float = 120.0, **given: Any) -> FaceSample:
    """One sample of a track."""
    quality = given.pop("quality", None) or a_quality(given.pop("quality_score", 0.8), given.pop("failed", ()))
    values: dict[str, Any] = {
        "track": track,
        "captured_at": NOON + timedelta(seconds=second),
        "offset_s": second,
        "box_xyxy": (900.0, 300.0, 900.0 + height_px * 0.8, 300.0 + height_px),
        "frame_wh": FRAME_WH,
        "quality": quality,
        "assessable": not quality.failed,
        "similarity": 0.05,
    }
    return FaceSample(**(values | given))


def samples_for(tracks: Sequence[TrackEvidence], *, poor_height_px: float = 40.0) -> tuple[FaceSample, ...]:
    """Samples that fit the tracks: good ones as many as assessable, else one poor one, small unless told."""
    samples: list[FaceSample] = []
    for track in tracks:
        good = range(track.assessable_samples)
        samples += [
            a_sample(track.track, float(second), similarity=track.holder_score and track.holder_score * 0.9)
            for second in good
        ]
        if not good and track.samples:
            failed = (Reason.FACE_TOO_SMALL,)
            samples.append(
                a_sample(track.track, failed=failed, height_px=poor_height_px, similarity=track.holder_score)
            )
    return tuple(samples)


def a_coverage(**given: Any) -> Coverage:
    """A window that was recorded and searched whole, in which nothing but faces was there."""
    values: dict[str, Any] = {
        "recorded_share": 1.0,
        "frames_looked": 50,
        "searched_share": 1.0,
        "unexplained_presence": 0.0,
    }
    return Coverage(**(values | given))
