"""Composing the pictures and encoding them as the H.264 a shop's recorder would have written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from renzheng.clock import SHANGHAI, local_text
from renzheng.demo import painting, people
from renzheng.demo.motion import Pose, moves_fast, pose_at
from renzheng.demo.people import Floats, Image
from renzheng.demo.town import PEOPLE, Act, Session

FRAMES_PER_S = 25
KEYFRAME_EVERY_S = 2
NOISE_HELD_FRAMES = 6
"""The recorder's noise reduction lets through fresh grain four times a second; even, as pairs of frames share it."""

ENCODER = {
    "preset": "veryfast", "rc-lookahead": "12", "x264-params": "subme=1", "crf": "23",
    "threads": "1", "bf": "0", "sc_threshold": "0",
    "g": str(FRAMES_PER_S * KEYFRAME_EVERY_S), "keyint_min": str(FRAMES_PER_S * KEYFRAME_EVERY_S),
}  # fmt: skip
YAW_STEP_DEG = 0.5
_FLOOR = painting.COUNTER_TOP_Y


@lru_cache(maxsize=96)
def _head(name: str, yaw_steps: int) -> Image:
    """A head turned by whole steps of :data:`YAW_STEP_DEG`."""
    return people.turned(people.head(name), yaw_steps * YAW_STEP_DEG)


@lru_cache(maxsize=1)
def _grain() -> list[Image]:
    """Sensor grain to add to the luma plane, five pictures (1080, 1920), 0–2."""
    rng = np.random.default_rng(7)
    wide, tall = painting.PICTURE_WH
    return [np.clip(rng.normal(1, 0.6, (tall, wide)), 0, 2).round().astype(np.uint8) for _ in range(5)]


def affine(anchor_xy: tuple[float, float], to_xy: tuple[float, float], size: float, roll_deg: float) -> Floats:
    """The 2×3 matrix that scales and turns about ``anchor_xy`` and puts it on ``to_xy``."""
    matrix = np.asarray(cv2.getRotationMatrix2D(anchor_xy, -roll_deg, size), np.float64)
    matrix[:, 2] += np.array(to_xy) - anchor_xy
    return matrix.astype(np.float32)


def paste(picture: Image, sprite: Image, matrix: Floats, floor_y: int) -> None:
    """Blend a BGRA sprite, moved by ``matrix``, into a BGR picture in place, above row ``floor_y``."""
    high, wide = sprite.shape[:2]
    corners = np.array([[0, 0, 1], [wide, 0, 1], [0, high, 1], [wide, high, 1]], np.float32) @ matrix.T
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (picture.shape[1], floor_y))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    moved = cv2.warpAffine(sprite, local, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    alpha = cv2.extractChannel(moved, 3).astype(np.float32) * np.float32(1 / 255)
    part = picture[y0:y1, x0:x1]
    part[:] = cv2.blendLinear(cv2.cvtColor(moved, cv2.COLOR_BGRA2BGR), part.copy(), alpha, 1 - alpha)


def draw_person(picture: Image, act: Act, pose: Pose) -> None:
    """Head first, then the body in front of its neck; in place."""
    person = PEOPLE[act.who]
    if act.facing == "away":
        head = people.back_of_head(person.cutout)
    else:
        head = _head(person.cutout, round(pose.yaw_deg / YAW_STEP_DEG))
    chin = (people.neck_x(person.cutout), people.EYE_XY[1] + people.EYE_TO_CHIN)
    paste(picture, head, affine(chin, (pose.x, pose.chin_y + pose.nod_px), pose.size, pose.roll_deg), _FLOOR)
    body = painting.body("back" if act.facing == "away" else person.garment)
    paste(picture, body, affine(painting.COLLAR_XY, (pose.x, pose.chin_y), pose.size * 0.98, 0), _FLOOR)


def compose(session: Session, t_s: float) -> Image:
    """The picture ``t_s`` seconds into a session, without grain, (1080, 1920, 3) BGR."""
    picture = painting.shop().copy()
    for act in session.acts:
        pose = pose_at(act, t_s)
        if pose is not None:
            draw_person(picture, act, pose)
    things, mask = painting.counter_things()
    cv2.copyTo(things, mask, picture[_FLOOR - things.shape[0] : _FLOOR])
    if any(start <= t_s < end for start, end, _ in session.faults):
        picture = _dark_and_blurred(picture)
    _stamp(picture, session, t_s)
    return picture


def _dark_and_blurred(picture: Image) -> Image:
    """The picture of a camera that is out of focus in a room without light."""
    small = cv2.resize(picture, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 2.2)
    return np.asarray(cv2.resize(small, painting.PICTURE_WH, interpolation=cv2.INTER_LINEAR) * 0.09 + 3, np.uint8)


def _stamp(picture: Image, session: Session, t_s: float) -> None:
    text = local_text(session.start + timedelta(seconds=int(t_s)))
    cv2.putText(picture, text, (28, 1056), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 5, cv2.LINE_AA)
    cv2.putText(picture, text, (28, 1056), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (235, 235, 235), 2, cv2.LINE_AA)


def drawn_number(session: Session, number: int) -> int:
    """The frame whose picture frame ``number`` shows: an odd one repeats the one before while nobody moves fast."""
    if number % 2 and not any(moves_fast(act, number / FRAMES_PER_S) for act in session.acts):
        return number - 1
    return number


def planes(session: Session, number: int) -> Image:
    """Frame ``number`` of a session with grain, (1620, 1920) planar YUV 4:2:0."""
    number = drawn_number(session, number)
    yuv = np.asarray(cv2.cvtColor(compose(session, number / FRAMES_PER_S), cv2.COLOR_BGR2YUV_I420), np.uint8)
    luma = yuv[: painting.PICTURE_WH[1]]
    cv2.add(luma, _grain()[number // NOISE_HELD_FRAMES % 5], dst=luma)
    return yuv


def piece_name(session: Session, from_s: float) -> str:
    """File name of the recording that starts ``from_s`` seconds into a session."""
    return (session.start + timedelta(seconds=from_s)).astimezone(SHANGHAI).strftime("%Y%m%dT%H%M%S%z.mp4")


def render_piece(
    session: Session, from_s: float, until_s: float, folder: Path, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Encode one file of a session into ``folder`` and return its path; ``advance`` is told each frame done."""
    path = folder / piece_name(session, from_s)
    created = (session.start + timedelta(seconds=from_s)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["creation_time"] = created
        stream = container.add_stream("libx264", rate=FRAMES_PER_S, options=ENCODER)
        stream.width, stream.height = painting.PICTURE_WH
        stream.pix_fmt = "yuv420p"
        stream.metadata["creation_time"] = created
        for frame in _frames(session, round(from_s * FRAMES_PER_S), round(until_s * FRAMES_PER_S)):
            container.mux(stream.encode(frame))
            advance(1)
        container.mux(stream.encode(None))
    return path


def _frames(session: Session, first: int, stop: int) -> Iterator[av.VideoFrame]:
    """The frames ``first`` to ``stop`` − 1 of a session, numbered from nought."""
    shown, picture = -1, np.empty(0, np.uint8)
    for number in range(first, stop):
        if drawn_number(session, number) != shown:
            shown, picture = drawn_number(session, number), planes(session, number)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number - first
        yield frame
