"""An empty bed is called like its picture; light, noise and people next to it do not count, a body does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision.bed_presence import changed_share, moving_share
from vision.bed_verdict import CHANGED_LIMIT, MOVING_LIMIT
from vision.presence import GreyImage

WH = (160, 80)
BED = np.zeros((80, 160), bool)
BED[16:64, 20:140] = True


def room(body_levels: float = 0.0, at_px: float = 0.0, seed: int = 0) -> GreyImage:
    """A bed on a floor with tiles; a body that is so many levels darker, at a place."""
    picture = np.full(WH[::-1], 120, np.float32)
    picture[::12], picture[:, ::16] = 95, 95
    picture[16:64, 20:140], picture[24:56, 110:134] = 190, 210
    if body_levels:
        body = np.zeros(WH[::-1], np.float32)
        cv2.ellipse(body, (70, 40), (42, 14), 0, 0, 360, 1.0, -1)
        shift = np.array([[1, 0, at_px], [0, 1, at_px]])
        picture -= body_levels * cv2.warpAffine(body, shift, WH)
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def rooms(body_levels: float = 0.0, sway_px: float = 0.0) -> list[GreyImage]:
    return [room(body_levels, sway_px * np.sin(n), seed=n + 1) for n in range(20)]


EMPTY = room()


def test_an_empty_bed_is_like_its_picture_and_nothing_moves():
    assert changed_share(rooms(), EMPTY, BED) == 0.0
    assert moving_share(rooms(), BED) == 0.0


@pytest.mark.parametrize("levels", [14, 40, 120])
def test_a_body_that_is_hardly_darker_than_the_sheet_changes_the_bed(levels: float):
    assert changed_share(rooms(levels), EMPTY, BED) > 2 * CHANGED_LIMIT


def test_a_body_that_stirs_by_a_pixel_moves():
    assert moving_share(rooms(30, sway_px=1.0), BED) > MOVING_LIMIT


@pytest.mark.parametrize(("gain", "lift"), [(0.6, 0.0), (0.85, 10.0), (1.15, 5.0), (1.0, -20.0)])
def test_another_light_is_taken_out_of_an_empty_bed_but_not_of_a_body(gain: float, lift: float):
    def lit(looks: list[GreyImage]) -> list[GreyImage]:
        return [np.clip(look * gain + lift, 0, 255).astype(np.uint8) for look in looks]

    assert changed_share(lit(rooms()), EMPTY, BED) <= CHANGED_LIMIT
    assert changed_share(lit(rooms(60)), EMPTY, BED) > CHANGED_LIMIT


def test_light_that_flickers_does_not_move():
    looks = [np.clip(look * (1 + 0.03 * (n % 3)), 0, 255).astype(np.uint8) for n, look in enumerate(rooms())]
    assert moving_share(looks, BED) <= MOVING_LIMIT


def test_somebody_beside_the_bed_does_not_change_it():
    looks = rooms()
    for look in looks:
        look[66:, 30:70] = 20
    assert changed_share(looks, EMPTY, BED) <= CHANGED_LIMIT


@pytest.mark.parametrize("light", [0.1, 0.3])
def test_a_light_too_different_cannot_be_compared(light: float):
    dim = [np.asarray(look * light, np.uint8) for look in rooms()]
    assert changed_share(dim, EMPTY, BED) is None


def test_another_view_cannot_be_compared():
    elsewhere = [np.ascontiguousarray(np.roll(look, (9, 40), (0, 1))[::-1]) for look in rooms()]
    random = [np.random.default_rng(n).integers(0, 255, EMPTY.shape).astype(np.uint8) for n in range(20)]
    assert changed_share(random, EMPTY, BED) is None
    assert (changed_share(elsewhere, EMPTY, BED) or 1.0) > CHANGED_LIMIT


def test_without_looks_or_a_bed_or_surroundings_nothing_is_told():
    nowhere, everywhere = np.zeros_like(BED), np.ones_like(BED)
    assert changed_share([], EMPTY, BED) is None
    assert moving_share([], BED) is moving_share(rooms()[:2], BED) is None
    for mask in (nowhere, everywhere):
        assert changed_share(rooms(), EMPTY, mask) is moving_share(rooms(), mask) is None
