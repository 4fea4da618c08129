"""Footage that keeps what was decoded: tests look at the same window for many people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_agent.footage import Cut, Footage, OnDamage, Stretch, TimeWindow
from edge_agent.private_zones import PrivateZones
from vision.types import Frame


class RememberedFootage:
    """The frames of each look and glance, decoded once."""

    def __init__(self, real: Footage) -> None:
        self._real = real
        self._looks: dict[tuple[Stretch, TimeWindow], tuple[list[Frame], list[str]]] = {}
        self._glances: dict[tuple[TimeWindow, int], list[Frame]] = {}

    def stretches(self, window: TimeWindow) -> list[Stretch]:
        return self._real.stretches(window)

    def look(self, stretch: Stretch, window: TimeWindow, on_damage: OnDamage) -> Iterator[Frame]:
        key = stretch, window
        if key not in self._looks:
            told: list[str] = []
            self._looks[key] = list(self._real.look(stretch, window, told.append)), told
        frames, told = self._looks[key]
        for message in told:
            on_damage(message)
        yield from frames

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        key = window, count
        if key not in self._glances:
            self._glances[key] = self._real.glances(window, count)
        return self._glances[key]

    def recorded_share(self, window: TimeWindow) -> float:
        return self._real.recorded_share(window)

    def cut(self, window: TimeWindow, path: Path, private: PrivateZones | None = None) -> Cut | None:
        return self._real.cut(window, path, private)
