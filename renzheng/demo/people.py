"""People for the invented town: heads cut out of one stock picture, and what a turn of the head does to them.

The picture is ``t1.jpg``, which the ``insightface`` wheel carries as test data. The outlines below are in its pixels.
A head is kept as a BGRA sprite on a canvas of fixed size, with the eyes level at :data:`EYE_XY` and
:data:`EYE_TO_CHIN` pixels between eyes and chin, so that whoever poses it needs to know nothing of the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from renzheng.errors import MissingPart

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

HEAD_WH = (380, 400)
EYE_XY = (190.0, 170.0)
EYE_TO_CHIN = 108.0
FEATHER_PX = 1.6
RIM_RAD = 1.2
NECK_BGR = np.array([112, 150, 206], np.float32)
SOURCE_WH = (1280, 886)


@dataclass(frozen=True)
class Cutout:
    """Where one head lies in the source picture, pixels; outline clockwise from the left temple."""

    right_eye_xy: tuple[float, float]
    left_eye_xy: tuple[float, float]
    chin_xy: tuple[float, float]
    outline_xy: tuple[tuple[int, int], ...]
    straighten_deg: float = 0.0
    neck_half_px: int = 46
    neck_shift_px: float = 0.0


CUTOUTS: dict[str, Cutout] = {
    "long-hair": Cutout(
        (87, 322), (137, 311), (121, 399),
        ((20, 330), (20, 310), (24, 290), (30, 270), (42, 254), (56, 246), (64, 243), (70, 238), (82, 234),
         (112, 238), (124, 244), (140, 256), (152, 268), (164, 284), (172, 300), (178, 318), (182, 338),
         (184, 382), (170, 394), (150, 403), (136, 410), (124, 418), (98, 420), (60, 430), (26, 432), (22, 390)),
        neck_half_px=42,
    ),
    "pinned-hair": Cutout(
        (283, 207), (322, 193), (336, 266),
        ((264, 175), (265, 155), (270, 138), (280, 122), (296, 110), (312, 103), (330, 102), (345, 105),
         (378, 116), (392, 124), (400, 130), (398, 140), (394, 150), (396, 165), (396, 185), (401, 205),
         (402, 232), (390, 246), (364, 262), (342, 268), (326, 266), (314, 258), (303, 249), (293, 236),
         (277, 204), (270, 186)),
        straighten_deg=14.0, neck_half_px=44, neck_shift_px=8.0,
    ),
    "curly-hair": Cutout(
        (488, 324), (540, 330), (507, 420),
        ((466, 265), (467, 285), (469, 300), (466, 318), (465, 335), (466, 350), (468, 365), (473, 380),
         (487, 408), (495, 416), (505, 420), (518, 417), (530, 408), (540, 398), (552, 386), (562, 373),
         (572, 366), (578, 357), (582, 345), (589, 333), (591, 326), (597, 315), (602, 300), (605, 285),
         (603, 255), (597, 243), (588, 233), (575, 227), (560, 223), (545, 221), (530, 222), (515, 219),
         (490, 231), (478, 237), (472, 246), (468, 256)),
    ),
    "short-hair": Cutout(
        (767, 402), (810, 404), (786, 481),
        ((749, 385), (748, 365), (751, 350), (753, 335), (748, 325), (753, 317), (765, 313), (772, 304),
         (797, 291), (812, 292), (828, 296), (842, 303), (854, 314), (864, 326), (871, 339), (873, 350),
         (867, 382), (869, 388), (867, 402), (861, 415), (855, 422), (849, 426), (845, 442), (840, 460),
         (815, 482), (795, 481), (780, 480), (768, 472), (760, 455), (753, 440), (748, 422), (747, 405)),
        straighten_deg=8.0,
    ),
    "quiff": Cutout(
        (921, 122), (946, 117), (962, 206),
        ((906, 76), (903, 66), (888, 52), (890, 46), (900, 41), (915, 36), (926, 23), (940, 15), (955, 7),
         (990, 4), (1008, 9), (1022, 19), (1034, 31), (1044, 46), (1051, 62), (1054, 80), (1055, 100),
         (1054, 130), (1050, 146), (1036, 170), (1012, 190), (985, 202), (965, 206), (953, 204),
         (946, 186), (935, 180), (931, 166), (929, 156), (921, 150), (920, 145), (923, 132), (921, 122),
         (910, 100), (907, 90)),
        neck_half_px=50, neck_shift_px=14.0,
    ),
    "bob": Cutout(
        (1143, 322), (1190, 320), (1168, 400),
        ((1124, 340), (1125, 320), (1128, 300), (1133, 282), (1141, 268), (1151, 255), (1161, 246),
         (1185, 237), (1198, 241), (1210, 247), (1222, 255), (1231, 264), (1241, 278), (1249, 295),
         (1259, 340), (1262, 365), (1263, 390), (1261, 415), (1254, 430), (1225, 431), (1205, 430),
         (1142, 432), (1133, 425), (1125, 417), (1125, 380)),
        neck_half_px=42,
    ),
}  # fmt: skip


def people_picture() -> Path:
    """Path of the stock picture, brought into the cache when it is not there. Raises as ``fetch_asset`` does."""
    from models.fetch import fetch_asset

    return fetch_asset("demo-people")


@lru_cache(maxsize=1)
def _source() -> Image:
    """The stock picture, (886, 1280, 3) BGR."""
    path = people_picture()
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[1::-1] != SOURCE_WH:
        raise MissingPart(f"{path}: expected a picture of {SOURCE_WH[0]}×{SOURCE_WH[1]}")
    return np.asarray(picture, np.uint8)


def _placement(cutout: Cutout) -> Floats:
    """The 2×3 similarity that brings source pixels onto the canvas: eyes level, eye-to-chin distance fixed."""
    right, left, chin = (np.array(p) for p in (cutout.right_eye_xy, cutout.left_eye_xy, cutout.chin_xy))
    middle = (right + left) / 2
    scale = EYE_TO_CHIN / float(np.hypot(*(chin - middle)))
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.hstack([turn, (np.array(EYE_XY) - turn @ middle)[:, None]]).astype(np.float32)


def spread_colour(image: Floats, mask: Floats, reach_px: float = 6) -> Floats:
    """``image`` (h, w, 3) where ``mask`` (h, w; 0–1) is set, continued outward from there as a blur."""
    weight = cv2.GaussianBlur(mask, (0, 0), reach_px)[..., None] + 1e-4
    outside = cv2.GaussianBlur(image * mask[..., None], (0, 0), reach_px) / weight
    return np.asarray(image * mask[..., None] + outside * (1 - mask[..., None]), np.float32)


@lru_cache(maxsize=16)
def head(name: str) -> Image:
    """The head called ``name`` with hair and neck, (400, 380, 4) BGRA, eyes level at :data:`EYE_XY`."""
    cutout = CUTOUTS[name]
    place = _placement(cutout)
    picture = cv2.warpAffine(_source(), place, HEAD_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outline = np.array(cutout.outline_xy, np.float32) @ place[:, :2].T + place[:, 2]
    mask = np.zeros(HEAD_WH[::-1], np.float32)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    solid = cv2.erode(mask, np.ones((5, 5), np.uint8)).astype(np.float32)
    colour = _muted(spread_colour(picture.astype(np.float32), solid, 3))
    alpha = np.asarray(cv2.GaussianBlur(mask, (0, 0), FEATHER_PX), np.float32)
    sprite = _with_neck(colour, alpha, neck_x(name), cutout.neck_half_px)
    return turned(sprite, cutout.straighten_deg) if cutout.straighten_deg else sprite


def _muted(colour: Floats) -> Floats:
    """The poster's colours as a shop camera would give them: less saturated, less bright."""
    grey = colour.mean(axis=2, keepdims=True)
    return np.asarray((grey + 0.72 * (colour - grey)) * 0.88 + 6, np.float32)


