"""Names that are safe as file names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.ids import file_stem

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@pytest.mark.parametrize("plain", ["33028120260501000001", "S1", "P-1_2.x", "a" * 80])
def test_a_plain_word_stays_as_it_is(plain: str) -> None:
    assert file_stem(plain) == plain


@pytest.mark.parametrize(
    "wild",
    ["", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:", "a\0b", "王小明", " S1", "-rf", ".hidden",
     "name.", "a" * 81, "a\nb", "S1 ", "con:nul"],
)  # fmt: skip
def test_a_wild_name_becomes_a_plain_one(wild: str) -> None:
    stem = file_stem(wild)
    assert _SAFE.fullmatch(stem)
    assert not stem.endswith(".")
    assert stem != wild


@given(st.text())
def test_every_name_is_safe_and_always_the_same(name: str) -> None:
    assert _SAFE.fullmatch(file_stem(name))
    assert file_stem(name) == file_stem(name)


@given(st.text(), st.text())
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (file_stem(one) == file_stem(other)) == (one == other)


def test_names_that_differ_only_in_what_is_left_out_stay_apart() -> None:
    names = ["a/b", "a\\b", "a b", "a-b", "a//b", "王", "李"]
    assert len({file_stem(name) for name in names}) == len(names)


def test_an_id_cannot_be_made_that_takes_the_place_of_another() -> None:
    wild = "2026/0001 A"
    assert file_stem(file_stem(wild)) != file_stem(wild)
