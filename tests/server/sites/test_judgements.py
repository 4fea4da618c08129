"""What a report says, by rules alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.sites.judgements import EYE_DISTANCE_MIN_PX, FITNESS_AGES_AFTER, fitness_told, is_open, local_hours_valid
from server.sites.words import NOTICE_WORDS, NoticeKind, words_of_causes
from tests.server.sites.box_reports import NOON, fitness
from vision.quality import COMPONENTS


def test_a_face_is_too_small_where_the_quality_gate_says_so() -> None:
    assert [part.fails_at for part in COMPONENTS if part.name == "InterEyeDistance"] == [EYE_DISTANCE_MIN_PX]


@pytest.mark.parametrize(("hours", "answer"), [
    ({}, None),
    ({"4": [["00:00", "24:00"]]}, None),
    ({"5": []}, False),
    ({"5": [["08:00", "12:00"]]}, False),
    ({"5": [["08:00", "11:30"], ["12:00", "18:00"]]}, True),
    ({"5": [["00:00", "24:00"]]}, True),
])  # fmt: skip
def test_opening_hours_are_of_the_local_weekday(hours: dict[str, list[list[str]]], answer: bool | None) -> None:
    assert is_open(hours, NOON) is answer


@pytest.mark.parametrize(("spans", "valid"), [
    ([], True),
    ([("08:00", "24:00")], True),
    ([("08:00", "12:00"), ("12:00", "18:00")], True),
    ([("08:00", "08:00")], False),
    ([("22:00", "06:00")], False),
    ([("08:00", "12:00"), ("11:00", "18:00")], False),
    ([("13:00", "18:00"), ("08:00", "12:00")], False),
])  # fmt: skip
def test_opening_hours_rise(spans: list[tuple[str, str]], valid: bool) -> None:
    assert local_hours_valid(spans) is valid


def test_looks_of_long_ago_change_nothing() -> None:
    before = {"causes": ["face_too_small"]}
    well = fitness(NOON - FITNESS_AGES_AFTER - timedelta(seconds=1))
    assert fitness_told(well, {}, NOON, before) == before
    assert fitness_told(well, {}, well.measured_at, before) is None
    assert fitness_told(None, {}, NOON, None) is None


def test_of_what_was_told_a_fault_that_is_over_goes_and_a_face_that_was_too_small_stays() -> None:
    before = {"causes": ["picture_dark", "face_too_small"], "faces": 50}
    assert fitness_told(fitness(faces=3), {}, NOON, before) == {"causes": ["face_too_small"], "faces": 50}


def test_every_notice_has_words_and_a_cause_that_is_not_known_is_left_out() -> None:
    assert set(NOTICE_WORDS) == set(NoticeKind)
    assert [words.en for words in words_of_causes(["of_a_later_version", "picture_dark"])] == ["picture too dark"]
