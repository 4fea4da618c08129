"""What is painted rather than cut out: the shop, the counter in front of it, and the bodies people wear."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from renzheng.demo.people import Image

PICTURE_WH = (1920, 1080)
COUNTER_TOP_Y = 800
"""Row from which the counter's front hides whatever stands behind it, pixels."""

BODY_WH = (620, 560)
COLLAR_XY = (310.0, 60.0)
"""Point of the body canvas that lies on the bottom of the chin, pixels."""

SHELF_CONTRAST = 0.48
"""The shelves are far behind and hazy. Full contrast makes a detector of faces see some between boxes and shoulders."""
SHELF_SEED = 12
"""Chosen so that no arrangement of boxes beside a passing shoulder looks like a face to a detector."""

Colour = tuple[int, int, int]

_MEDICINE: tuple[Colour, ...] = (
    (214, 196, 170), (120, 160, 90), (90, 120, 200), (200, 210, 220), (70, 150, 210), (190, 150, 100), (225, 225, 228),
    (110, 90, 170), (150, 180, 120), (60, 90, 150),
)  # fmt: skip


def _box(canvas: Image, xywh: tuple[int, int, int, int], colour: Colour) -> None:
    x, y, w, h = xywh
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), colour, -1)


def _shelves(wall: Image, rng: np.random.Generator, x0: int, x1: int) -> None:
    """A wooden cabinet between two columns, five boards full of boxes with a coloured band each."""
    _box(wall, (x0 - 14, 96, x1 - x0 + 28, 720), (92, 112, 128))
    _box(wall, (x0, 110, x1 - x0, 700), (150, 166, 176))
    for board in range(5):
        floor = 232 + board * 134
        _box(wall, (x0, floor, x1 - x0, 12), (104, 124, 140))
        _box(wall, (x0, floor - 122, x1 - x0, 16), (120, 134, 144))
        x = x0 + 8
        while x < x1 - 30:
            wide = int(rng.integers(26, 64))
            tall = int(rng.integers(52, 98))
            colour = _MEDICINE[int(rng.integers(len(_MEDICINE)))]
            for _ in range(int(rng.integers(1, 4))):
                if x + wide > x1 - 6:
                    break
                _medicine_box(wall, x, floor, wide, tall, colour)
                x += wide + 3
            x += int(rng.integers(2, 18))


def _medicine_box(wall: Image, x: int, floor: int, wide: int, tall: int, colour: Colour) -> None:
    _box(wall, (x, floor - tall, wide, tall), colour)
    _box(wall, (x, floor - tall + tall // 4, wide, tall // 4), tuple(int(c * 0.62) for c in colour))  # type: ignore[arg-type]


def _sign(wall: Image) -> None:
    """The green cross of a pharmacy, on a light board over the shelves."""
    _box(wall, (760, 18, 420, 70), (226, 232, 230))
    _box(wall, (820, 30, 16, 46), (84, 150, 40))
    _box(wall, (805, 45, 46, 16), (84, 150, 40))
    for i in range(4):
        x = 900 + i * 62
        _box(wall, (x, 32, 44, 6), (84, 150, 40))
        _box(wall, (x + 19, 32, 6, 44), (84, 150, 40))
        _box(wall, (x + 4 * (i % 2), 52, 40, 6), (84, 150, 40))
        _box(wall, (x, 70, 44, 5), (84, 150, 40))


@lru_cache(maxsize=1)
def shop() -> Image:
    """The empty shop with its counter, (1080, 1920, 3) BGR."""
    rng = np.random.default_rng(SHELF_SEED)
    wall = np.empty((PICTURE_WH[1], PICTURE_WH[0], 3), np.uint8)
    wall[:] = (196, 204, 206)
    for x0, x1 in ((60, 440), (500, 900), (960, 1290)):
        _shelves(wall, rng, x0, x1)
    _box(wall, (1350, 96, 520, 720), (178, 190, 194))
    _shelves(wall, rng, 1400, 1560)
    wall = cv2.addWeighted(wall, SHELF_CONTRAST, np.full_like(wall, 172), 1 - SHELF_CONTRAST, 0).astype(np.uint8)
    _sign(wall)
    wall = cv2.GaussianBlur(wall, (0, 0), 2.6).astype(np.uint8)  # the lens is focused on the counter
    _counter(wall)
    return _lit(wall, rng)


def _counter(wall: Image) -> None:
    """Counter top, front with panels, and the raised part at the clerk's till."""
    top = COUNTER_TOP_Y
    _box(wall, (0, top, 1920, 44), (206, 214, 216))
    _box(wall, (0, top + 40, 1920, 6), (120, 128, 130))
    _box(wall, (0, top + 46, 1920, 234), (158, 146, 122))
    for x in range(40, 1900, 310):
        cv2.rectangle(wall, (x, top + 70), (x + 270, 1060), (134, 124, 102), 3)
    _box(wall, (0, top + 140, 1920, 16), (84, 150, 40))


def _lit(picture: Image, rng: np.random.Generator) -> Image:
    """Two ceiling lights, a darker rim, and the fixed pattern of a cheap sensor."""
    xs, ys = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in PICTURE_WH))
    light = 0.80 + 0.22 * np.exp(-((xs + 0.35) ** 2) / 0.2 - (ys + 0.5) ** 2) + 0.16 * np.exp(-((xs - 0.55) ** 2) / 0.2)
    light = light * (1 - 0.14 * (xs**2 + ys**2))
    grain = rng.normal(0, 1.4, light.shape).astype(np.float32)
    return np.asarray(np.clip(picture * light[..., None] + grain[..., None], 0, 255), np.uint8)


