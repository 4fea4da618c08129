"""A face whose nose and mouth are hidden fails the gate as covered; a bare one does not, however it looks."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.fetch import fetch_asset
from renzheng.contracts import Reason
from vision.align import ARCFACE_POINTS, align_crop
from vision.occlusion import nose_mouth_detail
from vision.pack import VisionPack
from vision.quality import COMPONENTS, assess
from vision.types import BgrImage

LIMIT = next(component for component in COMPONENTS if component.reason is Reason.FACE_COVERED)
FROM_NOSE_ROW, UNDER_NOSE_ROW = 64, 78


@pytest.fixture(scope="module")
def bare(pack: VisionPack) -> list[BgrImage]:
    """Aligned faces of six people, some of them soft."""
    picture = np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)
    return [align_crop(picture, landmarks) for landmarks in pack.detector.detect(picture, 0.6).landmarks]


def masked(crop_bgr: BgrImage, bgr: tuple[int, int, int], top_row: int = FROM_NOSE_ROW, pleats: int = 0) -> BgrImage:
    """The crop with a cloth from ``top_row`` down, shaded to the sides; pleats are so many levels darker."""
    columns = np.arange(112, dtype=np.float64)[None, :, None]
    cloth = np.full((112 - top_row, 112, 3), bgr, np.float64) * (1 - 0.25 * ((columns - 56) / 40) ** 2)
    if pleats:
        cloth[[80 - top_row, 89 - top_row, 98 - top_row]] -= pleats
    covered = crop_bgr.copy()
    covered[top_row:, 22:90] = np.clip(cv2.GaussianBlur(cloth, (0, 0), 0.7), 0, 255)[:, 22:90]
    return covered


def grey(crop_bgr: BgrImage) -> BgrImage:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


CLOTHS = {
    "white": (235, 235, 232),
    "surgical blue": (225, 205, 150),
    "black": (34, 32, 32),
    "skin": (120, 150, 200),
}


def test_faces_that_show_are_not_covered(bare: list[BgrImage]) -> None:
    assert len(bare) == 6
    assert min(nose_mouth_detail(crop) for crop in bare) > LIMIT.fails_at


@pytest.mark.parametrize("cloth", CLOTHS)
@pytest.mark.parametrize("look", [lambda crop: crop, grey], ids=["colour", "grey"])
def test_a_mask_of_any_colour_is_told_in_colour_and_in_grey(
    bare: list[BgrImage], cloth: str, look: Callable[[BgrImage], BgrImage]
) -> None:
    assert max(nose_mouth_detail(look(masked(crop, CLOTHS[cloth]))) for crop in bare) < LIMIT.fails_at


@pytest.mark.parametrize("levels", [20, 40, 60])
def test_pleats_are_not_taken_for_a_mouth(bare: list[BgrImage], levels: int) -> None:
    crops = [masked(crop, CLOTHS["surgical blue"], pleats=levels) for crop in bare]
    assert max(nose_mouth_detail(crop) for crop in crops) < LIMIT.fails_at


def test_a_mask_under_the_nose_is_told_by_the_mouth(bare: list[BgrImage]) -> None:
    crops = [masked(crop, CLOTHS["white"], UNDER_NOSE_ROW) for crop in bare]
    assert max(nose_mouth_detail(crop) for crop in crops) < LIMIT.fails_at


@pytest.mark.parametrize(
    "light",
    [
        lambda crop: crop * 0.3,
        lambda crop: 128 + (crop - 128.0) * 0.3,
        lambda crop: crop * np.linspace(0.3, 1, 112)[None, :, None],
        lambda crop: cv2.GaussianBlur(crop, (0, 0), 1.0),
    ],
    ids=["dark", "flat", "from one side", "soft"],
)
def test_poor_light_and_a_soft_lens_cover_nothing(
    bare: list[BgrImage], light: Callable[[BgrImage], np.ndarray]
) -> None:
    crops = [np.clip(light(crop), 0, 255).astype(np.uint8) for crop in bare]
    assert min(nose_mouth_detail(crop) for crop in crops) > LIMIT.fails_at


def test_a_picture_of_nothing_is_not_called_covered() -> None:
    assert nose_mouth_detail(np.full((112, 112, 3), 90, np.uint8)) == pytest.approx(1.0)


def test_the_gate_refuses_a_masked_face_for_that_reason_and_leaves_the_crop_as_it_is(bare: list[BgrImage]) -> None:
    crop = max(bare, key=nose_mouth_detail)
    before = crop.copy()
    box = np.array([400, 300, 520, 450], np.float32)
    judged = [assess(c, ARCFACE_POINTS * 3, box, (1280, 886), 0.99) for c in (crop, masked(crop, CLOTHS["white"]))]
    assert Reason.FACE_COVERED not in judged[0].failed
    assert Reason.FACE_COVERED in judged[1].failed and judged[1].score == 0
    assert np.array_equal(crop, before)


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="crop_bgr: expected shape 112 × 112 × 3, got 96 × 112 × 3"):
        nose_mouth_detail(np.zeros((96, 112, 3), np.uint8))
