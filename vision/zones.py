"""Zones of a camera's picture: polygons in coordinates relative to it, from (0, 0) top left to (1, 1) bottom right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from vision.types import expect_shape

Point = tuple[float, float]
BoolArray = npt.NDArray[np.bool_]
FloatPoints = npt.NDArray[np.floating]

CORNERS_MIN = 3
AREA_MIN = 1e-6
"""Smallest area of a zone, in shares of the picture: two pixels of a 1080p picture."""
ON_EDGE = 1e-9
"""So near an edge, in shares of the picture, a point is on it, and a point on an edge is inside."""


RASTER = 100
"""Points across and down a polygon that its overlap with another is counted on."""


class ZoneKind(StrEnum):
    """What a zone is for."""

    COUNTER = "counter"
    STAFF = "staff"
    PRIVATE = "private"


@dataclass(frozen=True)
class Zone:
    """One polygon. Raises ``ValueError`` that says what was expected of the polygon."""

    kind: ZoneKind
    name: str
    polygon: tuple[Point, ...]

    def __post_init__(self) -> None:
        if problem := polygon_problem(self.polygon):
            raise ValueError(problem)


@dataclass(frozen=True)
class Zones:
    """The zones of one camera."""

    zones: tuple[Zone, ...] = ()

    @classmethod
    def whole_picture(cls) -> Zones:
        """No zones drawn: the whole picture is the counter."""
        return cls()

    def of_kind(self, kind: ZoneKind | str) -> tuple[Zone, ...]:
        """The zones of one kind, in the order they were drawn."""
        wanted = ZoneKind(kind)
        return tuple(zone for zone in self.zones if zone.kind == wanted)

    def holds(self, kind: ZoneKind | str, points_xy_relative: FloatPoints) -> BoolArray:
        """Which of the N × 2 points lie in a zone of the kind; N may be 0. Returns N truth values.

        Points beyond the picture count as on its edge, points on an edge as inside, points that are not numbers as
        nowhere. Without a counter zone the counter is the picture less the staff zones.
        """
        points = np.asarray(points_xy_relative, dtype=np.float64)
        expect_shape("Zones.holds: points_xy_relative", points, (None, 2))
        numbers = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
        points = np.clip(np.where(numbers[:, None], points, 0.0), 0.0, 1.0)
        if ZoneKind(kind) is ZoneKind.COUNTER and not self.of_kind(kind):
            return numbers & ~self._in_any(ZoneKind.STAFF, points)
        return numbers & self._in_any(ZoneKind(kind), points)

    def mask(self, kind: ZoneKind | str, width: int, height: int) -> BoolArray:
        """Height × width: which pixels have their centre in a zone of the kind."""
        if width < 1 or height < 1:
            raise ValueError(f"Zones.mask: expected a width and height of 1 or more, got {width} × {height}")
        x = (np.arange(width) + 0.5) / width
        rows = [np.column_stack([x, np.full(width, (row + 0.5) / height)]) for row in range(height)]
        return np.stack([self.holds(kind, row) for row in rows])

    def _in_any(self, kind: ZoneKind, points_xy: npt.NDArray[np.float64]) -> BoolArray:
        inside = np.zeros(len(points_xy), dtype=np.bool_)
        for zone in self.of_kind(kind):
            inside |= in_polygon(points_xy, np.asarray(zone.polygon, dtype=np.float64))
        return inside


def in_polygon(points_xy: npt.NDArray[np.float64], polygon_xy: npt.NDArray[np.float64]) -> BoolArray:
    """Which of the N × 2 points lie in or on the M × 2 polygon.

    A point is inside when a ray from it to the right crosses the outline an odd number of times (the even-odd rule).
    """
    x, y = points_xy[:, 0], points_xy[:, 1]
    odd = np.zeros(len(points_xy), dtype=np.bool_)
    on_edge = np.zeros(len(points_xy), dtype=np.bool_)
    for (ax, ay), (bx, by) in zip(polygon_xy, np.roll(polygon_xy, -1, axis=0), strict=True):
        if ay != by:
            crosses = (ay > y) != (by > y)
            odd ^= crosses & (x < ax + (y - ay) * (bx - ax) / (by - ay))
        on_edge |= _distance_to_edge(x, y, (ax, ay), (bx, by)) <= ON_EDGE
    return odd | on_edge


def _distance_to_edge(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], a: Point, b: Point
) -> npt.NDArray[np.float64]:
    along_x, along_y = b[0] - a[0], b[1] - a[1]
    length_squared = along_x**2 + along_y**2
    if length_squared == 0.0:
        return np.hypot(x - a[0], y - a[1])
    share = np.clip(((x - a[0]) * along_x + (y - a[1]) * along_y) / length_squared, 0.0, 1.0)
    return np.hypot(x - a[0] - share * along_x, y - a[1] - share * along_y)


def polygon_problem(polygon: tuple[Point, ...]) -> str:
    """What is wrong with a polygon, as "expected …, found …"; empty when it can be a zone."""
    if len(polygon) < CORNERS_MIN:
        return f"expected at least {CORNERS_MIN} points, found {len(polygon)}"
    for number, (x, y) in enumerate(polygon, 1):
        if not (math.isfinite(x) and math.isfinite(y) and 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            return f"expected shares of the picture from 0 to 1, found [{x:g}, {y:g}] at point {number}"
    crossing = _first_crossing(polygon)
    if crossing:
        return f"expected an outline that does not cross itself, found sides {crossing[0]} and {crossing[1]} crossing"
    if polygon_area(polygon) < AREA_MIN:
        return "expected an area, found points on one line"
    return ""


def polygon_area(polygon: tuple[Point, ...]) -> float:
    """Area as a share of the picture, by the shoelace formula."""
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def overlap_share(first: tuple[Point, ...], second: tuple[Point, ...]) -> float:
    """How much of the smaller of two polygons lies in the other, 0 to 1; to about a hundredth."""
    smaller, larger = sorted((first, second), key=polygon_area)
    own, other = (np.asarray(polygon, dtype=np.float64) for polygon in (smaller, larger))
    low_xy, high_xy = own.min(axis=0), own.max(axis=0)
    steps = (np.arange(RASTER) + 0.5) / RASTER
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    points = low_xy + grid * (high_xy - low_xy)
    points = points[in_polygon(points, own)]
    return float(in_polygon(points, other).mean()) if len(points) else 0.0


def _first_crossing(polygon: tuple[Point, ...]) -> tuple[int, int] | None:
    """Numbers (from 1) of the first two sides, not neighbours, that cross."""
    sides = list(zip(polygon, polygon[1:] + polygon[:1], strict=True))
    for first in range(len(sides)):
        for second in range(first + 2, len(sides)):
            neighbours = first == 0 and second == len(sides) - 1
            if not neighbours and _cross(*sides[first], *sides[second]):
                return first + 1, second + 1
    return None


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the open segments ab and cd cross at one point."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
