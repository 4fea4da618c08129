"""Which rows of a file were there before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.settlements.seen import Before, SeenRows


def test_nothing_was_there_before_the_first_batch_nor_in_an_empty_one() -> None:
    seen = SeenRows()
    assert seen.add([]) == {}
    assert seen.add([("a", "x", 2), ("b", "x", 3)]) == {}
    assert seen.add([]) == {}


def test_rows_of_one_line_are_told_apart() -> None:
    assert SeenRows().add([("a", "x", 2), ("a", "y", 2)]) == {1: Before(2, same=False)}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), max_size=80), st.integers(1, 7))
def test_however_a_file_is_cut_into_batches_it_is_told_the_same(rows: list[tuple[int, int]], size: int) -> None:
    told: dict[int, Before] = {}
    seen = SeenRows()
    for begin in range(0, len(rows), size):
        batch = [(key, content, begin + place) for place, (key, content) in enumerate(rows[begin : begin + size])]
        told |= {begin + place: before for place, before in seen.add(batch).items()}
    first: dict[int, int] = {}
    expected = {}
    for place, (key, content) in enumerate(rows):
        if key in first:
            expected[place] = Before(first[key], content == rows[first[key]][1])
        first.setdefault(key, place)
    assert told == expected