@lru_cache(maxsize=1)
def counter_things() -> tuple[Image, Image]:
    """What stands on the counter in front of people: picture (150, 1920, 3) BGR and mask (150, 1920), rows from
    ``COUNTER_TOP_Y`` − 150: a card terminal, a leaflet stand and the clerk's screen."""
    picture, mask = np.zeros((150, 1920, 3), np.uint8), np.zeros((150, 1920), np.uint8)
    for (x, y, w, h), colour in (
        ((600, 92, 84, 58), (66, 66, 70)), ((610, 98, 64, 26), (150, 176, 160)),
        ((616, 130, 52, 12), (100, 100, 104)),
        ((180, 60, 110, 90), (190, 190, 186)), ((190, 68, 40, 74), (170, 150, 90)),
        ((238, 68, 42, 74), (110, 130, 196)),
        ((1700, 10, 190, 112), (44, 44, 46)), ((1708, 18, 174, 94), (120, 104, 84)),
        ((1780, 122, 30, 28), (60, 60, 62)),
    ):  # fmt: skip
        _box(picture, (x, y, w, h), colour)
        mask[y : y + h, x : x + w] = 255
    return picture, mask


@lru_cache(maxsize=16)
def body(garment: str) -> Image:
    """A torso with shoulders in a garment, (560, 620, 4) BGRA, its collar open at :data:`COLLAR_XY`."""
    colour, style = GARMENTS[garment]
    big = 2
    outline = np.array(_OUTLINE, np.float32)
    right = outline * big
    left = np.stack([2 * COLLAR_XY[0] * big - right[::-1, 0], right[::-1, 1]], axis=1)
    mask = np.zeros((BODY_WH[1] * big, BODY_WH[0] * big), np.uint8)
    shape = np.vstack([right, left, [[COLLAR_XY[0] * big, _OPENING_Y[style] * big]]])
    cv2.fillPoly(mask, [np.round(shape).astype(np.int32)], 255, cv2.LINE_AA)
    painted = _cloth(colour, len(garment))
    _STYLES[style](painted)
    rounded = cv2.GaussianBlur(mask, (0, 0), 3.0)
    full = np.dstack([painted, np.clip((rounded.astype(np.float32) - 90) * 3.4, 0, 255).astype(np.uint8)])
    return np.asarray(cv2.resize(full, BODY_WH, interpolation=cv2.INTER_AREA), np.uint8)


_OUTLINE = ((362, 58), (372, 80), (410, 98), (462, 112), (502, 132), (526, 168), (540, 240), (550, 350), (556, 559))
_OPENING_Y = {"shirt": 122, "coat": 150, "round": 96, "jacket": 118, "back": 78}