@lru_cache(maxsize=16)
def neck_x(name: str) -> float:
    """Where the neck's axis lies on the canvas: between the eyes and the middle of the silhouette, pixels."""
    cutout = CUTOUTS[name]
    place = _placement(cutout)
    across = np.array(cutout.outline_xy, np.float32) @ place[0, :2] + place[0, 2]
    return float(0.5 * (EYE_XY[0] + (across.min() + across.max()) / 2)) + cutout.neck_shift_px


def _with_neck(colour: Floats, alpha: Floats, axis_x: float, half_px: int) -> Image:
    """Paint a neck under the head and join both to one BGRA sprite."""
    height, width = alpha.shape
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = (xs - axis_x) / half_px
    shade = 0.95 * np.sqrt(np.clip(1.05 - across**2, 0.3, 1)) * np.clip(0.74 + (ys - EYE_XY[1] - 90) / 260, 0.5, 1)
    neck = NECK_BGR * shade[..., None]
    inside = np.clip((half_px - np.abs(xs - axis_x)) / 2 + 0.5, 0, 1) * (ys > EYE_XY[1] + 40)
    total = alpha + (1 - alpha) * inside
    share = np.where(total > 0.004, alpha / np.maximum(total, 0.004), ys < EYE_XY[1] + 60)[..., None]
    mixed = colour * share + neck * (1 - share)
    return np.dstack([np.clip(mixed, 0, 255), total * 255]).round().astype(np.uint8)


