"""Masks, hands, phones and dark glasses drawn over faces, for measuring the quality gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from renzheng.contracts.reasons import Reason
from vision.align import align_crop, alignment
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.quality import assess
from vision.types import CROP_SIDE_PX, BgrImage, FloatArray

LEAST_SCORE = 0.5
FOUND_SCORE = 0.6
OVERSAMPLING = 4
UNDER_THE_NOSE_PX = 12.0
"""How much lower, in pixels of the crop, the upper edge of a mask lies that leaves the nose free."""

# Outlines in pixels of the aligned crop.
MASK = ((56, 62), (40, 68), (24, 66), (25, 84), (33, 100), (46, 112), (56, 115), (66, 112), (79, 100), (87, 84))
MASK_OUTLINE = np.array([*MASK, (88, 66), (72, 68)], np.float32)
HAND_OUTLINE = np.array([(30, 74), (38, 70), (84, 72), (92, 80), (88, 104), (60, 112), (36, 106)], np.float32)
PHONE_OUTLINE = np.array([(50, 66), (96, 58), (108, 110), (62, 118)], np.float32)
GLASSES_OUTLINE = np.array([(26, 45), (86, 45), (82, 60), (62, 60), (60, 49), (52, 49), (50, 60), (30, 60)], np.float32)

Cloth = npt.NDArray[np.float32]
Weave = Callable[[Cloth, Cloth], Cloth]
"""What a covering looks like: from 112 × 112 × 2 columns and rows, and the colour of the skin, to BGR levels."""


@dataclass(frozen=True)
class Covering:
    """One thing in front of a face: its outline and its look."""

    name: str
    outline_xy: FloatArray
    weave: Weave


def _plain(*bgr: float) -> Weave:
    return lambda _xy, _skin_bgr: np.full((CROP_SIDE_PX, CROP_SIDE_PX, 3), bgr, np.float32)


def _pleated(bgr: tuple[float, float, float], depth: float) -> Weave:
    def weave(xy: Cloth, skin_bgr: Cloth) -> Cloth:
        cloth = _plain(*bgr)(xy, skin_bgr)
        for row in (80, 89, 98):
            away = xy[..., 1] - row + 0.006 * (xy[..., 0] - 56) ** 2
            cloth -= (depth * np.exp(-((away / 1.3) ** 2)))[..., None]
        return cloth

    return weave


def _printed(_xy: Cloth, skin_bgr: Cloth) -> Cloth:
    """Another print for every face, the same in every run."""
    patches = np.random.default_rng(int(skin_bgr.sum() * 100)).uniform(40, 220, (14, 14, 3)).astype(np.float32)
    return np.asarray(cv2.resize(patches, (CROP_SIDE_PX, CROP_SIDE_PX), interpolation=cv2.INTER_CUBIC), np.float32)


def _skin(xy: Cloth, skin_bgr: Cloth) -> Cloth:
    return _plain(*skin_bgr)(xy, skin_bgr)


def _fingers(xy: Cloth, skin_bgr: Cloth) -> Cloth:
    gaps = sum(np.exp(-(((xy[..., 0] - column - 0.15 * (xy[..., 1] - 90)) / 1.5) ** 2)) for column in (40, 53, 66, 79))
    return np.asarray(_skin(xy, skin_bgr) - 40 * np.asarray(gaps)[..., None], np.float32)


def _photographed(path: Path) -> Weave:
    def weave(xy: Cloth, skin_bgr: Cloth) -> Cloth:
        texture = np.asarray(cv2.imread(str(path)), np.float32)
        rows, columns = np.nonzero(np.abs(texture - texture[2, 2]).sum(axis=2) > 30)
        cut = texture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        cloth = _plain(*cut.mean(axis=(0, 1)))(xy, skin_bgr)
        cloth[56:112, 22:90] = cv2.resize(cut, (68, 56), interpolation=cv2.INTER_AREA)
        return cloth

    return weave


def coverings() -> list[Covering]:
    """Everything that can be drawn; photographed masks only where the package insightface, which has them, is there."""
    masks = {
        "white": _plain(235, 235, 232),
        "pleats": _pleated((225, 205, 150), 22),
        "deep": _pleated((225, 205, 150), 60),
        "black": _plain(34, 32, 32),
        "skin": _skin,
        "print": _printed,
    }
    spec = find_spec("insightface")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        masks |= {p.stem[5:] + "-p": _photographed(p) for p in sorted(Path(folder, "data/images").glob("mask_*.jpg"))}
    others = [
        Covering("hand", HAND_OUTLINE, _fingers),
        Covering("phone", PHONE_OUTLINE, _plain(25, 25, 28)),
        Covering("shades", GLASSES_OUTLINE, _plain(20, 18, 18)),
    ]
    return [Covering(name, MASK_OUTLINE, weave) for name, weave in masks.items()] + others


def cover(image_bgr: BgrImage, lower_px: float, landmarks: FloatArray, covering: Covering) -> BgrImage:
    """The picture with the covering over one face, in that face's light; ``lower_px`` lowers the upper edge."""
    height, width = image_bgr.shape[:2]
    back = cv2.invertAffineTransform(alignment(landmarks))
    crop_bgr = align_crop(image_bgr, landmarks)
    grey = cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY)
    light = float(np.clip(np.percentile(grey[20:108, 22:90], 90) / 235, 0.2, 1.05))
    skin_bgr = np.median(crop_bgr[58:66, 30:82].reshape(-1, 3), axis=0) / light
    xy = np.stack(np.meshgrid(*[np.arange(CROP_SIDE_PX, dtype=np.float32)] * 2), axis=2)
    shade = light * (1 - 0.25 * ((xy[..., :1] - 56) / 40) ** 2 - 0.1 * ((xy[..., 1:] - 80) / 40))
    cloth = np.clip(covering.weave(xy, skin_bgr.astype(np.float32)) * shade, 0, 255)
    drawn = cv2.warpAffine(cloth, back, (width, height), borderMode=cv2.BORDER_REPLICATE)
    drawn = drawn + np.random.default_rng(4).normal(0, 2.5, (height, width, 1))
    if not np.ptp(image_bgr, axis=2).any():
        drawn = np.repeat(drawn.mean(axis=2, keepdims=True), 3, axis=2)
    outline_xy = covering.outline_xy.copy()
    outline_xy[outline_xy[:, 1] < 70, 1] += lower_px
    share = _inside(cv2.transform(outline_xy[None], back)[0], (width, height))[..., None]
    return np.clip(np.rint(image_bgr * (1 - share) + drawn * share), 0, 255).astype(np.uint8)


