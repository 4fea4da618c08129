"""Somebody without a face, and pictures that are fit for nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from renzheng.contracts import Reason
from tests.vision.builders import FRAME_WH, a_face
from vision.presence import (
    SMALL_WIDTH_PX,
    GreyImage,
    body_mask,
    edge_strength,
    is_frozen,
    picture_faults,
    small_grey,
    unexplained_presence,
    usual_picture,
)
from vision.verdict import PRESENCE_LIMIT

SHAPE_HW = (90, SMALL_WIDTH_PX)
EVERYWHERE = np.ones(SHAPE_HW, np.bool_)


def room(seed: int = 0, noise: float = 2.0) -> GreyImage:
    """Shelves over a counter, as a noisy sensor sees them."""
    picture = np.full(SHAPE_HW, 140, np.uint8)
    for column in range(10):
        cv2.rectangle(picture, (4 + 16 * column, 10), (13 + 16 * column, 50), 80 + 12 * column % 90, -1)
    picture[60:] = 100
    grain = np.random.default_rng(seed).normal(0, noise, SHAPE_HW)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def with_figure(picture: GreyImage, left: int = 60, width: int = 30, level: int = 25) -> GreyImage:
    """Somebody's back before the shelves."""
    out = picture.copy()
    out[25:, left : left + width] = level
    return out


def looks(*pictures: GreyImage, step_s: float = 0.2) -> list[tuple[float, GreyImage]]:
    return [(number * step_s, picture) for number, picture in enumerate(pictures)]


EMPTY = [room(seed) for seed in range(8)]
USUAL = room(noise=0.0)


def test_an_empty_room_holds_nobody() -> None:
    assert unexplained_presence(looks(*EMPTY), USUAL, [], EVERYWHERE) <= PRESENCE_LIMIT / 3


def test_somebody_who_stands_with_the_back_to_the_camera_is_there() -> None:
    seen = looks(*(with_figure(picture) for picture in EMPTY))
    assert unexplained_presence(seen, USUAL, [], EVERYWHERE) > 3 * PRESENCE_LIMIT


def test_somebody_who_moves_is_there_even_where_the_usual_shows_the_same() -> None:
    pictures = [with_figure(picture, left=10 + 12 * number, level=95) for number, picture in enumerate(EMPTY)]
    dim = np.full(SHAPE_HW, 100, np.uint8)
    assert unexplained_presence(looks(*pictures), dim, [], EVERYWHERE) > PRESENCE_LIMIT


def test_what_is_gone_in_a_moment_is_nobody() -> None:
    seen = looks(*EMPTY[:3], with_figure(EMPTY[3]), *EMPTY[4:])
    assert unexplained_presence(seen, USUAL, [], EVERYWHERE) <= PRESENCE_LIMIT


@pytest.mark.parametrize("shift", [-40, 30])
def test_a_change_of_light_is_nobody(shift: int) -> None:
    seen = looks(*(np.clip(picture.astype(np.int16) + shift, 0, 255).astype(np.uint8) for picture in EMPTY))
    assert unexplained_presence(seen, USUAL, [], EVERYWHERE) <= PRESENCE_LIMIT


def test_the_body_under_a_face_is_explained() -> None:
    seen = looks(*(with_figure(picture) for picture in EMPTY))
    scale = FRAME_WH[0] / SMALL_WIDTH_PX
    faces = [a_face(time_s, (75 * scale, 32 * scale), width_px=14 * scale) for time_s, _ in seen]
    assert unexplained_presence(seen, USUAL, faces, EVERYWHERE) <= PRESENCE_LIMIT


def test_a_face_explains_only_the_body_of_its_own_time() -> None:
    seen = looks(*(with_figure(picture) for picture in EMPTY), step_s=1.0)
    scale = FRAME_WH[0] / SMALL_WIDTH_PX
    faces = [a_face(0.0, (75 * scale, 32 * scale), width_px=14 * scale)]
    assert unexplained_presence(seen, USUAL, faces, EVERYWHERE) > PRESENCE_LIMIT


def test_what_stands_outside_the_zone_does_not_count() -> None:
    zone = EVERYWHERE.copy()
    zone[:, 55:] = False
    seen = looks(*(with_figure(picture) for picture in EMPTY))
    assert unexplained_presence(seen, USUAL, [], zone) <= PRESENCE_LIMIT


def test_without_looks_zone_or_usual_picture_nothing_can_be_excluded() -> None:
    assert unexplained_presence([], USUAL, [], EVERYWHERE) == 1.0
    assert unexplained_presence(looks(*EMPTY), USUAL, [], ~EVERYWHERE) == 1.0
    assert unexplained_presence(looks(*EMPTY), None, [], EVERYWHERE) == 1.0


