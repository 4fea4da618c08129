"""Small faces are placed by a closer look; nothing else about what is found changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renzheng.contracts.reasons import Reason
from vision.align import ARCFACE_POINTS
from vision.closer import UNSEEN_SCORE, Square, cut, look_closer, out_of, same_face, square_around
from vision.detect import no_detections
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.pipeline import faces_in
from vision.types import CROP_SIDE_PX, BgrImage, Detections, FloatArray, Frame

FULL_WH = (1920, 1080)
BOX = np.array([100, 100, 150, 160], np.float32)


class FakeDetector:
    """Finds the same boxes in whatever it is shown, and counts how often it was asked."""

    def __init__(self, boxes_xyxy: FloatArray, score: float = 0.9) -> None:
        self.found = detections(boxes_xyxy, score)
        self.asked = 0

    def detect(self, image_bgr: BgrImage, min_score: float = 0.5) -> Detections:
        self.asked += 1
        return self.found


def detections(boxes_xyxy: FloatArray, score: float = 0.7) -> Detections:
    boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    landmarks = boxes[:, None, :2] + sides * (ARCFACE_POINTS / np.float32(CROP_SIDE_PX))[None]
    return Detections(boxes, np.full(len(boxes), score, np.float32), landmarks)


def a_picture() -> BgrImage:
    return np.full((FULL_WH[1], FULL_WH[0], 3), 110, np.uint8)


def a_frame(full_bgr: BgrImage, shrink: int = 3) -> Frame:
    wh = full_bgr.shape[1], full_bgr.shape[0]
    size_wh = wh[0] // shrink, wh[1] // shrink
    reduced_bgr = np.asarray(cv2.resize(full_bgr, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Frame(0.0, wh, reduced_bgr, lambda: full_bgr)


@pytest.fixture(scope="module")
def scene_bgr(shared_dir: Path) -> BgrImage:
    return load_photo(shared_dir / "faces" / "scenes" / "bbt4.jpg")


def in_a_large_picture(
    scene_bgr: BgrImage, pack: VisionPack, eyes_px: float, corner_xy: tuple[int, int]
) -> tuple[BgrImage, FloatArray]:
    """The scene so small that its best face has the wanted eye distance, and where that scene's landmarks then are."""
    true = pack.detector.detect(scene_bgr, 0.8).landmarks
    factor = eyes_px / float(np.hypot(*(true[0, 1] - true[0, 0])))
    small = cv2.resize(scene_bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture, (x, y) = a_picture(), corner_xy
    picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture, true * np.float32(factor) + np.array(corner_xy, np.float32)


def nearest_error_px(landmarks: FloatArray, true: FloatArray) -> float:
    return float(min(np.linalg.norm(landmarks - face, axis=1).mean() for face in true))


@pytest.mark.parametrize("eyes_px", [24, 20, 16])
def test_landmarks_of_small_faces_come_nearer_to_the_true_ones(
    scene_bgr: BgrImage, pack: VisionPack, eyes_px: int
) -> None:
    picture, true = in_a_large_picture(scene_bgr, pack, eyes_px, (700, 400))
    frame = a_frame(picture)
    coarse = pack.detector.detect(frame.reduced_bgr).scaled(frame.scale_xy).landmarks
    faces = faces_in(frame, pack)
    before = np.mean([nearest_error_px(landmarks, true) for landmarks in coarse])
    after = np.mean([nearest_error_px(face.landmarks, true) for face in faces])
    assert after < 0.6 * before, (before, after)


@pytest.mark.parametrize("corner_xy", [(0, 0), (700, 400)])
def test_no_face_is_added_or_lost_and_none_takes_anothers_place(
    scene_bgr: BgrImage, pack: VisionPack, corner_xy: tuple[int, int]
) -> None:
    frame = a_frame(in_a_large_picture(scene_bgr, pack, 20, corner_xy)[0])
    coarse = pack.detector.detect(frame.reduced_bgr).scaled(frame.scale_xy)
    faces = faces_in(frame, pack)
    assert len(coarse) > 1 and [face.score for face in faces] == coarse.scores.tolist()
    middles = (coarse.boxes_xyxy[:, :2] + coarse.boxes_xyxy[:, 2:]) / 2
    for index, face in enumerate(faces):
        away = np.linalg.norm(middles - (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2, axis=1)
        assert int(np.argmin(away)) == index


def test_the_same_picture_gives_the_same_faces(scene_bgr: BgrImage, pack: VisionPack) -> None:
    frame = a_frame(in_a_large_picture(scene_bgr, pack, 20, (700, 400))[0])
    first, second = faces_in(frame, pack), faces_in(frame, pack)
    assert [f.landmarks.tobytes() for f in first] == [f.landmarks.tobytes() for f in second]


def test_a_face_cut_by_the_edge_of_the_picture_is_still_a_face(scene_bgr: BgrImage, pack: VisionPack) -> None:
    whole, true = in_a_large_picture(scene_bgr, pack, 24, (700, 400))
    eye_x = int(true[0, :, 0].min()) - 8
    picture = np.ascontiguousarray(whole[:, eye_x : eye_x + 960])
    frame = a_frame(picture)
    assert len(faces_in(frame, pack)) == len(pack.detector.detect(frame.reduced_bgr)) > 0


def test_a_picture_without_faces_gives_none(pack: VisionPack) -> None:
    assert faces_in(a_frame(a_picture()), pack) == []
    placed, scores = look_closer(a_picture(), no_detections(), (3.0, 3.0), FakeDetector(BOX))
    assert len(placed) == 0 and scores.shape == (0,)


def test_faces_on_a_picture_that_was_not_reduced_are_left_as_they_are(scene_bgr: BgrImage, pack: VisionPack) -> None:
    found = pack.detector.detect(scene_bgr)
    faces = faces_in(a_frame(scene_bgr, shrink=1), pack)
    assert np.array_equal(np.stack([face.landmarks for face in faces]), found.landmarks)


def test_large_faces_are_not_looked_at_again() -> None:
    detector = FakeDetector(BOX)
    coarse = detections(BOX * 3)
    placed, scores = look_closer(a_picture(), coarse, (3.0, 3.0), detector)
    assert detector.asked == 0 and np.array_equal(placed.boxes_xyxy, coarse.boxes_xyxy)
    assert np.array_equal(scores, coarse.scores)


def test_a_face_that_is_not_found_again_stays_and_is_not_trusted(pack: VisionPack) -> None:
    coarse = detections(BOX, 0.95)
    placed, scores = look_closer(a_picture(), coarse, (3.0, 3.0), FakeDetector(np.empty((0, 4), np.float32)))
    assert np.array_equal(placed.landmarks, coarse.landmarks) and placed.scores == coarse.scores
    assert scores.tolist() == [UNSEEN_SCORE]
    blind = replace(pack, detector=FakeDetector(BOX / 3, 0.95))
    (face,) = faces_in(a_frame(a_picture()), blind)
    assert face.score == pytest.approx(0.95) and Reason.DETECTOR_UNSURE in face.quality.failed


@pytest.mark.parametrize(("coarse", "closer"), [(0.7, 0.9), (0.9, 0.7)])
def test_the_gate_hears_the_less_certain_of_both_looks(coarse: float, closer: float) -> None:
    detector = FakeDetector(np.array([40, 40, 110, 120]), closer)
    placed, scores = look_closer(a_picture(), detections(BOX, coarse), (3.0, 3.0), detector)
    assert scores[0] == np.float32(0.7) and placed.scores[0] == np.float32(coarse)


def test_inputs_are_not_changed() -> None:
    coarse = detections(BOX)
    before = coarse.boxes_xyxy.copy(), coarse.landmarks.copy(), coarse.scores.copy()
    placed, _ = look_closer(a_picture(), coarse, (3.0, 3.0), FakeDetector(np.array([40, 40, 110, 120])))
    assert not np.array_equal(placed.boxes_xyxy, coarse.boxes_xyxy)
    for array, kept in zip((coarse.boxes_xyxy, coarse.landmarks, coarse.scores), before, strict=True):
        assert np.array_equal(array, kept)


def test_a_neighbour_is_never_taken() -> None:
    beside = BOX + np.array([55, 0, 55, 0], np.float32)
    between = BOX + np.array([27.5, 0, 27.5, 0], np.float32)
    coarse = np.stack([BOX, beside])
    assert same_face(beside[None], coarse, 0) is None
    assert same_face(between[None], coarse, 0) is None and same_face(between[None], coarse, 1) is None
    assert same_face(np.stack([beside, BOX]), coarse, 0) == 1
    assert same_face(np.empty((0, 4), np.float32), coarse, 0) is None


@pytest.mark.parametrize("box", [BOX, BOX - 140, BOX + np.array([1790, 940, 1790, 940]), BOX - 5000])
def test_a_point_of_the_cut_goes_back_to_where_it_was(box: FloatArray) -> None:
    square = square_around(box.astype(np.float32))
    assert square.side_px == 120 and cut(a_picture(), square).shape == (160, 160, 3)
    back = out_of(square, detections(np.array([0, 0, 160, 160])))
    assert back.boxes_xyxy[0].tolist() == [square.left, square.top, square.left + 120, square.top + 120]


def test_what_lies_outside_the_picture_is_black() -> None:
    seen = cut(a_picture(), Square(-80, -80, 160))
    assert seen[:80].max() == 0 and seen[:, :80].max() == 0 and seen[80:, 80:].min() == 110
    assert cut(np.empty((0, 0, 3), np.uint8), Square(-5, -5, 10)).max() == 0
