"""Real people on a drawn counter as H.264: clips for tests, composed from group pictures.

The people of the pictures stand still but for a sway; the camera trembles a little, its sensor is noisy and the light
flickers, so that what comes out of the encoder is video and not one picture many times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from renzheng.clock import SHANGHAI, to_seconds
from vision.types import BgrImage

WH = (960, 540)
FPS = 10
KEYFRAME_EVERY = 2 * FPS
START = datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)
START_S = to_seconds(START)
CLIP_NAME = "20260501T090000+0800.mp4"

PEOPLE = ("amy", "bernadette", "howard", "leonard", "penny", "raj", "sheldon", "stuart")
SCENE_SCALE = {"bbt1": 0.69, "bbt2": 1.1, "bbt3": 1.35, "bbt4": 1.12, "bbt5": 1.0}
"""How large each group picture is shown, so that it fills most of the frame."""

WHO_IS_IN = {
    "bbt1": {"sheldon", "howard", "raj", "leonard"},
    "bbt2": {"sheldon", "leonard", "raj"},
    "bbt3": {"raj", "leonard", "sheldon", "howard", "penny"},
    "bbt4": {"penny", "sheldon", "bernadette", "amy", "raj", "leonard"},
    "bbt5": {"leonard", "howard", "raj", "penny", "sheldon"},
}
BBT4_FACES = ((255, 228, 342, 345), (466, 169, 557, 301), (577, 68, 659, 177), (82, 18, 171, 139),
              (235, 39, 324, 160), (49, 247, 150, 386))  # fmt: skip
"""Where the faces are in ``bbt4``: left, top, right, bottom."""

Spoil = Callable[[BgrImage], BgrImage]


@dataclass(frozen=True)
class Act:
    """A stretch of a clip: what stands at the counter, for how long, and what is wrong with the picture.

    ``scene`` is the stem of a group picture, ``"turned away"`` for a figure without a face, or empty for nobody.
    ``worn`` is painted on the group picture before it is scaled; ``spoil`` changes the finished frame.
    """

    scene: str = ""
    seconds: float = 8.0
    scale: float = 1.0
    worn: Spoil | None = None
    spoil: Spoil | None = None


@dataclass(frozen=True)
class Coding:
    """How a clip is encoded."""

    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "crf": "25"})
    rotation: int = 0


def compose(path: Path, acts: Sequence[Act], scenes_dir: Path, coding: Coding | None = None) -> Path:
    """Encode the acts one after another."""
    coding = coding or Coding()
    with av.open(str(path), "w") as container:
        options = coding.options | {"g": str(KEYFRAME_EVERY), "threads": "1"}
        stream = container.add_stream(coding.codec, rate=FPS, options=options)
        assert isinstance(stream, av.VideoStream)
        turned = coding.rotation % 180 != 0
        stream.width, stream.height = WH[::-1] if turned else WH
        stream.pix_fmt = "yuv420p"
        if coding.rotation:
            stream.set_display_rotation(coding.rotation)
        for number, picture in enumerate(_pictures(acts, scenes_dir)):
            if coding.rotation:
                picture = np.ascontiguousarray(np.rot90(picture, -coding.rotation // 90))
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def middles(acts: Sequence[Act]) -> list[float]:
    """Seconds after ``START`` at which each act is half over."""
    ends = np.cumsum([act.seconds for act in acts])
    return [float(end - act.seconds / 2) for end, act in zip(ends, acts, strict=True)]


def _pictures(acts: Sequence[Act], scenes_dir: Path) -> Iterator[BgrImage]:
    noise = _noise_fields()
    number = 0
    for act in acts:
        people = _people(act, scenes_dir)
        for _ in range(round(act.seconds * FPS)):
            picture = _trembling(_on_counter(people, number), number)
            picture = act.spoil(picture) if act.spoil else picture
            yield cv2.add(picture, noise[number % len(noise)], dtype=cv2.CV_8U).astype(np.uint8)
            number += 1


@lru_cache(maxsize=1)
def _noise_fields() -> list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
    random = np.random.default_rng(5)
    return [random.normal(0, 2.5, (WH[1], WH[0], 3)).astype(np.int16) for _ in range(7)]


@lru_cache(maxsize=1)
def counter_picture() -> BgrImage:
    """The counter with nobody there: shelves of coloured boxes over a desk."""
    random = np.random.default_rng(1)
    picture = np.full((WH[1], WH[0], 3), 150, np.uint8)
    for row in range(4):
        for column in range(16):
            left, top = 8 + column * 60, 20 + row * 95
            colour = tuple(int(level) for level in random.integers(60, 225, 3))
            cv2.rectangle(picture, (left, top), (left + int(random.integers(30, 52)), top + 80), colour, -1)
    cv2.rectangle(picture, (0, 440), (WH[0], WH[1]), (90, 110, 130), -1)
    return picture


def _people(act: Act, scenes_dir: Path) -> tuple[BgrImage, BgrImage] | None:
    """What is pasted on the counter, and where it shows (255) or not (0)."""
    if not act.scene:
        return None
    if act.scene == "turned away":
        return _turned_away()
    picture = cv2.imread(str(scenes_dir / f"{act.scene}.jpg"))
    assert picture is not None, act.scene
    shown = np.asarray(picture, np.uint8)
    shown = act.worn(shown) if act.worn else shown
    scale = SCENE_SCALE[act.scene] * act.scale
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    people = np.asarray(cv2.resize(shown, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    people = people[-WH[1] :, : WH[0] - 20]
    return people, np.full(people.shape[:2], 255, np.uint8)


def _turned_away() -> tuple[BgrImage, BgrImage]:
    """The back of somebody."""
    figure = np.zeros((420, 300, 3), np.uint8)
    cv2.fillPoly(figure, [np.array([[20, 419], [60, 190], [240, 190], [280, 419]])], (60, 45, 40))
    cv2.ellipse(figure, (150, 110), (62, 85), 0, 0, 360, (28, 26, 24), -1)
    return figure, np.where(figure.any(axis=2), 255, 0).astype(np.uint8)


def _on_counter(people: tuple[BgrImage, BgrImage] | None, number: int) -> BgrImage:
    picture = counter_picture().copy()
    if people is None:
        return picture
    figure, shows = people
    height, width = shows.shape
    sway = round(8 * np.sin(number / FPS))
    left, top = (WH[0] - width) // 2 + sway, WH[1] - height
    cv2.copyTo(figure, shows, picture[top:, left : left + width])
    return picture


def _trembling(picture: BgrImage, number: int) -> BgrImage:
    seconds = number / FPS
    shift = np.array([[1, 0, 0.8 * np.sin(7 * seconds)], [0, 1, 0.6 * np.cos(5 * seconds)]])
    moved = cv2.warpAffine(picture, shift, WH, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.convertScaleAbs(moved, alpha=1 + 0.01 * np.sin(11 * seconds)), np.uint8)


# --- what can be wrong with a picture ------------------------------------------------------------------------------


def blurred(sigma_px: float) -> Spoil:
    """Out of focus."""
    return lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.uint8)


def smeared(length_px: int, *, upright: bool = False) -> Spoil:
    """Moved while the shutter was open."""
    size_wh = (1, length_px) if upright else (length_px, 1)
    return lambda picture: np.asarray(cv2.blur(picture, size_wh), np.uint8)


def light(gain: float, lift: float = 0.0) -> Spoil:
    """Darker, brighter or flatter."""
    return lambda picture: np.asarray(cv2.convertScaleAbs(picture, alpha=gain, beta=lift), np.uint8)


def coarse(factor: int) -> Spoil:
    """A camera of fewer pixels whose picture was enlarged."""

    def spoil(picture: BgrImage) -> BgrImage:
        small = cv2.resize(picture, (WH[0] // factor, WH[1] // factor), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, WH, interpolation=cv2.INTER_LINEAR), np.uint8)

    return spoil


def grainy(sigma: float) -> Spoil:
    """A sensor at its limit."""
    random = np.random.default_rng(9)
    fields = [random.normal(0, sigma, (WH[1], WH[0], 3)).astype(np.int16) for _ in range(5)]
    turn = iter(range(1 << 30))
    return lambda picture: np.asarray(cv2.add(picture, fields[next(turn) % 5], dtype=cv2.CV_8U), np.uint8)


def blocky(quality: int) -> Spoil:
    """Compressed far too much before it reached the recorder."""

    def spoil(picture: BgrImage) -> BgrImage:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    return spoil


def tilted(degrees: float) -> Spoil:
    """A camera that hangs askew."""
    turn = cv2.getRotationMatrix2D((WH[0] / 2, WH[1] / 2), degrees, 1.0)
    return lambda picture: np.asarray(cv2.warpAffine(picture, turn, WH), np.uint8)


def all_of(*spoils: Spoil) -> Spoil:
    """Several things at once."""

    def spoil(picture: BgrImage) -> BgrImage:
        for one in spoils:
            picture = one(picture)
        return picture

    return spoil


def masked(picture: BgrImage) -> BgrImage:
    """Everybody of ``bbt4`` in a surgical mask."""
    out = picture.copy()
    for left, top, right, bottom in BBT4_FACES:
        width, height = right - left, bottom - top
        y_0, y_1 = top + round(0.56 * height), bottom + round(0.02 * height)
        middle, y_2 = left + 0.5 * width, y_1 - 6
        corners = [(left + 0.02 * width, y_0), (middle, y_0 - 0.06 * height), (right - 0.02 * width, y_0),
                   (right - 0.16 * width, y_2), (middle, y_1), (left + 0.16 * width, y_2)]  # fmt: skip
        cv2.fillPoly(out, [np.array(corners, np.int32)], (222, 205, 178), cv2.LINE_AA)
    return out


def in_sunglasses(picture: BgrImage) -> BgrImage:
    """Everybody of ``bbt4`` in dark glasses."""
    out = picture.copy()
    for left, top, right, bottom in BBT4_FACES:
        width, height = right - left, bottom - top
        for middle in (0.3, 0.7):
            eye = round(left + middle * width), round(top + 0.42 * height)
            cv2.ellipse(out, eye, (round(0.19 * width), round(0.1 * height)), 0, 0, 360, (18, 16, 15), -1, cv2.LINE_AA)
    return out
