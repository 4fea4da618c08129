"""Which rows of a file were there before, in 20 bytes a row: a set of a million ids would take a hundred megabytes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Before(NamedTuple):
    """The line on which a key stood first, and whether it said the same there."""

    line: int
    same: bool


@dataclass
class _Run:
    """Keys in ascending order, with what they said and where; hashes of 64 bits, so two in a million million meet."""

    keys: NDArray[np.int64]
    contents: NDArray[np.int64]
    lines: NDArray[np.int32]

    def merged(self, other: _Run) -> _Run:
        keys = np.concatenate([self.keys, other.keys])
        order = np.argsort(keys, kind="stable")
        contents, lines = np.concatenate([self.contents, other.contents]), np.concatenate([self.lines, other.lines])
        return _Run(keys[order], contents[order], lines[order])


class SeenRows:
    """Takes batches of rows and says which keys were there before."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, rows: Sequence[tuple[Hashable, Hashable, int]]) -> dict[int, Before]:
        """``rows``: key, content and line of each. Answers by index, for those whose key was there before."""
        keys = [hash(key) for key, _, _ in rows]
        first: dict[int, int] = {}
        before: dict[int, Before] = {}
        for index, key in enumerate(keys):
            there = first.setdefault(key, index)
            if there != index:
                before[index] = Before(rows[there][2], hash(rows[there][1]) == hash(rows[index][1]))
        self._look_up(keys, rows, before)
        self._keep([(key, rows[index]) for key, index in first.items() if index not in before])
        return before

    def _look_up(
        self, keys: list[int], rows: Sequence[tuple[Hashable, Hashable, int]], before: dict[int, Before]
    ) -> None:
        asked = np.array(keys, np.int64)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run.keys, asked), len(run.keys) - 1)
            for index in np.flatnonzero(run.keys[places] == asked).tolist():
                place = places[index]
                before[index] = Before(int(run.lines[place]), int(run.contents[place]) == hash(rows[index][1]))

    def _keep(self, fresh: Sequence[tuple[int, tuple[Hashable, Hashable, int]]]) -> None:
        """Runs of like length are merged, so that there are few and each row is moved a few times only."""
        if not fresh:
            return
        keys = np.array([key for key, _ in fresh], np.int64)
        contents = np.array([hash(content) for _, (_, content, _) in fresh], np.int64)
        lines = np.array([line for _, (_, _, line) in fresh], np.int32)
        order = np.argsort(keys, kind="stable")
        run = _Run(keys[order], contents[order], lines[order])
        while self._runs and len(self._runs[-1].keys) <= 2 * len(run.keys):
            run = self._runs.pop().merged(run)
        self._runs.append(run)
