"""JSON files of any length, an object at a time."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.errors import BadInput
from renzheng.tables import json_objects
from renzheng.tables.json_objects import RawObject, stream_objects
from renzheng.tables.streams import BrokenRow, is_json, scan


def read(data: bytes) -> list[RawObject | BrokenRow]:
    stream = io.BytesIO(data)
    return list(stream_objects(stream, scan(stream), {}))


def fields(data: bytes) -> list[dict[str, Any]]:
    return [one.fields for one in read(data) if isinstance(one, RawObject)]


OBJECTS = [{"a": "余姚"}, {"a": '{["', "b": ["1", "2"]}, {}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_and_lines_give_the_same_objects(encoding: str, indent: int | None) -> None:
    array = json.dumps(OBJECTS, ensure_ascii=False, indent=indent).encode(encoding)
    lines = "\n\n".join(json.dumps(one, ensure_ascii=False) for one in OBJECTS).encode(encoding)
    assert fields(array) == fields(lines) == OBJECTS


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=30), max_size=3), max_size=20))
def test_pieces_of_any_size_give_the_same_objects(objects: list[dict[str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_objects, "CHUNK_BYTES", 16)
        assert fields(json.dumps(objects).encode()) == objects


def test_numbers_keep_every_digit() -> None:
    (found,) = fields(b'[{"a": 12.50, "b": 330281199001011234567890, "c": 1e400, "d": NaN, "e": null, "f": true}]')
    assert found == {"a": "12.50", "b": "330281199001011234567890", "c": "1e400", "d": "NaN", "e": None, "f": True}


def test_a_broken_line_costs_one_object() -> None:
    assert read(b'{"a": "1"}\n{"a":\n[1]\n{"a": "2"}') == [
        RawObject(1, {"a": "1"}),
        BrokenRow(2, "expected one JSON object on the line"),
        BrokenRow(3, "expected a JSON object"),
        RawObject(4, {"a": "2"}),
    ]


def test_what_is_no_object_of_an_array_is_told_by_its_number() -> None:
    assert read(b'[{"a": "1"}, 5]')[1] == BrokenRow(2, "expected a JSON object")


@pytest.mark.parametrize("data", [b'[{"a": "1"}, {"a": ', b'[{"a": "1"}, ]', b'[{"a": "1"}, {"a": ' + b"[" * 100_000])
def test_an_array_that_breaks_off_is_refused_where_it_does(data: bytes) -> None:
    with pytest.raises(BadInput, match="object 2 of the array: expected complete JSON"):
        read(data)


def test_what_stands_between_objects_is_a_comma() -> None:
    with pytest.raises(BadInput, match="after object 1 of the array"):
        read(b'[{"a": "1"} {"a": "2"}]')


def test_an_object_without_end_is_not_read_to_the_end_of_the_file() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    stream = Counting(b'[{"a": "' + b"x" * 40_000_000)
    found = scan(stream)
    stream.taken = 0
    with pytest.raises(BadInput):
        list(stream_objects(stream, found, {}))
    assert stream.taken < 10_000_000


@pytest.mark.parametrize(("data", "answer"), [(b"\xef\xbb\xbf [", True), (b'\n{"', True), (b"setl_id,", False)])
def test_json_is_told_by_how_it_begins(data: bytes, answer: bool) -> None:
    assert is_json(io.BytesIO(data)) is answer
