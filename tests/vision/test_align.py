"""From five landmarks to the aligned crop, beside insightface's own."""

from __future__ import annotations

import math
import warnings
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fetch import fetch_asset
from vision.align import (
    ARCFACE_POINTS,
    PORTRAIT_SIDE_PX,
    align_crop,
    alignment,
    portrait,
    similarity_transform,
)
from vision.pack import VisionPack
from vision.types import BgrImage, Detections, FloatArray

TRIANGLE = np.array([[0, 0], [1, 0], [0, 1]], np.float32)


@pytest.fixture(scope="module")
def face_align() -> ModuleType:
    """insightface's alignment; importing the package warns of libraries that it uses and we do not."""
    pytest.importorskip("skimage", reason="insightface's alignment needs scikit-image")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "insightface.utils.face_align", reason="insightface is not installed", exc_type=ImportError
        )


@pytest.fixture(scope="module")
def six_people() -> BgrImage:
    return np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)


@pytest.fixture(scope="module")
def found(six_people: BgrImage, pack: VisionPack) -> Detections:
    faces = pack.detector.detect(six_people, 0.6)
    assert len(faces) == 6
    return faces


def test_the_matrix_is_that_of_insightface(face_align: ModuleType, found: Detections) -> None:
    for landmarks in found.landmarks:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # scikit-image announces a new way to call it
            theirs = face_align.estimate_norm(landmarks, 112)
        # theirs is worked out in single precision, which shows in a shift of hundreds of pixels
        np.testing.assert_allclose(alignment(landmarks), theirs, rtol=1e-6, atol=1e-4)


def test_the_crop_is_that_of_insightface(face_align: ModuleType, found: Detections, six_people: BgrImage) -> None:
    for landmarks in found.landmarks:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            theirs = face_align.norm_crop(six_people, landmarks, 112)
        difference = np.abs(align_crop(six_people, landmarks).astype(np.int16) - theirs)
        assert difference.max() <= 2
        assert difference.mean() < 0.01


@given(
    scale=st.floats(0.05, 20),
    turn_deg=st.floats(-180, 180),
    shift=st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)),
    seed=st.integers(0, 1000),
    count=st.integers(2, 9),
)
def test_a_similarity_is_recovered(
    scale: float, turn_deg: float, shift: tuple[float, float], seed: int, count: int
) -> None:
    source = np.random.default_rng(seed).uniform(-100, 100, (count, 2))
    turn = math.radians(turn_deg)
    rotation = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    target = source @ rotation.T + shift
    matrix = similarity_transform(source, target)
    np.testing.assert_allclose(matrix, np.column_stack([rotation, shift]), atol=1e-6 * max(1, scale) * 2000)


def test_a_mirrored_face_is_never_flipped_to_fit() -> None:
    mirrored = ARCFACE_POINTS * np.array([-1, 1], np.float32)
    assert np.linalg.det(similarity_transform(mirrored, ARCFACE_POINTS)[:, :2]) > 0


def test_the_template_is_left_where_it_is() -> None:
    np.testing.assert_allclose(alignment(ARCFACE_POINTS), [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_points_that_coincide_are_refused() -> None:
    with pytest.raises(ValueError, match="source points coincide"):
        alignment(np.full((5, 2), 7, np.float32))


@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (5,), (0, 2), (1, 5, 2)])
def test_landmarks_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="landmarks: expected shape 5 × 2"):
        alignment(np.zeros(shape, np.float32))


@pytest.mark.parametrize(("source", "target"), [((5, 3), (5, 3)), ((5, 2), (4, 2)), ((10,), (10,))])
def test_points_of_unequal_shape_are_refused(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"(source|target)_xy: expected shape"):
        similarity_transform(np.ones(source), np.ones(target))


def test_the_inputs_stay_as_they_were() -> None:
    source, target = TRIANGLE.copy(), TRIANGLE * 2
    similarity_transform(source, target)
    assert (source == TRIANGLE).all()
    assert (target == TRIANGLE * 2).all()


def test_what_lies_outside_the_picture_is_black() -> None:
    white = np.full((112, 112, 3), 255, np.uint8)
    crop = align_crop(white, ARCFACE_POINTS - 56)
    assert crop.shape == (112, 112, 3)
    assert (crop[:50, :50] == 0).all()
    assert (crop[60:, 60:] == 255).all()


def test_a_grey_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image_bgr: expected shape any × any × 3, got 112 × 112"):
        align_crop(np.zeros((112, 112), np.uint8), ARCFACE_POINTS)


@pytest.mark.parametrize(
    "box",
    [(40, 40, 80, 90), (-50, -50, 20, 20), (500, 500, 600, 600), (0, 0, 640, 480), (30, 30, 30, 30), (10, 10, 11, 400)],
)
def test_a_portrait_always_shows_something_and_is_never_large(box: tuple[int, ...]) -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    box_xyxy: FloatArray = np.array(box, np.float32)
    cut = portrait(picture, box_xyxy)
    assert min(cut.shape[:2]) >= 1
    assert max(cut.shape[:2]) <= PORTRAIT_SIDE_PX