def test_a_body_reaches_down_to_the_foot_of_the_picture() -> None:
    scale = FRAME_WH[0] / SMALL_WIDTH_PX
    mask = body_mask([a_face(0.0, (80 * scale, 30 * scale), width_px=10 * scale)], SHAPE_HW)
    assert mask[-1, 80]
    assert mask[30, 80]
    assert not mask[5, 80]
    assert not mask[-1, 20]
    assert not body_mask([], SHAPE_HW).any()


# --- the usual picture -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("with_somebody", "without"), [(2, 9), (4, 7), (5, 6)])
def test_who_stands_there_in_less_than_half_of_the_glances_is_not_usual(with_somebody: int, without: int) -> None:
    glances = [with_figure(room(seed)) for seed in range(with_somebody)] + [room(99 + seed) for seed in range(without)]
    usual = usual_picture(glances)
    assert usual is not None
    assert np.abs(usual.astype(np.int16) - USUAL)[30:, 62:88].max() <= 8


def test_many_different_customers_are_not_usual_even_when_there_is_always_one() -> None:
    glances = [with_figure(room(seed), level=20 + 37 * seed % 200) for seed in range(8)] + [
        room(77),
        room(78),
        room(79),
    ]
    usual = usual_picture(glances)
    assert usual is not None
    assert np.mean(np.abs(usual.astype(np.int16) - USUAL)[30:55, 62:88] <= 8) > 0.9


def test_without_glances_nothing_is_usual() -> None:
    assert usual_picture([]) is None


# --- faults of the whole picture -------------------------------------------------------------------------------------


def test_a_good_picture_has_no_fault() -> None:
    assert picture_faults(EMPTY, USUAL) == ()
    assert picture_faults(EMPTY, None) == ()
    assert picture_faults([], USUAL) == ()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda grey: (grey * 0.05).astype(np.uint8), Reason.PICTURE_DARK),
        (lambda grey: np.clip(grey.astype(np.float32) * 0.1 + 240, 0, 255).astype(np.uint8), Reason.PICTURE_BRIGHT),
        (lambda grey: np.full_like(grey, 128), Reason.NO_PICTURE),
        (lambda grey: cv2.GaussianBlur(grey, (0, 0), 8), Reason.PICTURE_BLURRED),
    ],
)
def test_a_spoiled_picture_says_what_is_wrong(spoil: object, reason: Reason) -> None:
    assert callable(spoil)
    spoiled = [spoil(picture) for picture in EMPTY]
    assert reason in picture_faults(spoiled, USUAL)
    assert reason in picture_faults(spoiled[:5] + EMPTY[:3], USUAL)
    assert reason not in picture_faults(spoiled[:4] + EMPTY[:4], USUAL)


def test_edges_fall_with_blur() -> None:
    assert edge_strength(cv2.GaussianBlur(USUAL, (0, 0), 3).astype(np.uint8)) < edge_strength(USUAL) / 2


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (640, 360), (100, 400), (320, 1)])
def test_every_picture_becomes_as_wide(width: int, height: int) -> None:
    grey = small_grey(np.full((height, width, 3), 77, np.uint8))
    assert grey.shape == (max(1, round(height * SMALL_WIDTH_PX / width)), SMALL_WIDTH_PX)
    assert (grey == 77).all()


def test_a_body_does_not_vanish_in_a_zone_drawn_too_large() -> None:
    usual, back = room(1), with_figure(room(2), left=70, width=14)
    seen = looks(*(with_figure(room(seed), left=70, width=14) for seed in range(5)))
    body_share_of_picture = 14 * (back.shape[0] - 25) / back.size
    assert body_share_of_picture < 0.07
    assert unexplained_presence(seen, usual, [], EVERYWHERE) > 2.5 * body_share_of_picture


def test_a_picture_that_never_changes_for_minutes_is_frozen() -> None:
    still = room(3)
    glances = [(-400.0, still), (-200.0, still), (250.0, still)]
    assert is_frozen(looks(still, still, still), glances)


def test_a_quiet_room_is_not_frozen_because_a_sensor_has_noise() -> None:
    glances = [(-400.0, room(4)), (250.0, room(5))]
    assert not is_frozen(looks(room(6), room(7)), glances)


def test_too_little_footage_says_nothing_of_a_freeze() -> None:
    still = room(3)
    assert not is_frozen(looks(still, still), [(-100.0, still)])
    assert not is_frozen([], [])