def _cloth(colour: Colour, seed: int) -> Image:
    """Cloth of one colour with folds, light from above and darker flanks, at twice the body's size."""
    wide, tall = BODY_WH[0] * 2, BODY_WH[1] * 2
    rng = np.random.default_rng(seed)
    xs, ys = np.meshgrid(np.linspace(-1, 1, wide, dtype=np.float32), np.linspace(0, 1, tall, dtype=np.float32))
    folds = cv2.GaussianBlur(rng.normal(0, 1, (tall, wide)).astype(np.float32), (0, 0), sigmaX=9, sigmaY=46) * 26
    shade = 1.04 - 0.42 * np.abs(xs) ** 2.2 - 0.12 * ys + 0.05 * folds
    arm = 0.34 * np.exp(-(((np.abs(xs) - 0.56 - 0.03 * ys) / 0.022) ** 2)) * np.clip((ys - 0.34) * 5, 0, 1)
    return np.asarray(np.clip(np.array(colour, np.float32) * (shade - arm)[..., None], 0, 255), np.uint8)


def _darker(painted: Image, points: list[tuple[int, int]], factor: float) -> None:
    """Multiply a polygon (body pixels, right half) and its mirror image by ``factor``."""
    area = np.zeros(painted.shape[:2], np.uint8)
    half = np.array(points, np.float32)
    for side in (half, np.stack([2 * COLLAR_XY[0] - half[:, 0], half[:, 1]], axis=1)):
        cv2.fillPoly(area, [np.round(side * 2).astype(np.int32)], 255)
    weight = cv2.GaussianBlur(area, (0, 0), 1.5).astype(np.float32)[..., None] / 255
    painted[:] = np.clip(painted * (1 + (factor - 1) * weight), 0, 255).astype(np.uint8)


def _shirt(painted: Image) -> None:
    _darker(painted, [(362, 58), (312, 122), (336, 146), (380, 92)], 1.16)
    _darker(painted, [(312, 124), (336, 146), (330, 150), (310, 128)], 0.6)
    cv2.line(painted, (620, 250), (620, 1119), tuple(int(c * 0.7) for c in painted[500, 600].tolist()), 3)
    for y in range(320, 1100, 130):
        cv2.circle(painted, (630, y), 6, (225, 225, 225), -1)


def _coat(painted: Image) -> None:
    undershirt = np.array([[560, 110], [680, 110], [620, 420]], np.int32)
    cv2.fillPoly(painted, [undershirt], (170, 140, 100))
    _darker(painted, [(362, 58), (312, 216), (372, 190), (358, 170), (392, 150), (384, 92)], 0.86)
    _darker(painted, [(312, 212), (316, 212), (316, 559), (312, 559)], 0.7)
    _box(painted, (760, 380, 110, 66), (236, 240, 238))
    _box(painted, (768, 390, 40, 46), (120, 150, 110))
    _box(painted, (816, 396, 44, 8), (110, 110, 110))


def _round(painted: Image) -> None:
    _darker(painted, [(362, 58), (336, 86), (310, 96), (310, 104), (342, 96), (374, 66)], 0.72)


def _jacket(painted: Image) -> None:
    _darker(painted, [(362, 58), (314, 118), (318, 190), (392, 100)], 0.82)
    cv2.line(painted, (620, 240), (620, 1119), (190, 190, 190), 4)
    cv2.line(painted, (628, 240), (628, 1119), (40, 40, 40), 3)


_STYLES = {"shirt": _shirt, "coat": _coat, "round": _round, "jacket": _jacket, "back": _round}

GARMENTS: dict[str, tuple[Colour, str]] = {
    "blue-shirt": ((150, 112, 74), "shirt"),
    "red-blouse": ((74, 66, 150), "round"),
    "olive-jacket": ((74, 104, 100), "jacket"),
    "teal-blouse": ((132, 128, 62), "round"),
    "grey-jacket": ((112, 108, 104), "jacket"),
    "white-coat": ((222, 224, 222), "coat"),
    "back": ((104, 104, 104), "back"),
    "dark-jacket": ((70, 58, 54), "jacket"),
}


def plain_wall(width_px: int, height_px: int, tone: float) -> Image:
    """The plain wall behind an enrolment photo, (height, width, 3) BGR; ``tone`` scales its brightness."""
    down = np.linspace(1.04, 0.9, height_px, dtype=np.float32)[:, None, None]
    wall = np.broadcast_to(np.array([206, 200, 192], np.float32) * tone * down, (height_px, width_px, 3))
    return np.clip(wall, 0, 255).astype(np.uint8)
