from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from models.fetch import cached_path, fetch_asset
from models.manifest import manifest
from models.runtime import Array
from vision.detect import (
    MIN_SCORE,
    NMS_MAX_IOU,
    YUNET_CHANNELS,
    YuNetDetector,
    best_first,
    decode_yunet,
    nms,
    padded_wh,
    yunet_input,
)
from vision.pack import VisionPack
from vision.types import BgrImage, Detections, FloatArray

NOBODY = -20.0  # a logit whose score is 2e-9


def levels(width: int = 64, height: int = 32) -> list[FloatArray]:
    """Empty outputs of YuNet for a picture of that size."""
    empty = [np.zeros((1, YUNET_CHANNELS, height // stride, width // stride), np.float32) for stride in (8, 16, 32)]
    for level in empty:
        level[0, :2] = NOBODY
    return empty


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


@pytest.fixture(scope="module")
def people_bgr() -> BgrImage:
    """Six people, 1280 × 886."""
    return np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)


class FakeSession:
    """Answers with empty levels of the asked-for size and keeps what it was given."""

    def __init__(self) -> None:
        self.inputs: list[FloatArray] = []

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        self.inputs.append(inputs["input"].copy())
        height, width = inputs["input"].shape[2:]
        return list(levels(width, height))


def test_no_cell_above_the_score_gives_no_faces() -> None:
    faces = decode_yunet(levels(), MIN_SCORE)
    assert len(faces) == 0
    assert faces.boxes_xyxy.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)
    assert len(best_first(faces)) == 0


@pytest.mark.parametrize(("index", "stride"), [(0, 8), (1, 16), (2, 32)])
def test_a_cell_becomes_a_box_around_its_centre_and_five_landmarks(index: int, stride: int) -> None:
    outputs = levels(128, 96)
    cell = outputs[index][0, :, 1, 2]
    cell[:2] = logit(0.9), logit(0.4)
    cell[2:6] = 0.5, 0.25, np.log(2), np.log(4)
    cell[6:] = np.arange(10) / 10
    faces = decode_yunet(outputs, MIN_SCORE)
    assert faces.scores == pytest.approx([0.6], abs=1e-6)
    assert faces.boxes_xyxy[0] == pytest.approx(np.array([1.5, -0.75, 3.5, 3.25]) * stride, abs=1e-4)
    expected = (np.arange(10).reshape(5, 2) / 10 + [2, 1]) * stride
    assert faces.landmarks[0] == pytest.approx(expected, abs=1e-4)
    assert {array.dtype for array in (faces.boxes_xyxy, faces.scores, faces.landmarks)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("min_score", [0.0, 0.2, 0.5, 0.9, 0.999, 1.0])
def test_sorting_out_by_logits_drops_exactly_the_cells_below_the_score(min_score: float) -> None:
    outputs = levels(640, 384)
    outputs[0][0, :2] = np.random.default_rng(3).normal(0, 4, outputs[0].shape[2:]).astype(np.float32)
    outputs[0][0, 1] = np.random.default_rng(4).normal(0, 4, outputs[0].shape[2:])
    scores = np.sqrt(np.prod(1 / (1 + np.exp(-outputs[0][0, :2])), axis=0))
    expected = np.count_nonzero(scores >= min_score) + (
        sum(level[0, 0].size for level in outputs[1:]) * (min_score == 0)
    )
    assert len(decode_yunet(outputs, min_score)) == expected


def test_decoding_does_not_change_the_outputs_it_reads() -> None:
    outputs = levels()
    outputs[0][0, :2, 0, 0] = 3
    before = [level.copy() for level in outputs]
    decode_yunet(outputs, MIN_SCORE)
    assert all(np.array_equal(now, then) for now, then in zip(outputs, before, strict=True))


def test_a_level_with_another_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected shape 1 × 16"):
        decode_yunet([np.zeros((1, 15, 4, 8), np.float32)], MIN_SCORE, strides=(8,))


SQUARE = [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("boxes", "scores", "kept"),
    [
        ([], [], []),
        ([SQUARE], [0.5], [0]),
        ([SQUARE, SQUARE], [0.5, 0.9], [1]),
        ([SQUARE, SQUARE], [0.7, 0.7], [0]),
        ([SQUARE, [20, 0, 30, 10]], [0.5, 0.9], [1, 0]),
        ([SQUARE, [0, 0, 10, 3]], [0.9, 0.8], [0, 1]),
        ([SQUARE, [0, 0, 10, 3.1]], [0.9, 0.8], [0]),
        ([SQUARE, [0, 0, 10, 5], [0, 6, 10, 10]], [0.5, 0.9, 0.8], [1, 2]),
        ([SQUARE, [4, 0, 14, 10], [8, 0, 18, 10]], [0.9, 0.8, 0.7], [0, 2]),
        ([[5, 5, 5, 5], [5, 5, 5, 5]], [0.9, 0.8], [0, 1]),
    ],
    ids=[
        "none",
        "one",
        "the same twice",
        "the same twice with one score",
        "apart",
        "overlap just allowed",
        "overlap just too large",
        "a large one under two small ones",
        "what a suppressed one overlaps stays",
        "boxes without area",
    ],
)
def test_suppression_keeps_the_best_of_what_overlaps(
    boxes: list[list[float]], scores: list[float], kept: list[int]
) -> None:
    result = nms(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), NMS_MAX_IOU)
    assert result.tolist() == kept


def test_suppression_refuses_boxes_and_scores_of_different_number() -> None:
    with pytest.raises(ValueError, match="expected shape 2 × 4"):
        nms(np.zeros((3, 4), np.float32), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("wh", "padded"), [((32, 32), (32, 32)), ((33, 31), (64, 32)), ((1, 1), (32, 32)), ((1280, 886), (1280, 896))]
)
def test_sides_are_padded_to_whole_cells_on_the_right_and_at_the_bottom(
    wh: tuple[int, int], padded: tuple[int, int]
) -> None:
    image_bgr = np.full((wh[1], wh[0], 3), (1, 2, 3), np.uint8)
    blob = yunet_input(image_bgr)
    assert padded_wh(*wh) == padded
    assert blob.shape == (1, 3, padded[1], padded[0])
    assert np.array_equal(blob[0, :, : wh[1], : wh[0]], image_bgr.transpose(2, 0, 1))
    assert blob.sum() == image_bgr.sum()


def test_pictures_of_changing_size_never_see_each_others_pixels() -> None:
    session = FakeSession()
    detector = YuNetDetector(session)
    for width, height, value in ((64, 64, 255), (40, 40, 7), (40, 40, 9), (64, 64, 1)):
        detector.detect(np.full((height, width, 3), value, np.uint8))
        assert session.inputs[-1].sum() == width * height * 3 * value


@pytest.mark.parametrize("image", [np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.float32)])
def test_something_that_is_no_colour_picture_is_refused(image: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="image_bgr: expected"):
        YuNetDetector(FakeSession()).detect(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("wh", [(32, 32), (31, 17), (33, 200), (0, 40)])
def test_a_grey_picture_of_any_size_has_no_faces(pack: VisionPack, wh: tuple[int, int]) -> None:
    assert len(pack.detector.detect(np.full((wh[1], wh[0], 3), 128, np.uint8), MIN_SCORE)) == 0


def opencv_faces(image_bgr: BgrImage) -> Detections:
    """What OpenCV's own detector finds with the same file, in our types."""
    height, width = image_bgr.shape[:2]
    weights = cached_path(manifest().pack("opencv-zoo").detector)
    detector = cv2.FaceDetectorYN.create(str(weights), "", (width, height), MIN_SCORE, NMS_MAX_IOU)
    rows = detector.detect(image_bgr)[1]
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    return Detections(boxes, rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2))