def _inside(outline_xy: FloatArray, size_wh: tuple[int, int]) -> FloatArray:
    """Share of each pixel that lies inside the outline: height × width."""
    large = np.zeros((size_wh[1] * OVERSAMPLING, size_wh[0] * OVERSAMPLING), np.uint8)
    cv2.fillPoly(large, [np.rint((outline_xy + 0.5) * OVERSAMPLING - 0.5).astype(np.int32)], 255)
    small = cv2.resize(large, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32), (0, 0), 0.5) / 255, np.float32)


def print_coverings(scenes: Path, pack: VisionPack) -> list[dict[str, Any]]:
    """Each face of each scene, bare and covered: how many the gate refuses, and how many of them as covered."""
    refused: dict[str, list[bool]] = {}
    covered: dict[str, list[bool]] = {}
    for path in sorted(scenes.iterdir()):
        image_bgr = load_photo(path)
        for landmarks in pack.detector.detect(image_bgr, FOUND_SCORE).landmarks:
            drawn = {c.name: cover(image_bgr, 0, landmarks, c) for c in coverings()}
            for name, picture_bgr in {"bare": image_bgr, **drawn}.items():
                failed = _failed_near(picture_bgr, landmarks, pack)
                refused.setdefault(name, []).append(bool(failed))
                covered.setdefault(name, []).append(Reason.FACE_COVERED in failed)
    print("\ncovering  faces  refused  as covered")
    rows = [
        {"covering": name, "faces": len(some), "refused": sum(some), "as_covered": sum(covered[name])}
        for name, some in refused.items()
    ]
    for row in rows:
        print(f"{row['covering']:8}  {row['faces']:5}  {row['refused']:7}  {row['as_covered']:10}")
    return rows


def _failed_near(image_bgr: BgrImage, near: FloatArray, pack: VisionPack) -> tuple[Reason, ...]:
    found = pack.detector.detect(image_bgr, LEAST_SCORE)
    away = np.linalg.norm(found.landmarks.mean(axis=1) - near.mean(axis=0), axis=1)
    if not len(found) or away.min() > np.ptp(near[:, 0]):
        return (Reason.NO_FACE,)
    index = int(np.argmin(away))
    crop_bgr = align_crop(image_bgr, found.landmarks[index])
    frame_wh = image_bgr.shape[1], image_bgr.shape[0]
    quality = assess(crop_bgr, found.landmarks[index], found.boxes_xyxy[index], frame_wh, float(found.scores[index]))
    return quality.failed
