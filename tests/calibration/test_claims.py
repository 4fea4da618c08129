"""What a sample may claim."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.claims import Claim, fmr_claim, fnmr_claim, people_needed, refuse_small_sample
from calibration.thresholds import Comparisons, compare
from renzheng.errors import BadInput


def sample(people: int, pictures: int) -> Comparisons:
    rows = np.random.default_rng(0).normal(size=(people * pictures, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return compare(rows, np.repeat(np.arange(people), pictures).astype(np.int64))


def test_three_over_the_rate_comparisons_are_enough_and_one_less_is_not():
    assert Claim(1e-4, 30_000, 0).supported
    assert not Claim(1e-4, 29_999, 0).supported


def test_thirty_errors_make_a_rate_precise():
    assert Claim(1e-3, 30_000, 0).precise
    assert not Claim(1e-3, 29_999, 0).precise


def test_units_are_people_and_pairs_of_people_not_comparisons():
    comparisons = sample(43, 10)
    assert (fmr_claim(comparisons, 1e-4).comparisons, fmr_claim(comparisons, 1e-4).units) == (90_300, 903)
    assert (fnmr_claim(comparisons, 0.01).comparisons, fnmr_claim(comparisons, 0.01).units) == (1_935, 43)
    assert not fmr_claim(comparisons, 1e-4).independent


def test_people_with_one_picture_are_no_unit_of_mated_comparisons():
    rows = np.eye(4, dtype=np.float32)
    assert fnmr_claim(compare(rows, np.array([0, 0, 1, 2])), 0.1).units == 1


def test_a_false_match_rate_too_small_for_the_sample_is_refused_with_the_numbers():
    with pytest.raises(BadInput) as refusal:
        refuse_small_sample(sample(8, 5), target_fmr=1e-4, target_fnmr=0.1)
    said = str(refusal.value)
    assert "needs at least 30,000 non-mated comparisons" in said and "got 700" in said
    assert "about 50 people" in said and "--target-fmr 0.0043 or more" in said
    assert "mated comparisons (rule of 3, ISO/IEC 19795-1), got 80" not in said


def test_a_false_non_match_rate_too_small_for_the_sample_is_refused_with_the_numbers():
    with pytest.raises(BadInput, match=r"needs at least 300 mated comparisons .*, got 80; .* about 30 people"):
        refuse_small_sample(sample(8, 5), target_fmr=0.01, target_fnmr=0.01)


def test_the_advice_of_a_refusal_is_itself_accepted():
    refuse_small_sample(sample(8, 5), target_fmr=0.0043, target_fnmr=0.038)


def test_people_needed_give_the_comparisons_asked_for():
    people = people_needed(30_000, 5)
    assert people * (people - 1) // 2 * 25 >= 30_000 > (people - 1) * (people - 2) // 2 * 25


def test_a_sample_without_strangers_is_refused():
    with pytest.raises(BadInput, match="got 0"):
        refuse_small_sample(compare(np.empty((0, 4), np.float32), np.empty(0, np.int64)), 0.1, 0.1)
