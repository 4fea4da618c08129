"""What the report warns of before anybody relies on the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_agent.audit_counter import CounterPlan
from edge_agent.audit_inputs import Inputs
from edge_agent.audit_journal import Finished
from edge_agent.audit_report import warnings_of
from edge_agent.references import PhotoRefusal
from edge_agent.tables import AgentTable, SwipeTable
from renzheng.contracts import Reason, Verdict
from tests.edge_agent.builders import a_check

MATCH, MISMATCH, ABSENT = Verdict.MATCH, Verdict.MISMATCH, Verdict.HOLDER_ABSENT
UNCLEAR, UNKNOWN = Verdict.NOT_ASSESSABLE, Verdict.NOT_ENROLLED


def inputs(folder: Path, *cautions: str, staff: Path | None = None) -> Inputs:
    plan = CounterPlan((), folder, folder, "opencv-zoo", "opencv-zoo", staff=staff)
    return Inputs(plan, (), SwipeTable(()), AgentTable(), cautions, "title", "d" * 64)


def finished(verdicts: Sequence[Verdict]) -> list[Finished]:
    return [Finished(a_check(verdict)) for verdict in verdicts]


@pytest.mark.parametrize(
    ("verdicts", "warned"),
    [
        ([], False),
        ([MISMATCH, MISMATCH], False),
        ([MISMATCH, ABSENT, Verdict.STAFF_ONLY], True),
        ([MISMATCH] * 3 + [MATCH] * 3, False),
        ([MISMATCH] * 4 + [MATCH] * 3, True),
        ([MISMATCH] * 3 + [MATCH] * 2 + [UNCLEAR] * 50 + [UNKNOWN] * 50, True),
        ([UNCLEAR] * 10, False),
    ],
)
def test_more_than_half_flagged_points_to_the_settings(tmp_path: Path, verdicts: list[Verdict], warned: bool) -> None:
    warnings = warnings_of(inputs(tmp_path), finished(verdicts))
    assert any("check the clock offset and the zones" in warning for warning in warnings) is warned


def test_staff_none_of_whose_photos_will_do_are_warned_of(tmp_path: Path) -> None:
    photos = [tmp_path / "staff" / name / "1.jpg" for name in ("ann", "bob")]
    for photo in photos:
        photo.parent.mkdir(parents=True)
        photo.touch()
    refused = [PhotoRefusal(photo.parent.name, photo, (Reason.NO_FACE,)) for photo in photos]
    given = inputs(tmp_path, staff=tmp_path / "staff")
    check = a_check()
    all_refused = [Finished(check, tuple(refused[:1])), Finished(check, tuple(refused[1:]))]
    assert any("no photo of the staff passed" in warning for warning in warnings_of(given, all_refused))
    assert warnings_of(given, all_refused[:1]) == ()


def test_an_empty_folder_of_staff_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "staff").mkdir()
    warnings = warnings_of(inputs(tmp_path, staff=tmp_path / "staff"), finished([MATCH]))
    assert any("no photo of the staff passed" in warning for warning in warnings)


def test_what_is_said_twice_is_told_once(tmp_path: Path) -> None:
    done = [Finished(a_check(), (), ("a", "b")), Finished(a_check(), (), ("b", "c"))]
    assert warnings_of(inputs(tmp_path, "a", "z"), done) == ("a", "z", "b", "c")
