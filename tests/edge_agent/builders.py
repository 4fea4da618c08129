"""Builders for checks and small drawn faces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from renzheng.contracts import (
    ClipReference,
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    Reason,
    SampleQuality,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
    Verdict,
)

NOON = datetime(2026, 5, 1, 4, 0, 0, tzinfo=UTC)
"""12:00:00 in Asia/Shanghai."""

THRESHOLDS = ThresholdValues(
    name="opencv-zoo",
    digest="ab" * 32,
    accept=0.363,
    reject=0.25,
    few_samples_margin=0.1,
    target_fmr=1e-4,
    target_fnmr=0.01,
)
PACK = PackReference(name="opencv-zoo", detector_sha256="d" * 64, embedder_sha256="e" * 64)


def a_sample(track: int = 0, offset_s: float = -1.2, *, at: datetime = NOON, **given: Any) -> FaceSample:
    """One sample, ``offset_s`` from a swipe at ``at`` on the camera's clock."""
    failed: tuple[Reason, ...] = given.pop("failed", ())
    score: float = given.pop("quality", 0.1 if failed else 0.82)
    quality = SampleQuality(components={"Sharpness": 0.9}, measures={"inter_eye_px": 61.0}, failed=failed, score=score)
    values: dict[str, Any] = {
        "track": track,
        "captured_at": at + timedelta(seconds=offset_s),
        "offset_s": offset_s,
        "box_xyxy": (900.0, 300.0, 1010.0, 440.0),
        "frame_wh": (1920, 1080),
        "quality": quality,
        "assessable": not failed,
        "similarity": 0.6,
    }
    return FaceSample(**(values | given))


def a_track(track: int = 0, role: TrackRole = TrackRole.HOLDER, *, at: datetime = NOON, **given: Any) -> TrackEvidence:
    """One track seen from 3 s before to 2 s after a swipe at ``at``."""
    values: dict[str, Any] = {
        "track": track,
        "role": role,
        "first_seen": at + timedelta(seconds=given.pop("first_s", -3.0)),
        "last_seen": at + timedelta(seconds=given.pop("last_s", 2.0)),
        "frames_seen": 24,
        "in_counter_zone": role is not TrackRole.OUTSIDE,
        "samples": 3,
        "assessable_samples": 3,
        "independent_samples": 3,
        "concentration": 0.93,
        "lowest_agreement": 0.71,
        "holder_score": 0.612 if role is TrackRole.HOLDER else None,
    }
    return TrackEvidence(**(values | given))


def a_check(
    verdict: Verdict = Verdict.MATCH,
    tracks: Sequence[TrackEvidence] | None = None,
    *,
    at: datetime = NOON,
    offset_s: float = 0.0,
    **given: Any,
) -> IdentityCheck:
    """One check of a swipe at ``at``; without more it is a match of one track with three samples."""
    camera = at + timedelta(seconds=offset_s)
    usual = verdict is Verdict.MATCH and tracks is None
    values: dict[str, Any] = {
        "swipe_id": "S0001",
        "psn_no": "33028100000000000001",
        "fixmedins_code": "P33028100001",
        "terminal_id": "T01",
        "swiped_at": at,
        "clock_offset_s": offset_s,
        "window_start": camera - timedelta(seconds=6),
        "window_end": camera + timedelta(seconds=4),
        "verdict": verdict,
        "reasons": (Reason.INDEPENDENT_SAMPLES,) if verdict is Verdict.MATCH else (),
        "score": 0.612 if usual else None,
        "tracks": (a_track(at=camera),) if usual else tuple(tracks or ()),
        "samples": tuple(a_sample(0, s, at=camera) for s in (-2.4, -1.2, 0.4)) if usual else (),
        "coverage": Coverage(recorded_share=1.0, frames_looked=24, searched_share=0.46),
        "clip": None,
        "pack": PACK,
        "thresholds": THRESHOLDS,
        "reference_photos": 2,
        "agent_version": "0.1.0",
    }
    return IdentityCheck(**(values | given))


def a_clip(path: str = "clips/S0001.mp4", *, at: datetime = NOON) -> ClipReference:
    """A clip from 8 s before to 4 s after a swipe at ``at``."""
    start, end = at - timedelta(seconds=8), at + timedelta(seconds=4)
    return ClipReference(path=path, sha256="c1" * 32, start=start, end=end, source=("20260501T115500+0800.mp4",))


def draw_face(path: Path, person: int, turn: float = 0.0, light: float = 1.0, px: int = 160) -> Path:
    """A drawn face: the same person has the same colours and features, ``turn`` shifts them, ``light`` dims them."""

    def tone(r: int, g: int, b: int) -> tuple[int, int, int]:
        return (int(r * light), int(g * light), int(b * light))

    picture = Image.new("RGB", (px, px), tone(120 + person * 29 % 90, 140 + person * 17 % 70, 150 + person * 41 % 60))
    pen, s = ImageDraw.Draw(picture), px / 160
    shift = turn * 18
    skin, hair = (
        tone(226 - person * 13 % 60, 184 - person * 11 % 50, 150 - person * 7 % 40),
        tone(45 + person * 31 % 70, 34, 30),
    )

    def oval(cx: float, cy: float, rx: float, ry: float, fill: tuple[int, int, int]) -> None:
        pen.ellipse([(cx - rx) * s, (cy - ry) * s, (cx + rx) * s, (cy + ry) * s], fill=fill)

    oval(80, 176, 62, 40, tone(60 + person * 37 % 120, 70 + person * 23 % 90, 90 + person * 19 % 90))
    oval(80, 70, 50, 54, hair)
    oval(80 + shift / 3, 84, 40 + person * 3 % 6, 50, skin)
    for side in (-1, 1):
        oval(80 + shift + side * (16 + person % 3), 76, 6, 4, tone(250, 250, 250))
        oval(80 + shift + side * (16 + person % 3), 76, 3, 3.5, tone(30, 25, 20))
        pen.line(
            [((80 + shift + side * 9) * s, 65 * s), ((80 + shift + side * 24) * s, 63 * s)], fill=hair, width=int(3 * s)
        )
    pen.line([((80 + shift) * s, 80 * s), ((80 + shift * 1.5) * s, 97 * s)], fill=tone(180, 130, 105), width=int(3 * s))
    mouth = [(64 + shift) * s, 104 * s, (96 + shift) * s, (114 + person % 4 * 2) * s]
    pen.arc(mouth, 20, 160, fill=tone(150, 60, 60), width=int(4 * s))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "JPEG", quality=90)
    return path
