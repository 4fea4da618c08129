"""Faces that are part of the place."""

from __future__ import annotations

import numpy as np

from tests.vision.builders import a_face
from vision.align import portrait
from vision.fixture import face_patch, is_same_patch
from vision.types import BgrImage, Face, Frame

WH = (640, 360)


def wall(seed: int, face_seed: int | None, shift: int = 0) -> BgrImage:
    """A noisy wall, with the same printed pattern at (300, 100) when a face is asked for."""
    picture = np.random.default_rng(seed).normal(120, 3, (WH[1], WH[0], 3))
    if face_seed is not None:
        coarse = np.random.default_rng(face_seed).uniform(30, 220, (8, 8, 3))
        picture[100:180, 300 + shift : 380 + shift] += np.kron(coarse, np.ones((10, 10, 1))) - 120
    return np.clip(picture, 0, 255).astype(np.uint8)


def seen(picture: BgrImage) -> Face:
    box = np.array([300, 100, 380, 180], np.float32)
    return a_face(box_xyxy=box, frame_wh=WH, portrait_bgr=portrait(picture, box))


def frame(picture: BgrImage) -> Frame:
    return Frame(0.0, WH, picture, lambda: picture)


def test_a_printed_face_is_the_same_whenever_one_looks() -> None:
    face = seen(wall(1, 7))
    assert is_same_patch(face_patch(face.portrait_bgr), frame(wall(2, 7)), face)


def test_a_person_who_was_not_there_before_is_no_poster() -> None:
    face = seen(wall(1, 7))
    assert not is_same_patch(face_patch(face.portrait_bgr), frame(wall(2, None)), face)


def test_somebody_else_at_the_same_place_is_no_poster() -> None:
    face = seen(wall(1, 7))
    assert not is_same_patch(face_patch(face.portrait_bgr), frame(wall(2, 8)), face)


def test_who_has_moved_is_no_poster() -> None:
    face = seen(wall(1, 7))
    assert not is_same_patch(face_patch(face.portrait_bgr), frame(wall(2, 7, shift=12)), face)


def test_a_flat_patch_is_like_nothing() -> None:
    assert not face_patch(np.full((20, 20, 3), 90, np.uint8)).any()
