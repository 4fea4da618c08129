"""Composing the pictures and encoding them as the H.264 a shop's recorder would have written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
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
    return people.turned(people.head(name), yaw_steps * YAW_STEP_DEG)


def turned_head(name: str, yaw_deg: float) -> Image:
    """A head turned to the nearest step of :data:`YAW_STEP_DEG`; heads are kept."""
    return _head(name, round(yaw_deg / YAW_STEP_DEG))


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
    away = act.facing == "away"
    head = people.back_of_head(person.cutout) if away else turned_head(person.cutout, pose.yaw_deg)
    chin = (people.neck_x(person.cutout), people.EYE_XY[1] + people.EYE_TO_CHIN)
    paste(picture, head, affine(chin, (pose.x, pose.chin_y + pose.nod_px), pose.size, pose.roll_deg), _FLOOR)
    body = painting.body("back" if away else person.garment)
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
    stamp(picture, session.start, t_s)
    return picture


def _dark_and_blurred(picture: Image) -> Image:
    """The picture of a camera that is out of focus in a room without light."""
    small = cv2.resize(picture, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 2.2)
    return np.asarray(cv2.resize(small, painting.PICTURE_WH, interpolation=cv2.INTER_LINEAR) * 0.09 + 3, np.uint8)


def stamp(picture: Image, start: datetime, t_s: float) -> None:
    """Write the time of day into the picture, as recorders do; in place."""
    text = local_text(start + timedelta(seconds=int(t_s)))
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
    return grainy(compose(session, number / FRAMES_PER_S), number)


def grainy(picture: Image, number: int) -> Image:
    """A picture (1080, 1920, 3) BGR with the grain of frame ``number``, (1620, 1920) planar YUV 4:2:0."""
    yuv = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    luma = yuv[: painting.PICTURE_WH[1]]
    cv2.add(luma, _grain()[number // NOISE_HELD_FRAMES % 5], dst=luma)
    return yuv


def piece_name(session: Session, from_s: float) -> str:
    """File name of the recording that starts ``from_s`` seconds into a session."""
    return recording_name(session.start + timedelta(seconds=from_s))


def recording_name(start: datetime) -> str:
    """File name of a recording that starts then."""
    return start.astimezone(SHANGHAI).strftime("%Y%m%dT%H%M%S%z.mp4")


def render_piece(
    session: Session, from_s: float, until_s: float, folder: Path, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Encode one file of a session into ``folder`` and return its path; ``advance`` is told each frame done."""
    numbers = range(round(from_s * FRAMES_PER_S), round(until_s * FRAMES_PER_S))
    return write_recording(
        folder,
        session.start + timedelta(seconds=from_s),
        (drawn_number(session, number) for number in numbers),
        lambda number: planes(session, number),
        advance,
    )


def write_recording(
    folder: Path,
    start: datetime,
    drawn: Iterable[int],
    planes_of: Callable[[int], Image],
    advance: Callable[[int], None] = lambda _: None,
) -> Path:
    """Encode pictures, (1620, 1920) planar YUV 4:2:0, as a recorder does that began at ``start``.

    ``drawn`` names for each frame the picture that it shows; one that repeats the frame before is not drawn again.
    """
    path = folder / recording_name(start)
    created = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["creation_time"] = created
        stream = container.add_stream("libx264", rate=FRAMES_PER_S, options=ENCODER)
        stream.width, stream.height = painting.PICTURE_WH
        stream.pix_fmt = "yuv420p"
        stream.metadata["creation_time"] = created
        for frame in _frames(drawn, planes_of):
            container.mux(stream.encode(frame))
            advance(1)
        container.mux(stream.encode(None))
    return path


def _frames(drawn: Iterable[int], planes_of: Callable[[int], Image]) -> Iterator[av.VideoFrame]:
    shown, picture = -1, np.empty(0, np.uint8)
    for pts, number in enumerate(drawn):
        if number != shown:
            shown, picture = number, planes_of(number)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = pts
        yield frame
