"""Rounds are planned a day at a time; the drawn ones lie where they may and cannot be guessed."""

from __future__ import annotations

import random
from datetime import date, datetime, time
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from edge_agent.ward.rounds import PlannedCheck, day_of, is_missed, plan_rounds
from edge_agent.ward.ward_file import Ward
from renzheng.clock import SHANGHAI, from_seconds, to_seconds
from renzheng.contracts import RoundKind
from renzheng.contracts.delivery import DeliveryId

DAY = date(2026, 5, 1)


def a_ward(**rounds: object) -> Ward:
    beds = [
        {"id": bed_id, "camera": "c", "polygon": [[0, 0], [1, 0], [1, 1]], "head": "left"} for bed_id in ("1", "2 床")
    ]
    return Ward.model_validate({"admissions": Path("a.csv"), "rounds": rounds, "bed": beds})


def hours_of(checks: list[PlannedCheck], kind: RoundKind) -> list[float]:
    """Hours after the day's midnight of the rounds of a kind, each once."""
    midnight = to_seconds(datetime.combine(DAY, time(), SHANGHAI))
    return sorted({(check.due_s - midnight) / 3600 for check in checks if check.round_kind is kind})


def test_a_fixed_round_looks_at_every_bed_at_its_time():
    checks = plan_rounds(a_ward(fixed=["15:00", "08:30"]), DAY, random.Random(1))
    assert [(check.bed_id, check.round_kind) for check in checks] == [
        ("1", RoundKind.FIXED),
        ("2 床", RoundKind.FIXED),
    ] * 2
    assert hours_of(checks, RoundKind.FIXED) == [8.5, 15.0]


@pytest.mark.parametrize("seed", range(20))
def test_drawn_rounds_lie_one_in_each_part_of_their_time(seed: int):
    ward = a_ward(surprise={"rounds": 2, "start": "09:00", "end": "19:00"}, night={"start": "22:00", "end": "05:00"})
    checks = plan_rounds(ward, DAY, random.Random(seed))
    first, second = hours_of(checks, RoundKind.SURPRISE)
    assert 9 <= first < 14 <= second < 19
    (night,) = hours_of(checks, RoundKind.NIGHT)
    assert 22 <= night < 29


def test_drawn_rounds_differ_from_draw_to_draw_and_are_the_same_for_every_bed():
    ward = a_ward(surprise={"start": "09:00", "end": "19:00"})
    plans = [plan_rounds(ward, DAY, random.SystemRandom()) for _ in range(20)]
    assert len({plan[0].due_s for plan in plans}) > 15
    assert all(plan[0].due_s == plan[1].due_s for plan in plans)


def test_ids_name_institution_day_round_and_bed_and_never_repeat():
    ward = a_ward(fixed=["08:00", "09:00"], surprise={"rounds": 3, "start": "09:00", "end": "19:00"})
    ids = [check.check_id for check in plan_rounds(ward, DAY, random.Random(1), "H33028100001")]
    assert "bed-H33028100001-20260501-fixed2-1" in ids
    assert "bed-H33028100001-20260501-surprise3-2 床" in ids
    again = [check.check_id for check in plan_rounds(ward, DAY, random.Random(2), "H33028100001")]
    assert len(ids) == len(set(ids)) == 10
    assert set(again) == set(ids)


def test_the_longest_names_give_ids_that_a_check_and_a_delivery_take_and_that_differ():
    beds = [{"id": "床" * 63 + end, "camera": "c", "polygon": [[0, 0], [1, 0], [1, 1]], "head": "left"} for end in "12"]
    drawn = {"rounds": 12, "start": "09:00", "end": "19:00"}
    ward = Ward.model_validate({"admissions": Path("a.csv"), "rounds": {"surprise": drawn}, "bed": beds})
    ids = [check.check_id for check in plan_rounds(ward, DAY, random.Random(1), "H" * 64)]
    assert len(set(ids)) == 24
    assert ids == [TypeAdapter(DeliveryId).validate_python(check_id) for check_id in ids]
    assert all(check_id.startswith(f"bed-{'H' * 10}") for check_id in ids)
    assert set(ids) == {check.check_id for check in plan_rounds(ward, DAY, random.Random(2), "H" * 64)}


def test_no_rounds_or_none_drawn_plan_nothing():
    assert plan_rounds(a_ward(), DAY, random.Random(1)) == []
    none = a_ward(surprise={"rounds": 0, "start": "09:00", "end": "19:00"})
    assert plan_rounds(none, DAY, random.Random(1)) == []


def test_a_day_begins_at_midnight_in_china():
    assert day_of(to_seconds(datetime(2026, 5, 1, 0, 0, tzinfo=SHANGHAI))) == DAY
    assert from_seconds(to_seconds(datetime(2026, 5, 1, 0, 0, tzinfo=SHANGHAI))).date() == date(2026, 4, 30)


def test_a_round_is_missed_only_after_its_grace():
    ward = a_ward()
    assert not is_missed(1000.0, 1000.0 + ward.late_after_s, ward)
    assert is_missed(1000.0, 1001.0 + ward.late_after_s, ward)
