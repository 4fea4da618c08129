"""The ward as pictures: floor and beds, and the people in them, who breathe and stir a little."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sin
from pathlib import Path

import cv2
import numpy as np

from renzheng.demo import painting, people, ward
from renzheng.demo.people import Image
from renzheng.demo.render import FRAMES_PER_S, affine, grainy, paste, stamp, turned_head, write_recording
from renzheng.demo.town import PEOPLE
from renzheng.demo.ward import WardBed

HELD_FRAMES = 5
"""Sleepers move so little that five pictures a second show it."""

HEAD_SIZE = 0.84
CHIN_FROM_HEAD_PX = 232
BLANKET_FROM_HEAD_PX = 286
BLANKET_MARGIN_PX = 26
_WIDE, _TALL = ward.BED_WH


def _rounded(picture: Image, xyxy: tuple[int, int, int, int], colour: tuple[int, int, int], radius: int) -> None:
    x0, y0, x1, y1 = xyxy
    cv2.rectangle(picture, (x0 + radius, y0), (x1 - radius, y1), colour, -1)
    cv2.rectangle(picture, (x0, y0 + radius), (x1, y1 - radius), colour, -1)
    for x in (x0 + radius, x1 - radius):
        for y in (y0 + radius, y1 - radius):
            cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA)


@lru_cache(maxsize=1)
def _bed() -> Image:
    """An empty bed with its head at the left, (290, 780, 3) BGR."""
    bed = np.full((_TALL, _WIDE, 3), (128, 132, 134), np.uint8)
    _rounded(bed, (12, 10, _WIDE - 12, _TALL - 10), (214, 216, 210), 18)
    for x in range(250, _WIDE - 40, 90):
        cv2.line(bed, (x, 24), (x + 8, _TALL - 24), (204, 206, 201), 5, cv2.LINE_AA)
    _rounded(bed, (34, 46, 214, _TALL - 46), (226, 228, 226), 26)
    cv2.rectangle(bed, (0, 0), (14, _TALL), (96, 104, 112), -1)
    return np.asarray(cv2.GaussianBlur(bed, (0, 0), 1.6), np.uint8)


@lru_cache(maxsize=1)
def empty_ward() -> Image:
    """The room with nobody in it, (1080, 1920, 3) BGR."""
    wide, tall = painting.PICTURE_WH
    room = np.full((tall, wide, 3), (158, 162, 160), np.uint8)
    for x in range(0, wide, 120):
        cv2.line(room, (x, 0), (x, tall), (146, 150, 148), 3)
    for y in range(0, tall, 120):
        cv2.line(room, (0, y), (wide, y), (146, 150, 148), 3)
    for bed in ward.BEDS:
        (x, y), left = bed.middle_xy, bed.middle_xy[0] - _WIDE // 2
        sprite = _bed() if bed.head == "left" else _bed()[:, ::-1]
        room[y - _TALL // 2 : y - _TALL // 2 + _TALL, left : left + _WIDE] = sprite
    _rounded(room, (1180, 780, 1420, 940), (120, 128, 120), 12)  # the nurses' trolley
    _rounded(room, (1200, 800, 1290, 860), (206, 210, 206), 8)
    cv2.circle(room, (1350, 880), 26, (190, 170, 120), -1, cv2.LINE_AA)
    light = np.linspace(1.03, 0.92, wide, dtype=np.float32)[None, :, None]
    return np.asarray(np.clip(room * light, 0, 255), np.uint8)


@lru_cache(maxsize=2)
def _blanket(long_px: int) -> Image:
    """A blanket over a body, its upper edge at the left, (high, long, 4) BGRA."""
    high = _TALL - 2 * BLANKET_MARGIN_PX
    outline = np.zeros((high, long_px, 3), np.uint8)
    _rounded(outline, (3, 3, long_px - 4, high - 4), (255, 255, 255), 30)
    alpha = cv2.GaussianBlur(outline[..., 0], (0, 0), 1.2)
    xs, ys = np.meshgrid(np.linspace(0, 1, long_px), np.linspace(-1, 1, high))
    bulge = np.exp(-((ys / 0.62) ** 2)) * (0.7 + 0.3 * np.cos(5 * xs))
    folds = cv2.GaussianBlur(np.random.default_rng(4).normal(0, 1, (high, long_px)), (0, 0), sigmaX=24, sigmaY=7)
    shade = (0.78 + 0.26 * bulge + 0.9 * folds).astype(np.float32)
    cloth = np.clip(np.array([176, 160, 128], np.float32) * shade[..., None], 0, 255).astype(np.uint8)
    cloth[:, :26] = np.clip(cloth[:, :26].astype(np.int16) + 34, 0, 255).astype(np.uint8)
    return np.dstack([cloth, np.asarray(alpha, np.uint8)])


def _draw_guest(picture: Image, bed: WardBed, t_s: float) -> None:
    """Whoever is in a bed; in place."""
    (x, y), side = bed.middle_xy, -1 if bed.head == "left" else 1
    head_end = x + side * _WIDE / 2
    phase = float(sum(map(ord, bed.bed_id)))
    breath, floor = 1.6 * sin(1.5 * t_s + phase), painting.PICTURE_WH[1]
    roll = 90.0 * side
    if bed.how == "lying":
        person = PEOPLE[bed.who]
        yaw = 5 * sin(0.5 * t_s + phase)
        chin = (people.neck_x(person.cutout), people.EYE_XY[1] + people.EYE_TO_CHIN)
        to_xy = (head_end - side * (CHIN_FROM_HEAD_PX - 0.3 * breath), y + 1.5 * sin(0.4 * t_s + phase))
        paste(picture, turned_head(person.cutout, yaw), affine(chin, to_xy, HEAD_SIZE, roll + yaw / 4), floor)
        chest = cv2.resize(painting.body(person.garment)[:240], None, fx=0.6, fy=0.8, interpolation=cv2.INTER_AREA)
        collar = (painting.COLLAR_XY[0] * 0.6, painting.COLLAR_XY[1] * 0.8)
        paste(picture, np.asarray(chest, np.uint8), affine(collar, to_xy, 0.76, roll), floor)
    from_head = BLANKET_FROM_HEAD_PX if bed.how == "lying" else 70
    blanket = _blanket(_WIDE - 30 - from_head)
    turn = 0.0 if side < 0 else 180.0
    middle = (0.0, blanket.shape[0] / 2)
    paste(picture, blanket, affine(middle, (head_end - side * from_head, y + breath), 1 + 0.004 * breath, turn), floor)


def compose_ward(t_s: float) -> Image:
    """The ward ``t_s`` seconds after its recording began, without grain, (1080, 1920, 3) BGR."""
    picture = empty_ward().copy()
    for bed in ward.BEDS:
        if bed.how != "nobody":
            _draw_guest(picture, bed, t_s)
    stamp(picture, ward.START, t_s)
    return picture


def empty_picture() -> Image:
    """The empty ward as its camera gave it, (1080, 1920, 3) BGR."""
    picture = empty_ward().copy()
    return np.asarray(cv2.cvtColor(grainy(picture, 0), cv2.COLOR_YUV2BGR_I420), np.uint8)


def ward_frames() -> int:
    """How many frames the recording has."""
    return round(ward.LENGTH_S * FRAMES_PER_S)


def render_ward(folder: Path, advance: Callable[[int], None] = lambda _: None) -> Path:
    """Encode the ward's recording into ``folder`` and return its path; ``advance`` is told each frame done."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = (number - number % HELD_FRAMES for number in range(ward_frames()))
    return write_recording(
        folder, ward.START, drawn, lambda number: grainy(compose_ward(number / FRAMES_PER_S), number), advance
    )
