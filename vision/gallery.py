"""Comparing probes with templates: exact cosine similarity, one to one and one to many.

Everything is a float32 matrix product. A million templates of 128 values are 512 MB; a search reads them once,
block by block, and keeps only the best. One probe alone is bound by the memory's bandwidth, which ``vecdot`` reaches
and a matrix-vector product of BLAS does not (``make bench``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vision.types import FloatArray, Template, expect_shape

BLOCK_ROWS = 32_768


def unit_rows(rows: npt.NDArray[np.floating]) -> FloatArray:
    """N × D rows scaled to length 1; a zero row stays zero."""
    expect_shape("rows", rows, (None, None))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)


class WeightedMean(NamedTuple):
    """The weighted mean of unit rows: its direction (D,), and its length, which is 1 when all rows agree."""

    direction: FloatArray
    concentration: float


def weighted_mean(unit_rows_nd: FloatArray, weights: FloatArray) -> WeightedMean:
    """Quality-weighted mean of N × D unit rows. Raises ``ValueError`` for N = 0."""
    expect_shape("unit_rows_nd", unit_rows_nd, (len(weights), None))
    if not len(weights):
        raise ValueError("weighted_mean: expected at least one row, got none")
    mean = (unit_rows_nd.astype(np.float64) * weights[:, None]).sum(axis=0) / float(weights.sum())
    length = float(np.linalg.norm(mean))
    return WeightedMean((mean / max(length, 1e-12)).astype(np.float32), min(1.0, length))


class Best(NamedTuple):
    """The template a probe is nearest to."""

    cosine: float
    row: int


def best_template(probe: FloatArray, templates: FloatArray) -> Best | None:
    """Nearest of M × D unit templates to one unit probe (D,); ``None`` when there is none."""
    if not len(templates):
        return None
    cosines = templates @ probe
    row = int(np.argmax(cosines))
    return Best(float(cosines[row]), row)


class Hits(NamedTuple):
    """Best matches of Q probes, best first: cosines (Q, k) and rows (Q, k) of the gallery."""

    cosines: FloatArray
    rows: npt.NDArray[np.int64]


class Gallery:
    """Templates of one pack, searched exactly.

    ``embeddings`` is M × D float32 of unit rows and is not copied; ``person_ids`` names each row.
    """

    def __init__(self, embeddings: FloatArray, person_ids: Sequence[str]) -> None:
        expect_shape("Gallery.embeddings", embeddings, (len(person_ids), None))
        if embeddings.dtype != np.float32:
            raise ValueError(f"Gallery.embeddings: expected float32, got {embeddings.dtype}")
        self.embeddings = embeddings
        self.person_ids = person_ids

    @classmethod
    def of(cls, templates: Sequence[Template], size: int) -> Gallery:
        """A gallery of templates of ``size`` values each. Raises ``ValueError`` when packs are mixed."""
        packs = {template.pack for template in templates}
        if len(packs) > 1:
            raise ValueError(f"Gallery: expected templates of one pack, got {', '.join(sorted(packs))}")
        rows = np.stack([template.embedding for template in templates]) if templates else np.empty((0, size))
        return cls(rows.astype(np.float32), [template.person_id for template in templates])

    def __len__(self) -> int:
        return len(self.embeddings)

    def search(self, probes: FloatArray, count: int = 1) -> Hits:
        """The ``count`` nearest rows of each of Q × D unit probes; fewer columns when the gallery is smaller.

        Equal cosines are ordered by row, so the answer does not depend on the block size.
        """
        expect_shape("probes", probes, (None, self.embeddings.shape[1]))
        count = min(count, len(self))
        best = np.full((len(probes), count), -np.inf, dtype=np.float32)
        rows = np.full((len(probes), count), -1, dtype=np.int64)
        if not count or not len(probes):
            return Hits(best, rows)
        for start in range(0, len(self), BLOCK_ROWS):
            block = self.embeddings[start : start + BLOCK_ROWS]
            cosines = (block @ probes.T).T if len(probes) > 1 else np.vecdot(block, probes[0])[None]
            for index in np.flatnonzero(cosines.max(axis=1) > best[:, -1]):
                _keep_best(best[index], rows[index], cosines[index], start)
        return Hits(best, rows)


def _keep_best(best: FloatArray, rows: npt.NDArray[np.int64], cosines: FloatArray, start: int) -> None:
    """Merge one block's cosines into one probe's running best, in place."""
    better = np.flatnonzero(cosines > best[-1])
    all_cosines = np.concatenate([best, cosines[better]])
    all_rows = np.concatenate([rows, better + start])
    order = np.lexsort((all_rows, -all_cosines))[: len(best)]
    best[:], rows[:] = all_cosines[order], all_rows[order]
