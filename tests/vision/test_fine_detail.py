"""The sharpness measure of the quality gate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision.quality import COMPONENTS, fine_detail_share, light_measures

SHARPNESS = next(component for component in COMPONENTS if component.name == "Sharpness")


def texture(seed: int = 0) -> np.ndarray:
    """Detail of several sizes, as a face has."""
    rng = np.random.default_rng(seed)
    sizes = [
        cv2.resize(rng.normal(0, 1, (side, side)), (112, 112), interpolation=cv2.INTER_CUBIC) for side in (7, 28, 112)
    ]
    return np.clip(128 + 30 * np.sum(sizes, axis=0), 0, 255).astype(np.uint8)


def test_a_flat_picture_has_no_detail():
    assert fine_detail_share(np.full((80, 68), 90, np.uint8)) == 0


def test_the_more_blur_the_less_detail():
    shares = [fine_detail_share(cv2.GaussianBlur(texture(), (0, 0), sigma)) for sigma in (0.3, 1, 2, 3, 4)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > SHARPNESS.good_at and shares[-1] < SHARPNESS.fails_at


@pytest.mark.parametrize("sigmas_xy", [(4, 0.1), (0.1, 4)])
def test_a_smear_in_one_direction_fails_although_the_other_stays_sharp(sigmas_xy: tuple[float, float]):
    smeared = cv2.GaussianBlur(texture(), (0, 0), sigmaX=sigmas_xy[0], sigmaY=sigmas_xy[1])
    assert fine_detail_share(smeared) < SHARPNESS.fails_at < fine_detail_share(texture())


def test_contrast_and_light_leave_sharpness_as_it_is():
    picture = texture().astype(np.float64)
    dim = (20 + picture * 0.5).round().astype(np.uint8)
    assert fine_detail_share(dim) == pytest.approx(fine_detail_share(texture()), abs=0.02)


def test_light_measures_name_every_component_that_is_seen_on_the_crop():
    measured = light_measures(np.repeat(texture()[:, :, None], 3, axis=2))
    assert set(measured) == {"fine_detail_share", "dark_share", "bright_share", "contrast_levels"}
    assert {component.measure for component in COMPONENTS} > set(measured)
