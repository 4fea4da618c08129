"""Where things lie on the drawings, as percentages of their width, so that they stretch while their text does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers laid from 0 % to 100 %."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Axis: expected low before high, got {self.low} and {self.high}")

    def share(self, value: float) -> float:
        """Place of a value, 0 to 100; what lies outside is put on the edge."""
        return 100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        """Place of a value as an SVG length."""
        return f"{self.share(value):.2f}%"

    def width(self, start: float, end: float, least: float = 0.0) -> str:
        """Width of a stretch as an SVG length, at least ``least`` per cent."""
        return f"{max(self.share(end) - self.share(start), least):.2f}%"


def anchor(share: float, edge: float = 8.0) -> str:
    """How a text at this place is anchored so that it does not leave the drawing."""
    if share < edge:
        return "start"
    return "end" if share > 100 - edge else "middle"


def lanes(places: list[float], apart: float, most: int) -> list[int]:
    """A lane for each place, in order, so that marks of one lane lie ``apart``; past ``most`` lanes they overlap."""
    taken: list[float] = []
    chosen: list[int] = []
    for place in places:
        lane = next((i for i, last in enumerate(taken) if place - last >= apart), len(taken))
        if lane >= most:
            lane = min(range(most), key=lambda i: taken[i])
        if lane == len(taken):
            taken.append(place)
        taken[lane] = place
        chosen.append(lane)
    return chosen


def merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping or touching spans made one, in order."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
