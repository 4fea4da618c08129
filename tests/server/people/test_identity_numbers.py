"""Identity numbers as GB 11643 has them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.identity_numbers import FEMALE, MALE, born_on, check_digit, fault_of, gender_of

SOUND = "11010519491231002X"


def test_the_example_of_the_standard_is_sound() -> None:
    assert fault_of(SOUND) is None
    assert born_on(SOUND) == date(1949, 12, 31)
    assert gender_of(SOUND) == FEMALE
    assert gender_of("110105194912310011") == MALE


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("", "17 digits"),
        ("11010519491231002", "17 digits"),
        ("11010519491231002x", "17 digits"),
        ("01010519491231002X", "17 digits"),
        ("1101051949123100２X", "17 digits"),
        ("110105491231002", "17 digits"),
        ("110105194912310021", "check digit"),
        ("110105194902310020"[:17] + check_digit("11010519490231002"), "no date"),
    ],
)
def test_a_number_that_is_not_sound_is_told_why(number: str, fault: str) -> None:
    assert fault in (fault_of(number) or "")


@given(st.integers(0, 16), st.integers(0, 9))
def test_one_digit_misread_is_noticed(place: int, digit: int) -> None:
    misread = SOUND[:place] + str(digit) + SOUND[place + 1 :]
    assert (fault_of(misread) is None) == (misread == SOUND)


@given(st.integers(0, 15))
def test_two_neighbours_swapped_are_noticed(place: int) -> None:
    swapped = SOUND[:place] + SOUND[place + 1] + SOUND[place] + SOUND[place + 2 :]
    assert (fault_of(swapped) is None) == (swapped == SOUND)
