"""From embeddings of known people to decision thresholds and the error rates they stand for.

Every comparison here is of one picture with one picture. A check compares the mean of several samples with the best
of several templates, which does better; so the rates are those of the hardest case, a single sample and one template.

A match is declared at or above the threshold. FMR is the share of non-mated comparisons at or above it, FNMR the
share of mated comparisons below it (ISO/IEC 19795-1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vision.types import FloatArray, expect_shape

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]

GRID = 1e-4
"""Thresholds are multiples of this, so that the file says exactly what was measured."""

MIN_GREY_BAND = 0.10
"""Reject stays at least this far below accept, however well the sample separates. Pictures of a labelled folder are
mostly of one session; between a photo and another day's camera genuine scores lie lower than the folder shows, and a
holder must then end in the grey band, not among the strangers (ADR 3 has such a face)."""

REPLICATES = 2000
CONFIDENCE = 0.95
BLOCK_ROWS = 1024
HELD_OUT_FOLDS = 20


@dataclass(frozen=True)
class Comparisons:
    """Embeddings of known people, in order of person, and every cosine between two of them.

    ``embeddings`` is N × D of unit length, ``person`` (N,) counts 0, 1, 2 … without gaps and never falls; ``rows`` (N,)
    says which row of the input each was. ``mated`` and ``non_mated`` are in rising order, one entry a pair of pictures.
    """

    embeddings: FloatArray
    person: IntArray
    rows: IntArray
    mated: FloatArray
    non_mated: FloatArray

    @property
    def people(self) -> int:
        """How many different people."""
        return int(self.person[-1]) + 1 if len(self.person) else 0

    @cached_property
    def pictures_of(self) -> IntArray:
        """Pictures of each person, (P,)."""
        return np.bincount(self.person, minlength=self.people).astype(np.int64)


def compare(embeddings: FloatArray, person: IntArray) -> Comparisons:
    """Every picture against every other once. ``embeddings`` is N × D, ``person`` (N,) whole numbers; N may be 0."""
    expect_shape("embeddings", embeddings, (None, None))
    expect_shape("person", person, (len(embeddings),))
    order = np.argsort(person, kind="stable").astype(np.int64)
    dense = np.unique(person[order], return_inverse=True)[1].astype(np.int64)
    rows = np.ascontiguousarray(embeddings[order], dtype=np.float32)
    mated: list[FloatArray] = [np.empty(0, np.float32)]
    non_mated: list[FloatArray] = [np.empty(0, np.float32)]
    for start, cosines in _blocks(rows):
        same = dense[start : start + len(cosines), None] == dense[None]
        later = np.arange(len(rows))[None] > np.arange(start, start + len(cosines))[:, None]
        mated.append(cosines[same & later])
        non_mated.append(cosines[~same & later])
    return Comparisons(rows, dense, order, np.sort(np.concatenate(mated)), np.sort(np.concatenate(non_mated)))


def _blocks(embeddings: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """First row and cosines (rows of the block × N), so that memory stays bounded."""
    for start in range(0, len(embeddings), BLOCK_ROWS):
        yield start, embeddings[start : start + BLOCK_ROWS] @ embeddings.T


def fmr_at(non_mated: FloatArray, threshold: float) -> float:
    """Share of the rising ``non_mated`` (K,) at or above the threshold; ``nan`` when there are none."""
    return _share(len(non_mated) - _below(non_mated, threshold), len(non_mated))


def fnmr_at(mated: FloatArray, threshold: float) -> float:
    """Share of the rising ``mated`` (M,) below the threshold; ``nan`` when there are none."""
    return _share(_below(mated, threshold), len(mated))


def _below(rising: FloatArray, threshold: float) -> int:
    return int(np.searchsorted(rising.astype(np.float64), threshold, side="left"))


def _share(errors: float, comparisons: float) -> float:
    return errors / comparisons if comparisons else math.nan


def accept_at_fmr(non_mated: FloatArray, target_fmr: float) -> float:
    """The smallest threshold on the grid of :data:`GRID` whose FMR is at most the target.

    ``non_mated`` is (K,) in rising order. Raises ``ValueError`` when it is empty.
    """
    if not len(non_mated):
        raise ValueError("accept_at_fmr: expected non-mated cosines, got none")
    allowed = math.floor(target_fmr * len(non_mated) + 1e-9)
    if allowed >= len(non_mated):
        return _on_grid(math.floor(float(non_mated[0]) / GRID))
    must_fail = float(non_mated[len(non_mated) - 1 - allowed])
    step = math.floor(must_fail / GRID)
    while _on_grid(step) <= must_fail:
        step += 1
    return _on_grid(step)


def reject_at_fnmr(mated: FloatArray, target_fnmr: float, accept: float) -> float:
    """The largest threshold on the grid whose FNMR is at most the target, at least the grey band below accept.

    ``mated`` is (M,) in rising order. Raises ``ValueError`` when it is empty.
    """
    if not len(mated):
        raise ValueError("reject_at_fnmr: expected mated cosines, got none")
    allowed = math.floor(target_fnmr * len(mated) + 1e-9)
    must_pass = float(mated[min(allowed, len(mated) - 1)])
    step = math.ceil(must_pass / GRID)
    while _on_grid(step) > must_pass:
        step -= 1
    return min(_on_grid(step), _on_grid(math.floor((accept - MIN_GREY_BAND) / GRID + 1e-6)))


def _on_grid(step: int) -> float:
    return round(step * GRID, 4)


@dataclass(frozen=True)
class ErrorCounts:
    """Errors and comparisons at one threshold, by person and by pair of people.

    ``false_matches`` and ``non_mated`` are P × P, symmetric, with a diagonal of zeros; ``false_non_matches`` and
    ``mated`` are (P,).
    """

    false_matches: DoubleArray
    non_mated: DoubleArray
    false_non_matches: DoubleArray
    mated: DoubleArray

    def __post_init__(self) -> None:
        people = len(self.mated)
        expect_shape("ErrorCounts.false_matches", self.false_matches, (people, people))
        expect_shape("ErrorCounts.non_mated", self.non_mated, (people, people))
        expect_shape("ErrorCounts.false_non_matches", self.false_non_matches, (people,))


def count_errors(comparisons: Comparisons, threshold: float) -> ErrorCounts:
    """Who is taken for whom, and who is not recognised, at one threshold."""
    people, pictures = comparisons.people, comparisons.pictures_of.astype(np.float64)
    at_or_above = np.zeros((people, people))
    firsts = np.searchsorted(comparisons.person, np.arange(people))
    for start, cosines in _blocks(comparisons.embeddings):
        rows = np.arange(start, start + len(cosines))
        hits = (cosines.astype(np.float64) >= threshold) & (np.arange(cosines.shape[1])[None] > rows[:, None])
        np.add.at(at_or_above, comparisons.person[rows], np.add.reduceat(hits, firsts, axis=1, dtype=np.float64))
    mated = pictures * (pictures - 1) / 2
    false_non_matches = mated - np.diagonal(at_or_above)
    non_mated = np.outer(pictures, pictures)
    np.fill_diagonal(at_or_above, 0.0)
    np.fill_diagonal(non_mated, 0.0)
    return ErrorCounts(at_or_above + at_or_above.T, non_mated, false_non_matches, mated)


@dataclass(frozen=True)
class Estimate:
    """An error rate with its interval; ``nan`` throughout when nothing was compared."""

    value: float
    low: float
    high: float
    errors: int
    comparisons: int


@dataclass(frozen=True)
class Rates:
    """Both error rates at one threshold."""

    threshold: float
    fmr: Estimate
    fnmr: Estimate


def rates_at(comparisons: Comparisons, threshold: float, *, seed: int = 0, replicates: int = REPLICATES) -> Rates:
    """FMR and FNMR at a threshold with bootstrap intervals by person."""
    counts = count_errors(comparisons, threshold)
    fmr_draws, fnmr_draws = bootstrap(counts, seed=seed, replicates=replicates)
    fmr = _estimate(counts.false_matches.sum() / 2, counts.non_mated.sum() / 2, fmr_draws)
    fnmr = _estimate(counts.false_non_matches.sum(), counts.mated.sum(), fnmr_draws)
    return Rates(threshold, fmr, fnmr)


def bootstrap(counts: ErrorCounts, *, seed: int = 0, replicates: int = REPLICATES) -> tuple[DoubleArray, DoubleArray]:
    """FMR and FNMR of samples of people drawn anew with replacement; each (replicates,).

    Pictures of a person resemble each other, so people are drawn, not comparisons (Bolle, Ratha and Pankanti, "Error
    analysis of pattern recognition systems: the subsets bootstrap", CVIU 93, 2004). With c the number of times each
    person was drawn, a non-mated pair counts the product of both numbers: FMR = cᵀEc / cᵀNc. The diagonal is zero,
    because a person drawn twice is no pair of strangers. A draw without comparisons is ``nan``. On simulated people the
    95 % interval held the true FNMR 92 times in 100 with 50 people, and the true FMR 99 times: drawing people counts
    the chance of a single pair more than once, so the interval of FMR is on the wide side.
    """
    people = len(counts.mated)
    if not people:
        return np.full(replicates, np.nan), np.full(replicates, np.nan)
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=replicates)
    times = drawn.astype(np.float64)
    false_matches = np.einsum("rp,rp->r", times @ counts.false_matches, times)
    non_mated = np.einsum("rp,rp->r", times @ counts.non_mated, times)
    return _divide(false_matches, non_mated), _divide(times @ counts.false_non_matches, times @ counts.mated)


def _divide(errors: DoubleArray, comparisons: DoubleArray) -> DoubleArray:
    return np.divide(errors, comparisons, out=np.full_like(errors, np.nan), where=comparisons > 0)


def _estimate(errors: float, comparisons: float, draws: DoubleArray) -> Estimate:
    """The rate with the percentile interval of its draws.

    Without an error every draw is 0 too; the upper end is then the rule of three, 3 / comparisons.
    """
    if not comparisons:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    value = errors / comparisons
    known = draws[np.isfinite(draws)]
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(x) for x in np.quantile(known, (tail, 1 - tail))) if len(known) else (0.0, 1.0)
    if not errors:
        high = max(high, 3 / comparisons)
    return Estimate(value, min(low, value), min(1.0, max(high, value)), round(errors), round(comparisons))


def held_out_fmr(comparisons: Comparisons, target_fmr: float) -> float:
    """FMR of people against everybody else, at the accept chosen without them; one person in twenty left out at a time.

    An accept meets its target on the very comparisons it was chosen on; this says how it does on somebody new.
    ``nan`` with fewer than three people.
    """
    if comparisons.people < 3:
        return math.nan
    folds = min(HELD_OUT_FOLDS, comparisons.people - 1)
    errors = total = 0
    for fold in range(folds):
        out = comparisons.person % folds == fold
        others = comparisons.embeddings[~out]
        accept = accept_at_fmr(compare(others, comparisons.person[~out]).non_mated, target_fmr)
        cosines = comparisons.embeddings[out] @ others.T
        errors += int(np.sum(cosines.astype(np.float64) >= accept))
        total += cosines.size
    return errors / total
