"""Cutting a bed out, turning it, and finding the way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_agent.ward.bed_view import BedGeometry, Turned
from edge_agent.ward.ward_file import Bed
from tests.vision.builders import a_face
from vision.align import ARCFACE_POINTS

FULL_WH = (1280, 720)
POLYGON = [[0.2, 0.3], [0.6, 0.3], [0.6, 0.6], [0.2, 0.6]]


def a_geometry(head: float | str = "right", polygon: list[list[float]] | None = None) -> BedGeometry:
    bed = Bed.model_validate({"id": "1", "camera": "c", "polygon": polygon or POLYGON, "head": head})
    return BedGeometry(bed, FULL_WH)


def a_picture() -> np.ndarray:
    xs, ys = np.meshgrid(np.arange(FULL_WH[0]), np.arange(FULL_WH[1]))
    return np.dstack([xs % 251, ys % 241, (xs + ys) % 239]).astype(np.uint8)


@pytest.mark.parametrize(("head", "turns"), [("up", 0), ("right", 1), ("down", 2), ("left", 3)])
def test_a_quarter_turn_moves_pixels_and_changes_none(head: str, turns: int):
    corners = np.array([[200.0, 100.0], [600.0, 100.0], [600.0, 300.0], [200.0, 300.0]])
    degrees = {"up": 0.0, "right": 90.0, "down": 180.0, "left": 270.0}[head]
    cut = Turned.around(corners, degrees).cut(a_picture())
    assert np.array_equal(cut, np.rot90(a_picture()[100:300, 200:600], turns))


@pytest.mark.parametrize("degrees", [0.0, 37.0, 90.0, 211.5, 270.0])
def test_a_point_of_the_cut_finds_its_way_back(degrees: float):
    corners = np.array([[200.0, 100.0], [600.0, 100.0], [600.0, 300.0], [200.0, 300.0]])
    turned = Turned.around(corners, degrees)
    points = np.array([[250.0, 150.0], [599.0, 120.0]])
    there = points @ turned.to_cut[:, :2].T + turned.to_cut[:, 2]
    assert np.allclose(turned.back(there), points, atol=1e-3)
    assert (there >= -1).all() and (there <= np.array(turned.cut_wh)).all()


@pytest.mark.parametrize("degrees", [0.0, 37.0, 90.0, 180.0, 300.0])
def test_what_points_to_the_head_points_up_in_the_cut(degrees: float):
    turned = Turned.around(np.array([[0.0, 0.0], [1280.0, 0.0], [1280.0, 720.0], [0.0, 720.0]]), degrees)
    crown = np.array([np.sin(np.deg2rad(degrees)), -np.cos(np.deg2rad(degrees))])
    assert np.allclose(turned.to_cut[:, :2] @ crown, [0, -1], atol=1e-6)


def test_a_bed_at_the_edge_of_the_picture_keeps_inside_it():
    geometry = a_geometry(polygon=[[0, 0], [0.3, 0], [0.3, 0.2], [0, 0.2]])
    assert geometry.upright.cut(a_picture() | 1).min() >= 1


def test_the_mask_covers_the_bed_and_not_its_margin():
    mask = a_geometry().mask
    share = float(mask.mean())
    bed_area = (0.4 * 1280) * (0.3 * 720)
    cut_wh = a_geometry().upright.cut_wh
    assert share == pytest.approx(bed_area / (cut_wh[0] * cut_wh[1]), rel=0.03)
    assert not mask[0].any() and not mask[:, 0].any()


def a_lying_face(turn_deg: float, middle_xy: tuple[float, float] = (500.0, 300.0)):
    """A face whose crown points ``turn_deg`` clockwise from up."""
    cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    turn = np.array([[cos, -sin], [sin, cos]])
    return a_face(middle_xy=middle_xy, landmarks=((ARCFACE_POINTS - 56) @ turn.T + middle_xy).astype(np.float32))


@pytest.mark.parametrize(
    ("head", "face_deg", "lies"),
    [
        ("right", 90, True), ("right", 60, True), ("right", 50, False), ("right", 0, False), ("right", 270, False),
        ("left", 270, True), ("left", 300, True), ("left", 90, False), ("down", 180, True), ("down", -170, True),
        ("up", 0, False), (50.0, 50, False), (61.0, 61, True), (300.0, 300, False),
    ],
)  # fmt: skip
def test_a_face_lies_when_its_crown_points_where_the_bed_says(head: float | str, face_deg: float, lies: bool):
    assert a_geometry(head).lies(a_lying_face(face_deg)) is lies


def test_a_face_beside_the_bed_does_not_lie_in_it():
    assert not a_geometry().lies(a_lying_face(90, (800.0, 300.0)))
    assert not a_geometry().lies(a_lying_face(90, (500.0, 460.0)))


def test_a_bed_whose_heads_point_up_is_looked_at_once():
    assert len(a_geometry("up").views) == 1
    assert len(a_geometry("down").views) == 2


def test_a_look_is_reduced_and_its_whole_picture_is_the_cut():
    frame = a_geometry("right").views[0].as_frame(a_picture(), 5.0)
    assert max(frame.reduced_bgr.shape[:2]) == 640
    assert frame.full_bgr.shape[:2] == frame.full_wh[::-1]
    assert cv2.resize(frame.full_bgr, None, fx=1, fy=1).shape[0] > frame.full_bgr.shape[1]
