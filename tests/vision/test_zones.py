"""Zones: which points lie where, and which polygons are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.zones import Point, Zone, ZoneKind, Zones, overlap_share, polygon_area, polygon_problem

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
ARROW = ((0.1, 0.1), (0.9, 0.5), (0.1, 0.9), (0.4, 0.5))
KINDS = list(ZoneKind)

share = st.floats(0, 1, allow_subnormal=False)
points = st.lists(st.tuples(share, share), max_size=20).map(lambda pairs: np.array(pairs).reshape(-1, 2))


def zones(**polygons: tuple[Point, ...]) -> Zones:
    return Zones(tuple(Zone(ZoneKind(kind), kind, polygon) for kind, polygon in polygons.items()))


def holds(those: Zones, kind: str, *points_xy: Point) -> list[bool]:
    return [bool(held) for held in those.holds(kind, np.array(points_xy, dtype=np.float64).reshape(-1, 2))]


@pytest.mark.parametrize("kind", KINDS)
def test_no_points_give_no_answers(kind: ZoneKind) -> None:
    for those in (Zones.whole_picture(), zones(counter=LEFT), zones(staff=LEFT)):
        answer = those.holds(kind, np.empty((0, 2)))
        assert answer.shape == (0,)
        assert answer.dtype == np.bool_


@given(points)
def test_without_zones_the_whole_picture_is_the_counter(points_xy: np.ndarray) -> None:
    assert Zones.whole_picture().holds("counter", points_xy).all()
    assert not Zones.whole_picture().holds("staff", points_xy).any()
    assert not Zones.whole_picture().holds("private", points_xy).any()


@given(points)
def test_without_a_counter_zone_the_counter_is_what_is_not_staff(points_xy: np.ndarray) -> None:
    those = zones(staff=ARROW, private=LEFT)

    assert (those.holds("counter", points_xy) == ~those.holds("staff", points_xy)).all()


def test_a_counter_zone_holds_what_lies_in_it_even_where_staff_overlaps() -> None:
    assert holds(zones(counter=LEFT, staff=ARROW), "counter", (0.3, 0.3), (0.6, 0.5)) == [True, False]


@given(points, share, share, share, share)
def test_an_upright_rectangle_holds_what_lies_between_its_sides(
    points_xy: np.ndarray, left: float, top: float, right: float, bottom: float
) -> None:
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    if polygon_problem(corners):
        return
    near = 1e-8
    x, y = points_xy[:, 0], points_xy[:, 1]
    surely_in = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    maybe_in = (x >= left - near) & (x <= right + near) & (y >= top - near) & (y <= bottom + near)

    inside = zones(private=corners).holds("private", points_xy)

    assert (inside | ~surely_in).all()
    assert (~inside | maybe_in).all()


@given(points, st.integers(0, 3), st.booleans())
def test_where_a_polygon_starts_and_which_way_it_turns_does_not_matter(
    points_xy: np.ndarray, start: int, backwards: bool
) -> None:
    turned = ARROW[start:] + ARROW[:start]
    turned = turned[::-1] if backwards else turned

    assert (zones(staff=turned).holds("staff", points_xy) == zones(staff=ARROW).holds("staff", points_xy)).all()


def test_corners_edges_and_the_dent_of_an_arrow() -> None:
    inside = [(0.1, 0.1), (0.9, 0.5), (0.25, 0.3), (0.5, 0.5)]
    outside = [(0.2, 0.5), (0.95, 0.5), (0.1, 0.5)]

    assert holds(zones(staff=ARROW), "staff", *inside, *outside) == [True] * 4 + [False] * 3


def test_points_beyond_the_picture_count_as_on_its_edge_and_no_numbers_as_nowhere() -> None:
    assert holds(zones(staff=LEFT), "staff", (-0.2, 0.5), (0.3, 1.4), (1.2, 0.5)) == [True, True, False]
    assert holds(Zones.whole_picture(), "counter", (math.nan, 0.5), (math.inf, 0.5)) == [False, False]


def test_points_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="expected shape any × 2, got 3 × 3"):
        Zones.whole_picture().holds("counter", np.zeros((3, 3)))


def test_points_are_not_changed() -> None:
    points_xy = np.array([[-1.0, 2.0]])

    Zones.whole_picture().holds("counter", points_xy)

    assert points_xy.tolist() == [[-1.0, 2.0]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 5), (64, 36)])
def test_a_mask_says_of_each_pixel_what_holds_says_of_its_centre(kind: ZoneKind, width: int, height: int) -> None:
    those = zones(staff=ARROW, private=LEFT)
    y, x = np.mgrid[0:height, 0:width]
    centres = np.column_stack([(x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height])

    mask = those.mask(kind, width, height)

    assert mask.shape == (height, width)
    assert (mask.ravel() == those.holds(kind, centres)).all()


def test_a_masks_share_is_the_zones_area() -> None:
    assert zones(staff=ARROW).mask("staff", 400, 400).mean() == pytest.approx(polygon_area(ARROW), abs=0.005)


def test_a_mask_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0 × 5"):
        Zones.whole_picture().mask("counter", 0, 5)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ((), "expected at least 3 points, found 0"),
        (LEFT[:2], "expected at least 3 points, found 2"),
        (((0, 0), (1, 0), (960, 540)), r"from 0 to 1, found \[960, 540\] at point 3"),
        (((0, 0), (1, 0), (math.nan, 1)), "from 0 to 1"),
        (((0, 0), (0.5, 0.5), (1, 1)), "expected an area"),
        (((0, 0), (0, 0), (0, 0)), "expected an area"),
        (((0, 0), (1, 1), (1, 0), (0, 1)), "found sides 1 and 3 crossing"),
    ],
)
def test_what_is_no_polygon_is_refused(polygon: tuple[Point, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Zone(ZoneKind.STAFF, "behind", polygon)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kitchen"):
        Zones.whole_picture().holds("kitchen", np.empty((0, 2)))


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (LEFT, 1.0),
        (((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), 0.0),
        (((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)), 0.5),
        (((0.1, 0.1), (0.11, 0.1), (0.11, 0.11)), 1.0),
        (((0.495, 0.3), (0.595, 0.3), (0.595, 0.4), (0.495, 0.4)), 0.05),
        (((0.0, 0.0), (1.0, 1.0), (0.0, 1.0)), 0.75),
    ],
)
def test_polygons_share_what_they_share_of_the_smaller(other: tuple[Point, ...], shared: float) -> None:
    assert overlap_share(LEFT, other) == pytest.approx(shared, abs=0.011)
    assert overlap_share(other, LEFT) == overlap_share(LEFT, other) or polygon_area(other) == polygon_area(LEFT)
