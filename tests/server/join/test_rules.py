"""Which settlement belongs to which check, rule by rule; that both databases keep them is in ``test_runs.py``."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from server.context import Server
from server.join import service
from server.tables import (
    Pairing,
    Settlement,
)
from tests.server.conftest import OUTSIDE
from tests.server.join.rows import (
    TOLERANCE_S,
    Paid,
    Seen,
    add_checks,
    correct,
    joined,
    make_box,
    moved,
    outcome,
    pairing,
    told,
)


@pytest.fixture
def server(sqlite_server: Server) -> Server:
    """A server over SQLite."""
    return sqlite_server


def test_a_number_that_both_have_joins_them_whatever_the_time(server: Server, box: str) -> None:
    assert joined(server, box, [Paid("S1", at_s=5000)], [Seen("S1")]) == {"S1": ("S1", "setl_id")}
    assert (pairing(server).confidence, pairing(server).time_difference_s) == (0.9, 5000)


def test_a_number_and_a_fitting_time_leave_no_doubt(server: Server, box: str) -> None:
    joined(server, box, [Paid("S1", at_s=30)], [Seen("S1", clock_offset_s=20)])
    assert (pairing(server).confidence, pairing(server).time_difference_s) == (1.0, 10)


@pytest.mark.parametrize("wrong", [{"psn_no": "p2"}, {"institution_id": OUTSIDE}, {"institution_id": None}])
def test_a_number_that_both_have_is_not_enough_when_person_or_institution_contradict(
    server: Server, box: str, wrong: dict[str, str]
) -> None:
    assert joined(server, box, [moved(Paid("S1"), **wrong)], [Seen("S1")]) == {"S1": ("id_contradicted",)}


def test_of_two_checks_with_one_number_the_one_that_agrees_counts(server: Server, box: str) -> None:
    with server.database.transaction() as session:
        other = make_box(session)
        add_checks(session, other, Seen("S1", psn_no="p2"))
    assert joined(server, box, [Paid("S1")], [Seen("S1")]) == {"S1": ("S1", "setl_id")}


def test_without_a_number_the_nearest_time_joins_after_the_clock_offset(server: Server, box: str) -> None:
    told = joined(server, box, [Paid("S1", at_s=310)], [Seen("c1", clock_offset_s=300), Seen("c2", at_s=310)])
    assert told == {"S1": ("c2", "nearest_time")}
    alone = joined(server, box, [Paid("S2", "p2", at_s=3700)], [Seen("c3", "p2", clock_offset_s=3600)])
    assert alone["S2"] == ("c3", "nearest_time")


@pytest.mark.parametrize(
    "change",
    [
        {"psn_no": "p2"},
        {"psn_no": None},
        {"institution_id": OUTSIDE},
        {"terminal_id": "T2"},
        {"at_s": TOLERANCE_S + 0.01},
        {"at_s": -TOLERANCE_S - 0.01},
        {"kind": "bed"},
        {"kind": "round"},
    ],
)
def test_another_person_place_terminal_or_time_is_not_joined(
    server: Server, box: str, change: dict[str, object]
) -> None:
    from dataclasses import replace

    assert joined(server, box, [Paid("S1")], [replace(Seen("c1"), **change)]) == {"S1": ("box_not_heard",)}  # type: ignore[arg-type]


@pytest.mark.parametrize(("paid", "seen", "confidence"), [("T1", "T1", 0.95), (None, "T1", 0.85), ("T1", None, 0.85)])
def test_a_terminal_that_one_side_does_not_name_makes_it_less_sure(
    server: Server, box: str, paid: str | None, seen: str | None, confidence: float
) -> None:
    joined(server, box, [Paid("S1", terminal_id=paid)], [Seen("c1", terminal_id=seen)])
    assert pairing(server).confidence == pytest.approx(confidence)


def test_confidence_falls_with_the_time_between_and_with_a_second_that_is_nearly_as_near(
    server: Server, box: str
) -> None:
    joined(server, box, [Paid("S1", at_s=12), Paid("S2", "p2", at_s=12)], [Seen("c1"), Seen("c2", "p2"),
                                                                         Seen("c3", "p2", at_s=60)])  # fmt: skip
    with server.database.transaction(writes=False) as session:
        rows = session.execute(select(Settlement.setl_id, Pairing.confidence).join_from(Settlement, Pairing))
        found = {row.setl_id: row.confidence for row in rows}
    assert found["S1"] == pytest.approx(0.95 * (1 - 12 / 240))
    assert found["S2"] == pytest.approx(0.95 * (1 - 12 / 240) * (1 - 12 / 48))


def test_two_that_are_about_as_near_are_ambiguous_and_neither_is_joined(server: Server, box: str) -> None:
    assert joined(server, box, [Paid("S1", at_s=20)], [Seen("c1"), Seen("c2", at_s=44)]) == {"S1": ("ambiguous",)}


def test_two_settlements_of_one_swipe_are_ambiguous(server: Server, box: str) -> None:
    settlements = [Paid("S1", at_s=5), Paid("S2", at_s=8)]
    assert joined(server, box, settlements, [Seen("c1")]) == {"S1": ("ambiguous",), "S2": ("ambiguous",)}


def test_a_steady_delay_between_swipe_and_settlement_joins_nobody_with_the_next_customer(
    server: Server, box: str
) -> None:
    settlements = [Paid("S1", at_s=30), Paid("S2", at_s=80)]
    found = joined(server, box, settlements, [Seen("c1"), Seen("c2", at_s=50)])
    assert ("c2", "nearest_time") not in [found["S1"]]
    assert found == {"S1": ("ambiguous",), "S2": ("ambiguous",)}


def test_a_check_that_belongs_to_another_settlement_leaves_this_one_without(server: Server, box: str) -> None:
    found = joined(server, box, [Paid("S1", at_s=1), Paid("S2", at_s=90)], [Seen("c1")])
    assert found == {"S1": ("c1", "nearest_time"), "S2": ("no_check_near",)}


def test_the_settlement_that_a_check_names_takes_it_back_when_it_comes_late(server: Server, box: str) -> None:
    assert joined(server, box, [Paid("S1", at_s=10)], [Seen("S2")]) == {"S1": ("S2", "nearest_time")}
    found = joined(server, box, [Paid("S2", at_s=12)], [])
    assert found == {"S1": ("box_not_heard",), "S2": ("S2", "setl_id")}


def test_a_late_check_that_is_nearer_breaks_a_pairing(server: Server, box: str) -> None:
    assert joined(server, box, [Paid("S1")], [Seen("c1", at_s=40)])["S1"] == ("c1", "nearest_time")
    assert joined(server, box, [], [Seen("c2", at_s=1)])["S1"] == ("c2", "nearest_time")
    assert joined(server, box, [], [Seen("c3", at_s=-1)])["S1"] == ("ambiguous",)


def test_a_correction_sets_its_old_neighbours_free(server: Server, box: str) -> None:
    found = joined(server, box, [Paid("S1", at_s=4), Paid("S2", at_s=6)], [Seen("c1")])
    assert found == {"S1": ("ambiguous",), "S2": ("ambiguous",)}
    with server.database.transaction() as session:
        correct(session, server, Paid("S1", psn_no="p9"))
    service.run_join(server)
    assert told(server) == {"S1": ("box_not_heard",), "S2": ("c1", "nearest_time")}


def test_a_correction_frees_the_check_it_was_joined_with(server: Server, box: str) -> None:
    joined(server, box, [Paid("S1"), Paid("S2", at_s=60)], [Seen("c1")])
    with server.database.transaction() as session:
        correct(session, server, Paid("S1", psn_no="p9"))
        assert outcome(session)["S1"] == ("waiting",)
    service.run_join(server)
    assert told(server) == {"S1": ("box_not_heard",), "S2": ("c1", "nearest_time")}
