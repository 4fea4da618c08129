"""Each component of the gate fails a picture that was made to fail it, with its own reason."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.fetch import fetch_asset
from renzheng.contracts import Reason, SampleQuality
from vision.align import ARCFACE_POINTS, align_crop
from vision.pack import VisionPack
from vision.quality import COMPONENTS, Component, assess, head_pose_deg, outside_share
from vision.types import BgrImage, FloatArray

FRAME_WH = (1280, 886)
LIMITS = {component.name: component for component in COMPONENTS}
BOX = np.array([400, 300, 520, 450], np.float32)


@pytest.fixture(scope="module")
def good_crop(pack: VisionPack) -> BgrImage:
    """A sharp, evenly lit face."""
    picture = np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)
    found = pack.detector.detect(picture, 0.6)
    crops = [align_crop(picture, landmarks) for landmarks in found.landmarks]
    return max(crops, key=lambda crop: judged(crop).score)


def judged(
    crop_bgr: BgrImage,
    landmarks: FloatArray | None = None,
    box_xyxy: FloatArray = BOX,
    detector_score: float = 0.99,
    enlargement: float = 1.0,
) -> SampleQuality:
    """The gate's view of a crop; landmarks are those of a large upright face unless given."""
    points = ARCFACE_POINTS * 3 if landmarks is None else landmarks
    return assess(crop_bgr, points.astype(np.float32), box_xyxy, FRAME_WH, detector_score, enlargement)


def eyes_apart(pixels: float) -> FloatArray:
    return ARCFACE_POINTS * np.float32(pixels / np.hypot(*(ARCFACE_POINTS[1] - ARCFACE_POINTS[0])))


def turned(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> FloatArray:
    """A large face whose nose stands where it does at that yaw and pitch, found by trial."""
    points = ARCFACE_POINTS * 3
    for _ in range(200):
        yaw, pitch, _roll = head_pose_deg(points)
        points = points.copy()
        points[2] += np.array([(yaw_deg - yaw) * 0.3, (pitch_deg - pitch) * 0.3], np.float32)
    return points


def rolled(degrees: float) -> FloatArray:
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return ((ARCFACE_POINTS * 3 - 168) @ matrix.T + 168).astype(np.float32)


def test_a_good_face_passes(good_crop: BgrImage) -> None:
    quality = judged(good_crop)
    assert quality.failed == ()
    assert quality.score > 0.5
    assert set(quality.components) == set(LIMITS)
    assert set(quality.measures) >= {component.measure for component in COMPONENTS}


Spoil = Callable[[BgrImage], BgrImage]
SPOILT: dict[Reason, list[Spoil]] = {
    Reason.FACE_BLURRED: [
        lambda crop: np.asarray(cv2.GaussianBlur(crop, (0, 0), 6), np.uint8),
        lambda crop: np.asarray(cv2.blur(crop, (25, 1)), np.uint8),
        lambda crop: np.asarray(cv2.blur(crop, (1, 25)), np.uint8),
    ],
    Reason.FACE_TOO_DARK: [lambda crop: (crop * 0.05).astype(np.uint8)],
    Reason.FACE_TOO_BRIGHT: [lambda crop: np.asarray(cv2.convertScaleAbs(crop, alpha=4, beta=90), np.uint8)],
    Reason.FACE_LOW_CONTRAST: [lambda crop: (crop * 0.05 + 120).astype(np.uint8)],
}


@pytest.mark.parametrize(
    ("reason", "number"), [(reason, number) for reason, ways in SPOILT.items() for number in range(len(ways))]
)
def test_a_spoilt_face_fails_for_its_own_reason(good_crop: BgrImage, reason: Reason, number: int) -> None:
    quality = judged(SPOILT[reason][number](good_crop))
    assert reason in quality.failed
    assert quality.score == 0.0


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        ("InterEyeDistance", Reason.FACE_TOO_SMALL),
        ("HeadPoseYaw", Reason.HEAD_TURNED),
        ("HeadPosePitch", Reason.HEAD_TURNED),
        ("HeadPoseRoll", Reason.HEAD_TILTED),
        ("CropOfTheFaceImage", Reason.FACE_CUT_OFF),
        ("SingleFacePresent", Reason.DETECTOR_UNSURE),
    ],
)
def test_geometry_fails_at_its_limit_and_not_before(good_crop: BgrImage, component: str, reason: Reason) -> None:
    limit = LIMITS[component]
    better = 0.02 * (limit.good_at - limit.fails_at)
    for raw, failed in ((limit.fails_at - better, (reason,)), (limit.fails_at + better, ()), (limit.good_at, ())):
        assert at_measure(good_crop, component, raw).failed == failed, raw