@lru_cache(maxsize=16)
def back_of_head(name: str) -> Image:
    """The silhouette of ``name`` seen from behind: hair all over, (400, 380, 4) BGRA. No face can be found in it."""
    sprite = head(name)
    rng = np.random.default_rng(len(name))
    strands = cv2.GaussianBlur(rng.normal(0, 1, HEAD_WH[::-1]).astype(np.float32), (0, 0), sigmaX=1.2, sigmaY=14)
    xs, ys = np.meshgrid(np.arange(HEAD_WH[0]), np.arange(HEAD_WH[1]))
    light = np.clip(1.25 - np.hypot((xs - 175) / 150, (ys - 90) / 260), 0.45, 1.2)
    hair = np.array([30, 38, 52], np.float32) * (light * (1 + 3.2 * strands))[..., None]
    below = np.clip((ys - EYE_XY[1] - 62 + 3 * np.sin(xs / 7)) / 9, 0, 1)[..., None]
    skin = 0.8 * NECK_BGR * np.clip(1.15 - np.abs(xs - 190) / 110, 0.4, 1)[..., None]
    return np.dstack([np.clip(hair * (1 - below) + skin * below, 0, 255), sprite[..., 3]]).round().astype(np.uint8)


def turned(sprite: Image, yaw_deg: float) -> Image:
    """The head turned about its vertical axis, positive to the right of the picture; same silhouette.

    Each row is taken as a cylinder as wide as the silhouette there: a point at angle θ moves to θ + yaw. That is right
    for a skull and near enough for a face up to some 30°.
    """
    centre, half = _row_extent(sprite[..., 3].tobytes())
    xs = np.arange(sprite.shape[1], dtype=np.float32)[None, :]
    across = np.clip((xs - centre[:, None]) / half[:, None], -0.999, 0.999)
    angle = np.arcsin(across) - np.deg2rad(yaw_deg)
    before = np.sin(np.clip(angle, -RIM_RAD, RIM_RAD))
    map_x = (centre[:, None] + half[:, None] * before).astype(np.float32)
    map_y = np.broadcast_to(np.arange(sprite.shape[0], dtype=np.float32)[:, None], map_x.shape).copy()
    colour = cv2.remap(sprite[..., :3], map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # what was hidden until now is filled with what was seen last at that height, smoothed downward
    hidden = np.clip((np.abs(angle) - RIM_RAD + 0.1) * 5, 0, 1).astype(np.float32)
    filled = cv2.GaussianBlur(colour, (0, 0), sigmaX=3, sigmaY=9)
    mixed = cv2.blendLinear(filled, colour, hidden, 1 - hidden)
    return np.dstack([mixed, sprite[..., 3]]).astype(np.uint8)


@lru_cache(maxsize=16)
def _row_extent(alpha_bytes: bytes) -> tuple[Floats, Floats]:
    """Centre and half width of a canvas-sized silhouette in each row, pixels, smoothed; two arrays (h,)."""
    alpha = np.frombuffer(alpha_bytes, np.uint8).reshape(HEAD_WH[::-1])
    solid = alpha > 127
    rows = np.flatnonzero(solid.any(axis=1))
    left = np.argmax(solid, axis=1).astype(np.float32)
    right = (alpha.shape[1] - 1 - np.argmax(solid[:, ::-1], axis=1)).astype(np.float32)
    for edge in (left, right):
        edge[: rows[0]], edge[rows[-1] + 1 :] = edge[rows[0]], edge[rows[-1]]
    left, right = (cv2.GaussianBlur(edge[:, None], (0, 0), sigmaX=1, sigmaY=14)[:, 0] for edge in (left, right))
    return np.asarray((left + right) / 2, np.float32), np.asarray(np.maximum((right - left) / 2, 8), np.float32)
