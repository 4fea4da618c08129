"""Runs of the join on either database: any order, any step, any interruption."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from server.context import Server
from server.database import Database
from server.join import service
from server.tables import (
    AuditHead,
    BoxReport,
    Check,
    CheckToJoin,
    Institution,
    InstitutionType,
    Pairing,
    Settlement,
    SettlementImport,
)
from tests.server.conftest import OUTSIDE, PHARMACY, YUYAO
from tests.server.join.rows import (
    NOON,
    TOLERANCE_S,
    Paid,
    Seen,
    add_checks,
    add_settlements,
    correct,
    joined,
    make_box,
    make_import,
    meant,
    pairings,
    told,
)


def test_nothing_joined_with_nothing_is_nothing(server: Server) -> None:
    run = service.run_join(server)
    assert (run.finished, run.newly_joined, run.settlements_looked_at, run.checks_looked_at) == (True, 0, 0, 0)


@pytest.mark.parametrize("at_s", [TOLERANCE_S, -TOLERANCE_S])
def test_the_tolerance_itself_is_still_near(server: Server, box: str, at_s: float) -> None:
    assert joined(server, box, [Paid("S1")], [Seen("c1", at_s=at_s)]) == {"S1": ("c1", "nearest_time")}


def test_an_erased_person_stays_joined(server: Server, box: str) -> None:
    joined(server, box, [Paid("S1"), Paid("S2", "p2")], [Seen("c1"), Seen("S2", "p2")])
    with server.database.transaction() as session:
        session.execute(update(Check).values(psn_no=None))
    joined(server, box, [Paid("S3", at_s=30)], [])
    service.run_join(server, everything=True)
    assert told(server) == {"S1": ("c1", "nearest_time"), "S2": ("S2", "setl_id"), "S3": ("box_not_heard",)}


def test_a_settlement_whose_check_was_purged_takes_no_other(server: Server, box: str) -> None:
    joined(server, box, [Paid("S1")], [Seen("c1")])
    with server.database.transaction() as session:
        session.execute(update(Settlement).values(unjoined_reason="check_expired"))
        session.execute(delete(Check))
    assert joined(server, box, [], [Seen("c2", at_s=1)]) == {"S1": ("check_expired",)}


def test_everything_again_changes_nothing(server: Server, box: str) -> None:
    first = joined(server, box, [Paid("S1"), Paid("S2", "p2"), Paid("S3", at_s=7)], [Seen("c1"), Seen("S2", "p2")])
    made = {one.settlement_id: one.made_at for one in pairings(server)}
    run = service.run_join(server, everything=True)
    assert (run.newly_joined, run.settlements_looked_at) == (0, 3)
    assert told(server) == first
    assert {one.settlement_id: one.made_at for one in pairings(server)} == made


def test_steps_of_any_size_give_the_same(server: Server, box: str) -> None:
    settlements = [Paid(f"S{n}", f"p{n % 3}", at_s=17 * n) for n in range(12)]
    checks = [Seen(f"c{n}", f"p{n % 3}", at_s=16 * n) for n in range(12)]
    with server.database.transaction() as session:
        add_settlements(session, *settlements)
        add_checks(session, box, *checks)
    assert service.run_join(server, step=1).finished
    assert told(server) == meant(settlements, checks)


def test_a_run_that_is_stopped_goes_on_where_it_stood(server: Server, box: str) -> None:
    with server.database.transaction() as session:
        add_settlements(session, *[Paid(f"S{n}", f"p{n}") for n in range(5)])
        add_checks(session, box, *[Seen(f"S{n}", f"p{n}") for n in range(5)])
    asked = iter([True, True])
    run = service.run_join(server, step=1, go_on=lambda: next(asked, False))
    assert (run.finished, run.settlements_looked_at) == (False, 2)
    run = service.run_join(server)
    assert (run.finished, run.newly_joined) == (True, 3)


def test_what_fails_in_a_step_leaves_everything_waiting(
    server: Server, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.join import repository

    def fails(*_: object) -> None:
        raise RuntimeError("as a test")

    with monkeypatch.context() as broken:
        broken.setattr(repository, "keep_reasons", fails)
        with pytest.raises(RuntimeError):
            joined(server, box, [Paid("S1")], [Seen("c1")])
    assert pairings(server) == []
    assert joined(server, box, [], [])["S1"] == ("c1", "nearest_time")


def at(server: Server, paid: Paid, when: datetime) -> str:
    """Why a settlement of that moment has no check."""
    with server.database.transaction() as session:
        add_settlements(session, paid)
        session.execute(update(Settlement).where(Settlement.setl_id == paid.setl_id).values(setl_time=when))
    service.run_join(server)
    return told(server)[paid.setl_id][0]


def test_why_there_is_no_check_is_told(server: Server, box: str) -> None:
    with server.database.transaction() as session:
        session.add(
            BoxReport(
                device_id=box,
                report_id="r1",
                period_start=NOON - timedelta(minutes=5),
                received_at=NOON,
                body={},
                period_end=NOON + timedelta(minutes=5),
            )
        )
    before_boxes = NOON - timedelta(days=101)
    assert at(server, Paid("S1"), NOON) == "no_check_near"
    assert at(server, Paid("S2"), NOON + timedelta(minutes=6)) == "box_not_heard"
    assert at(server, Paid("S3"), datetime.now(UTC) - timedelta(hours=1)) == "waiting"
    assert at(server, Paid("S4", institution_id=OUTSIDE), NOON) == "no_box"
    assert at(server, Paid("S5"), before_boxes) == "no_box"
    assert at(server, Paid("S6", institution_id=None), NOON) == "unknown_institution"
    assert at(server, Paid("S7", med_type="21"), NOON) == "not_at_a_counter"


def test_a_settlement_that_waits_is_looked_at_again(server: Server, box: str) -> None:
    now = datetime.now(UTC)
    assert at(server, Paid("S1"), now) == "waiting"
    with server.database.transaction() as session:
        session.add(
            BoxReport(
                device_id=box,
                report_id="r1",
                period_start=now - timedelta(minutes=5),
                received_at=now,
                body={},
                period_end=now + timedelta(minutes=5),
            )
        )
    service.run_join(server)
    assert told(server) == {"S1": ("no_check_near",)}


def test_an_institution_that_becomes_known_takes_its_settlements(server: Server, box: str) -> None:
    found = joined(server, box, [Paid("S1", institution_id=None)], [])
    assert found == {"S1": ("unknown_institution",)}
    with server.database.transaction() as session:
        session.add(
            Institution(
                id="new",
                fixmedins_code="P99999999999",
                fixmedins_name="新大药房",
                district_code=YUYAO,
                hours={},
                fixmedins_type=InstitutionType.PHARMACY,
                created_at=NOON,
            )
        )
        session.flush()
        other = make_box(session, "new")
    found = joined(server, other, [], [Seen("c1", institution_id="new")])
    assert found == {"S1": ("c1", "nearest_time")}
    with server.database.transaction(writes=False) as session:
        assert session.scalars(select(Settlement.district_code)).one() == YUYAO


def test_two_servers_that_join_at_once_join_each_settlement_once(server: Server, box: str) -> None:
    count = 60
    with server.database.transaction() as session:
        add_settlements(session, *[Paid(f"S{n}", f"p{n}") for n in range(count)])
        add_checks(session, box, *[Seen(f"c{n}", f"p{n}") for n in range(count)])
    other = Server(server.settings, Database(server.settings.url), server.keys, server.store)
    failed: list[Exception] = []

    def run(one: Server) -> None:
        try:
            service.run_join(one, step=7)
        except Exception as error:
            failed.append(error)

    threads = [Thread(target=run, args=(one,)) for one in (server, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failed == []
    assert told(server) == {f"S{n}": (f"c{n}", "nearest_time") for n in range(count)}


SECONDS = st.integers(-8, 8).map(lambda n: n * 20.0)
PAID = st.builds(
    Paid, st.integers(0, 9).map("S{}".format), st.sampled_from(["p1", "p2"]), SECONDS,
    st.sampled_from(["T1", "T2", None]), st.sampled_from([PHARMACY, PHARMACY, OUTSIDE]),
)  # fmt: skip
SEEN = st.builds(
    Seen, st.one_of(st.integers(0, 9).map("S{}".format), st.integers(0, 9).map("c{}".format)),
    st.sampled_from(["p1", "p2"]), SECONDS, st.sampled_from(["T1", "T2", None]),
    st.sampled_from([PHARMACY, PHARMACY, OUTSIDE]), st.sampled_from([0.0, 0.0, 30.0, -45.5]),
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(PAID, max_size=8, unique_by=lambda one: one.setl_id),
    st.lists(SEEN, max_size=8, unique_by=lambda one: one.name),
    st.lists(PAID, max_size=3, unique_by=lambda one: one.setl_id),
    st.randoms(use_true_random=False),
)
def test_any_order_of_arrival_gives_what_is_meant(
    server: Server, settlements: list[Paid], checks: list[Seen], first: list[Paid], random: object
) -> None:
    final = {one.setl_id: one for one in settlements}
    begun = {one.setl_id: one for one in first if one.setl_id in final}
    with server.database.transaction() as session:
        for table in (CheckToJoin, Pairing, Check, Settlement, BoxReport, SettlementImport):
            session.execute(delete(table))
        assert session.get(AuditHead, 1) is not None
        make_import(session)
        boxes = {PHARMACY: make_box(session), OUTSIDE: make_box(session, OUTSIDE)}
    events: list[Paid | Seen] = [*settlements, *checks]
    random.shuffle(events)  # type: ignore[attr-defined]
    corrections = list(begun)
    for event in events:
        with server.database.transaction() as session:
            if isinstance(event, Paid):
                add_settlements(session, begun.get(event.setl_id, event))
            else:
                add_checks(session, boxes[event.institution_id], event)
        if random.random() < 0.4:  # type: ignore[attr-defined]
            service.run_join(server, step=4)
    for setl_id in corrections:
        with server.database.transaction() as session:
            correct(session, server, final[setl_id])
    service.run_join(server)
    assert told(server) == meant(settlements, checks)