def at_measure(crop: BgrImage, component: str, raw: float) -> SampleQuality:
    """The good face with one measure of its geometry at ``raw``."""
    match component:
        case "InterEyeDistance":
            return judged(crop, eyes_apart(raw))
        case "HeadPoseYaw":
            return judged(crop, turned(yaw_deg=raw))
        case "HeadPosePitch":
            return judged(crop, turned(pitch_deg=raw))
        case "HeadPoseRoll":
            return judged(crop, rolled(raw - head_pose_deg(ARCFACE_POINTS)[2]))
        case "CropOfTheFaceImage":
            return judged(crop, box_xyxy=np.array([-100 * raw, 300, 100 - 100 * raw, 400], np.float32))
    return judged(crop, detector_score=raw)


def test_several_faults_are_all_told(good_crop: BgrImage) -> None:
    quality = judged((good_crop * 0.02).astype(np.uint8), eyes_apart(5), detector_score=0.1)
    assert {Reason.FACE_TOO_SMALL, Reason.FACE_TOO_DARK, Reason.DETECTOR_UNSURE} <= set(quality.failed)
    assert len(set(quality.failed)) == len(quality.failed)


def test_enlargement_adds_no_pixels(good_crop: BgrImage) -> None:
    limit = LIMITS["InterEyeDistance"].fails_at
    assert judged(good_crop, eyes_apart(1.5 * limit)).failed == ()
    assert judged(good_crop, eyes_apart(1.5 * limit), enlargement=2.0).failed == (Reason.FACE_TOO_SMALL,)
    assert judged(good_crop, eyes_apart(2.4 * limit), enlargement=2.0).failed == ()


# --- the measures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [-40.0, -10.0, 0.0, 25.0, 90.0])
def test_a_roll_is_measured_as_it_is(degrees: float) -> None:
    yaw, pitch, roll = head_pose_deg(rolled(degrees))
    assert roll == pytest.approx(degrees + head_pose_deg(ARCFACE_POINTS)[2], abs=0.1)
    frontal = head_pose_deg(ARCFACE_POINTS)
    assert (yaw, pitch) == pytest.approx(frontal[:2], abs=0.5)


def test_the_template_looks_at_the_camera() -> None:
    assert all(abs(angle) < 1 for angle in head_pose_deg(ARCFACE_POINTS))


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.ones((5, 2)) * 40, ARCFACE_POINTS[[1, 0, 2, 3, 4]]])
def test_degenerate_landmarks_are_turned_away(points: FloatArray) -> None:
    yaw, pitch, _roll = head_pose_deg(np.asarray(points, np.float32))
    assert (yaw, pitch) == (90.0, 90.0)


def test_landmarks_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="landmarks: expected shape 5 × 2, got 4 × 2"):
        head_pose_deg(np.zeros((4, 2), np.float32))


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((10, 10, 20, 20), 0.0),
        ((-10, 10, 10, 20), 0.5),
        ((1270, 876, 1290, 896), 0.75),
        ((-20, -20, -10, -10), 1.0),
        ((0, 0, 1280, 886), 0.0),
    ],
)
def test_the_share_outside_the_picture_is_measured(box: tuple[int, ...], share: float) -> None:
    assert outside_share(np.array(box, np.float32), FRAME_WH) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_component_runs_from_useless_to_good(component: Component) -> None:
    middle = (component.fails_at + component.good_at) / 2
    beyond = component.good_at - component.fails_at
    values = [component.value(raw) for raw in (component.fails_at - beyond, component.fails_at, middle)]
    assert values == [0.0, 0.0, pytest.approx(0.5)]
    assert component.value(component.good_at) == component.value(component.good_at + beyond) == 1.0