@pytest.mark.parametrize("wh", [(1280, 886), (640, 384), (500, 333)])
def test_the_same_six_faces_are_found_as_by_opencv(pack: VisionPack, people_bgr: BgrImage, wh: tuple[int, int]) -> None:
    image_bgr = np.asarray(cv2.resize(people_bgr, wh), np.uint8)
    ours, theirs = pack.detector.detect(image_bgr, MIN_SCORE), opencv_faces(image_bgr)
    assert len(ours) == len(theirs) == 6
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    np.testing.assert_allclose(ours.boxes_xyxy, theirs.boxes_xyxy, atol=0.05)
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.05)


def test_faces_come_best_first_with_eyes_left_to_right_inside_their_box(pack: VisionPack, people_bgr: BgrImage) -> None:
    faces = pack.detector.detect(people_bgr, MIN_SCORE)
    assert (np.diff(faces.scores) <= 0).all()
    assert (faces.landmarks[:, 0, 0] < faces.landmarks[:, 1, 0]).all()
    assert (faces.landmarks.min(axis=1) > faces.boxes_xyxy[:, :2]).all()
    assert (faces.landmarks.max(axis=1) < faces.boxes_xyxy[:, 2:]).all()


def test_threads_that_share_a_detector_do_not_disturb_each_other(pack: VisionPack, people_bgr: BgrImage) -> None:
    pictures = [np.asarray(cv2.resize(people_bgr, (640, 384)), np.uint8), np.zeros((384, 640, 3), np.uint8)]
    found: dict[int, set[int]] = {0: set(), 1: set()}

    def look(index: int) -> None:
        found[index] = {len(pack.detector.detect(pictures[index], MIN_SCORE)) for _ in range(5)}

    threads = [threading.Thread(target=look, args=(index,), name=f"look-{index}") for index in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: {6}, 1: {0}}


def test_the_test_picture_is_the_pinned_one() -> None:
    assert Path(fetch_asset("demo-people")).name == "t1.jpg"
