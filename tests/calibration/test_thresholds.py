"""Scores to thresholds: hand-made numbers, then simulated populations whose truth is known."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from calibration.thresholds import (
    GRID,
    MIN_GREY_BAND,
    ErrorCounts,
    accept_at_fmr,
    bootstrap,
    compare,
    count_errors,
    fmr_at,
    fnmr_at,
    held_out_fmr,
    rates_at,
    reject_at_fnmr,
)
from vision.types import FloatArray

MATED = np.array([0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9, 0.95, 0.99], np.float32)
NON_MATED = np.linspace(0.0, 0.5, 101, dtype=np.float32)


def unit(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def population(people: int, pictures: int, seed: int, spread: float = 0.45) -> tuple[FloatArray, np.ndarray]:
    """People as directions in 12 dimensions, pictures scattered around them, some people more than others."""
    rng = np.random.default_rng(seed)
    middle = unit(rng.normal(size=(people, 12)).astype(np.float32))
    own_spread = spread * rng.uniform(0.5, 1.5, people)
    noise = rng.normal(size=(people, pictures, 12)) * own_spread[:, None, None] / math.sqrt(12)
    rows = (middle[:, None] + noise).reshape(people * pictures, 12).astype(np.float32)
    return unit(rows), np.repeat(np.arange(people), pictures).astype(np.int64)


def no_faces() -> tuple[FloatArray, np.ndarray]:
    return np.empty((0, 4), np.float32), np.empty(0, np.int64)


def test_every_picture_is_compared_with_every_other_once():
    embeddings, person = population(5, 3, 0)
    comparisons = compare(embeddings, person)
    pairs = list(combinations(range(15), 2))
    same = sorted(float(embeddings[i] @ embeddings[j]) for i, j in pairs if person[i] == person[j])
    apart = sorted(float(embeddings[i] @ embeddings[j]) for i, j in pairs if person[i] != person[j])
    assert comparisons.mated == pytest.approx(same, abs=1e-6)
    assert comparisons.non_mated == pytest.approx(apart, abs=1e-6)


def test_order_and_numbering_of_people_do_not_matter():
    embeddings, person = population(6, 4, 1)
    shuffled = np.random.default_rng(2).permutation(len(person))
    one, other = compare(embeddings, person), compare(embeddings[shuffled], person[shuffled] * 10 + 7)
    assert one.mated == pytest.approx(other.mated, abs=1e-6)
    assert one.non_mated == pytest.approx(other.non_mated, abs=1e-6)
    assert (one.people, other.people) == (6, 6)


def test_more_pictures_than_a_block_of_rows_are_compared_as_one(monkeypatch: pytest.MonkeyPatch):
    embeddings, person = population(6, 5, 3)
    whole, counted = compare(embeddings, person), count_errors(compare(embeddings, person), 0.5)
    monkeypatch.setattr("calibration.thresholds.BLOCK_ROWS", 7)
    blocks = compare(embeddings, person)
    assert blocks.non_mated == pytest.approx(whole.non_mated, abs=1e-6)
    assert np.array_equal(count_errors(blocks, 0.5).false_matches, counted.false_matches)


def test_a_wrong_shape_is_named_with_what_was_expected():
    with pytest.raises(ValueError, match=r"person: expected shape 3, got 2"):
        compare(np.zeros((3, 4), np.float32), np.zeros(2, np.int64))


def test_no_faces_give_no_comparisons_and_no_rates():
    comparisons = compare(*no_faces())
    rates = rates_at(comparisons, 0.5)
    assert (comparisons.people, len(comparisons.mated), len(comparisons.non_mated)) == (0, 0, 0)
    assert math.isnan(rates.fmr.value) and math.isnan(rates.fnmr.value)
    assert math.isnan(fmr_at(comparisons.non_mated, 0.5)) and math.isnan(fnmr_at(comparisons.mated, 0.5))


def test_one_person_alone_gives_no_strangers():
    comparisons = compare(unit(np.ones((3, 4), np.float32)), np.zeros(3, np.int64))
    assert (len(comparisons.mated), len(comparisons.non_mated)) == (3, 0)
    assert math.isnan(held_out_fmr(comparisons, 0.1))


def test_thresholds_of_nothing_are_refused():
    nothing = np.empty(0, np.float32)
    with pytest.raises(ValueError, match="non-mated"):
        accept_at_fmr(nothing, 1e-3)
    with pytest.raises(ValueError, match="mated"):
        reject_at_fnmr(nothing, 0.01, 0.5)


@pytest.mark.parametrize(
    ("threshold", "fmr", "fnmr"), [(-1.0, 1.0, 0.0), (0.2, 61 / 101, 0.0), (0.5, 1 / 101, 0.1), (0.55, 0.0, 0.2)]
)
def test_rates_of_known_scores(threshold: float, fmr: float, fnmr: float):
    # 0.2 in float32 lies just above the threshold of the same name
    assert fmr_at(NON_MATED, threshold) == pytest.approx(fmr, abs=0.011)
    assert fnmr_at(MATED, threshold) == pytest.approx(fnmr)


@pytest.mark.parametrize("target", [0.001, 0.01, 0.05, 0.2, 0.5, 0.999])
def test_accept_is_the_smallest_threshold_of_the_grid_that_meets_the_target(target: float):
    accept = accept_at_fmr(NON_MATED, target)
    assert fmr_at(NON_MATED, accept) <= target < fmr_at(NON_MATED, accept - GRID)
    assert accept == round(accept, 4)


def test_accept_with_ties_excludes_all_of_them():
    scores = np.array([0.1, 0.3, 0.3, 0.3], np.float32)
    assert fmr_at(scores, accept_at_fmr(scores, 0.5)) == 0


@pytest.mark.parametrize("target", [0.05, 0.1, 0.2, 0.35])
def test_reject_is_the_largest_threshold_that_meets_the_target(target: float):
    reject = reject_at_fnmr(MATED, target, accept=1.0)
    assert fnmr_at(MATED, reject) <= target < fnmr_at(MATED, reject + GRID)


def test_reject_keeps_its_distance_from_accept():
    assert reject_at_fnmr(np.full(50, 0.9, np.float32), 0.01, accept=0.45) == pytest.approx(0.45 - MIN_GREY_BAND)


def test_errors_are_counted_by_person_and_pair():
    embeddings, person = population(5, 4, 4)
    comparisons = compare(embeddings, person)
    counts = count_errors(comparisons, 0.6)
    assert counts.false_matches.sum() / 2 == np.sum(comparisons.non_mated >= 0.6)
    assert counts.false_non_matches.sum() == np.sum(comparisons.mated < 0.6)
    assert np.array_equal(counts.false_matches, counts.false_matches.T)
    assert np.all(np.diagonal(counts.non_mated) == 0) and counts.non_mated.sum() / 2 == len(comparisons.non_mated)


def test_a_draw_weighs_pairs_by_both_people_and_leaves_out_a_person_against_itself():
    rng = np.random.default_rng(5)
    errors = np.triu(rng.integers(0, 5, (4, 4)), 1).astype(float)
    compared = np.triu(np.full((4, 4), 9.0), 1)
    counts = ErrorCounts(errors + errors.T, compared + compared.T, np.zeros(4), np.ones(4))
    draws, _ = bootstrap(counts, seed=3, replicates=50)
    times = np.random.default_rng(3).multinomial(4, np.full(4, 0.25), size=50)
    for rate, drawn in zip(draws, times, strict=True):
        people = np.repeat(np.arange(4), drawn)
        pairs = [(a, b) for a, b in combinations(people, 2) if a != b]
        wanted = sum(errors[min(p), max(p)] for p in pairs) / (9 * len(pairs)) if pairs else math.nan
        assert rate == pytest.approx(wanted, nan_ok=True)


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    comparisons = compare(*population(12, 4, 6))
    one, same, other = (rates_at(comparisons, 0.5, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert (one.fmr.low, one.fmr.high) != (other.fmr.low, other.fmr.high)


def test_an_interval_holds_its_own_rate_and_stays_within_0_and_1():
    for threshold in np.linspace(-1, 1, 9):
        rates = rates_at(compare(*population(3, 2, 7)), float(threshold), replicates=200)
        for estimate in (rates.fmr, rates.fnmr):
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_without_an_error_the_upper_end_is_the_rule_of_three():
    comparisons = compare(*population(10, 4, 8))
    fmr = rates_at(comparisons, 1.01).fmr
    assert (fmr.value, fmr.low) == (0, 0)
    assert fmr.high == pytest.approx(3 / len(comparisons.non_mated))


def test_the_interval_by_person_holds_the_truth_of_a_simulated_population_about_as_often_as_it_says():
    threshold = 0.62
    truth = compare(*population(800, 4, 100))
    fmr, fnmr = fmr_at(truth.non_mated, threshold), fnmr_at(truth.mated, threshold)
    drawn = [rates_at(compare(*population(50, 4, seed)), threshold, replicates=1000) for seed in range(80)]
    held_fmr = np.mean([rates.fmr.low <= fmr <= rates.fmr.high for rates in drawn])
    held_fnmr = np.mean([rates.fnmr.low <= fnmr <= rates.fnmr.high for rates in drawn])
    assert 0.85 <= held_fmr <= 1 and 0.85 <= held_fnmr <= 1


def test_fewer_people_give_a_wider_interval():
    def width(people: int) -> float:
        estimates = [rates_at(compare(*population(people, 4, seed)), 0.62).fnmr for seed in range(8)]
        return float(np.mean([estimate.high - estimate.low for estimate in estimates]))

    assert width(10) > 1.5 * width(60)


def test_more_pictures_of_the_same_people_do_not_make_up_for_people():
    few = [rates_at(compare(*population(12, 12, seed)), 0.62).fnmr for seed in range(6)]
    many = [rates_at(compare(*population(48, 6, seed)), 0.62).fnmr for seed in range(6)]
    # about as many mated comparisons, a quarter of the people
    assert few[0].comparisons > many[0].comparisons
    assert sum(e.high - e.low for e in few) > 1.3 * sum(e.high - e.low for e in many)


def test_on_people_left_out_accept_does_worse_than_on_its_own():
    over = [held_out_fmr(compare(*population(40, 4, seed)), 1e-2) for seed in range(10)]
    assert 1e-2 < float(np.mean(over)) < 3e-2
