"""One JSON object becomes a swipe, or a message that names every wrong field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.swipe_sources.swipe_json import REQUIRED, BadSwipe, parse_swipe
from tests.edge_agent.swipe_sources.remembering_intake import BOX, fields


def parsed(**changed: Any) -> Any:
    return parse_swipe(json.dumps(fields(**changed)).encode(), BOX)


def refused(data: bytes) -> dict[str, str]:
    with pytest.raises(BadSwipe) as caught:
        parse_swipe(data, BOX)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_the_five_fields_make_a_swipe_and_all_others_are_dropped() -> None:
    swipe = parsed()
    assert swipe.setl_time == datetime(2026, 5, 1, 1, 0, 1, tzinfo=UTC)
    assert swipe.setl_id == "S0001"
    assert swipe.platform_fields == {}


@pytest.mark.parametrize("code", [None, "", "absent"])
def test_a_swipe_need_not_name_the_institution(code: str | None) -> None:
    given = fields(fixmedins_code=code)
    if code == "absent":
        del given["fixmedins_code"]
    assert parse_swipe(json.dumps(given).encode(), "P1").fixmedins_code == "P1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_text_may_be_utf8_or_gb18030(encoding: str) -> None:
    text = json.dumps(fields(terminal_id="收银台一"), ensure_ascii=False)
    assert parse_swipe(text.encode(encoding), BOX).terminal_id == "收银台一"


def test_every_wrong_field_is_named_with_what_was_expected() -> None:
    given = fields(setl_id=7, terminal_id="", setl_time="2026-05-01 09:00")
    del given["psn_no"]
    assert refused(json.dumps(given).encode()) == {
        "setl_id": "expected text in quotation marks, found a number",
        "psn_no": "expected a value",
        "terminal_id": "expected a value, found none",
        "setl_time": "expected a time with seconds as yyyy-MM-dd HH:mm:ss, yyyy/M/d H:mm:ss or ISO 8601,"
        ' found "2026-05-01 09:00"',
    }


@pytest.mark.parametrize("number", ["330281\n0001", "3.30281E+19", "9" * 65])
def test_a_person_number_is_never_quoted(number: str) -> None:
    problems = refused(json.dumps(fields(psn_no=number)).encode())
    assert list(problems) == ["psn_no"]
    assert "found" not in problems["psn_no"] and number[:6] not in problems["psn_no"]


@pytest.mark.parametrize("cell", ["33028119900101001X", "330281199001010010", "3.30281E+17", "张三", 'a"b'])
def test_a_person_in_the_cell_of_the_time_is_not_quoted_either(cell: str) -> None:
    message = refused(json.dumps(fields(setl_time=cell)).encode())["setl_time"]
    assert message.startswith("expected a time") and "found" not in message and cell not in message


@pytest.mark.parametrize("time", ["0001-01-01 08:00:02", "1970-01-01 00:00:00", "9999-12-31T23:59:58Z"])
def test_a_time_at_the_edge_of_the_calendar_is_no_time_of_a_swipe(time: str) -> None:
    assert refused(json.dumps(fields(setl_time=time)).encode())["setl_time"].startswith("expected a year from 2000")


def test_a_field_given_twice_is_refused() -> None:
    text = json.dumps(fields())[:-1] + ', "setl_id": "S0002"}'
    assert refused(text.encode()) == {"setl_id": "expected once, found more often"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected JSON; line 1, column 1"),
        (b'{"setl_id": ', "expected JSON"),
        (b"[1]", "expected one JSON object, found a list"),
        (b"null", "found nothing"),
        (b"true", "found true or false"),
        (b'"S1"', "found text"),
        (b"[" * 60000, "expected one flat JSON object"),
        (b'{"a": ' + b"9" * 5000 + b"}", "expected one flat JSON object"),
        (b"\xff\xfe{\x00", "UTF-16 text"),
        (b"\x80\x81\xff", "neither UTF-8"),
    ],
)
def test_what_is_no_object_is_refused_as_a_whole(data: bytes, message: str) -> None:
    assert message in refused(data)["swipe"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(str).map(str.encode))
def test_nothing_that_is_handed_in_gives_another_error(data: bytes) -> None:
    with pytest.raises(BadSwipe):
        parse_swipe(data, BOX)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(REQUIRED), st.none() | st.text() | st.floats()))
def test_no_value_of_a_field_gives_another_error(changed: dict[str, Any]) -> None:
    try:
        swipe = parsed(**changed)
    except BadSwipe:
        return
    assert swipe.setl_id and swipe.setl_id.isprintable()
