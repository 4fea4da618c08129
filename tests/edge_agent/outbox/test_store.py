"""What the agent keeps: swipes taken once, checks finished once and all at once, events and counts that outlive it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.live.jobs import GlanceDone
from edge_agent.outbox import diary
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.records import FORGOTTEN
from edge_agent.outbox.store import BED_CHECK_MISSED, CLIP_DROPPED, SWIPE_CONFLICT, PlannedBedCheck, Store
from edge_agent.ward.rounds import plan_rounds
from edge_agent.ward.ward_file import Ward
from renzheng.contracts import BedVerdict, CameraFitness, Reason, RoundKind, Verdict
from renzheng.errors import BadInput, StorageFull
from tests.edge_agent.builders import NOON
from tests.edge_agent.outbox.builders import NOON_S, PSN_NO, a_report, a_swipe, done_bed, done_swipe, finish

# --- swipes ---------------------------------------------------------------------------------------------------------


def test_a_swipe_is_new_once_and_known_ever_after_whatever_way_it_comes(store: Store) -> None:
    first = store.accept(a_swipe(), "mqtt", NOON_S, clock_doubt=True)
    again = store.accept(a_swipe(), "csv", NOON_S + 9, clock_doubt=False)

    assert (first.state, again.state) == ("new", "known")
    assert again.record == first.record == store.find("S1")
    assert (again.record.source, again.record.received_s, again.record.clock_doubt) == ("mqtt", NOON_S, True)
    assert store.drops() == {}


@pytest.mark.parametrize(
    "other",
    [
        {"psn_no": "someone"},
        {"terminal_id": "T02"},
        {"fixmedins_code": "P2"},
        {"setl_time": NOON + timedelta(seconds=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_swipe_under_a_known_id_is_a_conflict_and_the_first_stays(store: Store, other: dict[str, Any]) -> None:
    store.accept(a_swipe(), "http", NOON_S, clock_doubt=False)

    accepted = store.accept(a_swipe(**other), "http", NOON_S + 1, clock_doubt=False)

    assert accepted.state == "conflict"
    assert accepted.record.swipe == a_swipe()
    assert [record.swipe for record in store.open_swipes()] == [a_swipe()]
    assert store.drops() == {SWIPE_CONFLICT: 1}


def test_other_fields_of_the_platform_are_not_kept_and_make_no_conflict(store: Store) -> None:
    with_name = a_swipe(platform_fields={"psn_name": "Zhang Wei"})
    assert store.accept(with_name, "http", NOON_S, clock_doubt=False).record.swipe.platform_fields == {}
    assert store.accept(a_swipe(), "http", NOON_S, clock_doubt=False).state == "known"
    store.close()

    kept = b"".join(path.read_bytes() for path in store.database.path.parent.iterdir())
    assert b"S1" in kept
    assert b"Zhang Wei" not in kept


def test_open_swipes_are_those_without_a_finished_check_in_the_order_they_came(store: Store) -> None:
    for setl_id in ("S2", "S1", "S3"):  # the clock is set back in between
        store.accept(a_swipe(setl_id), "http", NOON_S - int(setl_id[1]), clock_doubt=False)
    store.finish_swipe(done_swipe(store.database.path.parent, "S1"), "clip", NOON_S)

    assert [record.setl_id for record in store.open_swipes()] == ["S2", "S3"]


def test_attempts_are_counted_over_restarts(store: Store) -> None:
    store.accept(a_swipe(), "http", NOON_S, clock_doubt=False)
    store.plan_bed_checks([("B1", "12", RoundKind.FIXED, NOON_S)])
    assert [store.begin_attempt("S1"), store.begin_attempt("S1"), store.begin_attempt("B1")] == [1, 2, 1]

    with Store(store.database.path) as later:
        assert later.begin_attempt("S1") == 3
    with pytest.raises(BadInput, match="S9: no such swipe was accepted"):
        store.begin_attempt("S9")


def test_a_record_says_nothing_of_the_person_when_it_is_logged(store: Store) -> None:
    finish(store)
    item = Outbox(store).lease("check", 1, NOON_S, 10)[0]

    assert PSN_NO in item.body
    for logged in (store.find("S1"), item, store.recent_checks(1)):
        assert PSN_NO not in repr(logged)


# --- finishing ------------------------------------------------------------------------------------------------------


def test_a_finished_swipe_has_its_check_and_everything_that_has_to_leave(store: Store) -> None:
    finish(store, now_s=NOON_S + 5)

    record = store.find("S1")
    assert record is not None
    assert (record.state, record.check) == ("done", done_swipe(store.database.path.parent).check)
    counts = Outbox(store).counts()
    assert (counts["check"]["pending"], counts["clip"]["pending"]) == (1, 1)
    summary = store.recent_checks(5)
    assert [(one.check_id, one.place, one.verdict, one.flagged, one.sent) for one in summary] == [
        ("S1", "T01", Verdict.MISMATCH, True, False)
    ]
    assert (summary[0].asked_s, summary[0].finished_s) == (NOON_S, NOON_S + 5)
    assert summary[0].reasons == (Reason.EVERY_FACE_DIFFERS,)


def test_the_first_check_of_a_swipe_stays(store: Store) -> None:
    finish(store)
    folder = store.database.path.parent

    assert not store.finish_swipe(done_swipe(folder, verdict=Verdict.MATCH), "clip", NOON_S + 9)

    record = store.find("S1")
    assert record is not None
    assert record.check is not None
    assert record.check.verdict is Verdict.MISMATCH
    assert Outbox(store).waiting() == 2
    assert store.counts_by_verdict() == {"mismatch": 1}


def test_a_check_is_kept_with_its_outbox_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.accept(a_swipe(), "http", NOON_S, clock_doubt=False)

    def fail(*_: object) -> None:
        raise RuntimeError("the last step fails")

    monkeypatch.setattr("edge_agent.outbox.finished._queue", fail)
    with pytest.raises(RuntimeError):
        store.finish_swipe(done_swipe(store.database.path.parent), "clip", NOON_S)

    assert [record.setl_id for record in store.open_swipes()] == ["S1"]
    assert store.recent_checks(5) == []
    assert store.evidence_bytes() == 0


def test_a_check_of_a_swipe_nobody_accepted_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="S1: expected an id from swipes"):
        store.finish_swipe(done_swipe(tmp_path), "clip", NOON_S)
    with pytest.raises(TypeError, match="expected the check of a swipe, got bed"):
        store.finish_swipe(done_bed(), "clip", NOON_S)
    with pytest.raises(TypeError, match="expected the check of a bed, got swipe"):
        store.finish_bed(done_swipe(tmp_path), "clip", NOON_S)


def test_a_clip_left_out_for_want_of_room_is_counted(store: Store) -> None:
    finish(store, verdict=Verdict.MATCH, kinds=(), remarks=("something else", CLIP_DROPPED))
    assert store.drops() == {CLIP_DROPPED: 1}


def test_checks_are_counted_by_verdict_since_a_time(store: Store) -> None:
    finish(store, "S1", now_s=NOON_S)
    finish(store, "S2", now_s=NOON_S + 60)
    finish(store, "S3", Verdict.NOT_ASSESSABLE, now_s=NOON_S + 60)
    store.plan_bed_checks([("B1", "12", RoundKind.NIGHT, NOON_S)])
    store.finish_bed(done_bed(verdict=BedVerdict.NOT_ASSESSABLE), "report", NOON_S + 60)

    assert store.counts_by_verdict() == {"mismatch": 2, "not_assessable": 1, "bed_not_assessable": 1}
    assert store.counts_by_verdict(NOON_S + 1) == {"mismatch": 1, "not_assessable": 1, "bed_not_assessable": 1}
    assert [one.check_id for one in store.recent_checks(2)] == ["B1", "S3"]


# --- beds -----------------------------------------------------------------------------------------------------------


def test_bed_checks_are_planned_once_with_their_note_and_come_by_their_time(store: Store) -> None:
    plan = [("B2", "12", RoundKind.SURPRISE, NOON_S + 60), ("B1", "13", RoundKind.FIXED, NOON_S)]
    assert store.plan_bed_checks(plan, note=("planned", "2026-05-01")) == 2
    assert store.plan_bed_checks([("B1", "99", RoundKind.FIXED, NOON_S + 999)]) == 0

    assert store.open_bed_checks() == [PlannedBedCheck(*plan[1]), PlannedBedCheck(*plan[0])]
    assert store.note("planned") == "2026-05-01"


def test_a_bed_check_is_made_or_missed_but_not_both(store: Store) -> None:
    store.plan_bed_checks([("B1", "12", RoundKind.FIXED, NOON_S), ("B2", "12", RoundKind.FIXED, NOON_S)])
    assert store.finish_bed(done_bed("B1"), "clip", NOON_S)
    assert store.miss_bed_check("B2", "the box was off")

    assert not store.miss_bed_check("B1", "late")
    assert not store.miss_bed_check("B2", "again")
    assert not store.finish_bed(done_bed("B2"), "clip", NOON_S)
    assert store.open_bed_checks() == []
    assert store.drops() == {BED_CHECK_MISSED: 1}
    assert [one.check_id for one in store.recent_checks(9)] == ["B1"]


def test_a_swipe_and_a_bed_check_never_share_an_id(store: Store) -> None:
    store.plan_bed_checks([("X", "12", RoundKind.FIXED, NOON_S)])
    with pytest.raises(BadInput, match="setl_id X: expected an id of its own"):
        store.accept(a_swipe("X"), "http", NOON_S, clock_doubt=False)
    store.accept(a_swipe("Y"), "http", NOON_S, clock_doubt=False)
    with pytest.raises(BadInput, match="bed check Y: expected an id of its own"):
        store.plan_bed_checks([("Z", "12", RoundKind.FIXED, NOON_S), ("Y", "12", RoundKind.FIXED, NOON_S)])
    assert [planned.check_id for planned in store.open_bed_checks()] == ["X"]


def test_no_swipe_may_have_an_id_that_a_bed_check_of_tomorrow_will_have(store: Store) -> None:
    bed = {"id": "301-1", "camera": "c", "polygon": [[0, 0], [1, 0], [1, 1]], "head": "left"}
    ward = Ward.model_validate({"admissions": "a.csv", "rounds": {"fixed": ["08:30", "15:00"]}, "bed": [bed]})
    tomorrow = plan_rounds(ward, date(2026, 5, 2), random.Random(1), "P33028100001")
    for planned in tomorrow:
        with pytest.raises(BadInput, match="setl_id: expected another beginning"):
            store.accept(a_swipe(planned.check_id), "http", NOON_S, clock_doubt=False)
    assert store.plan_bed_checks(tomorrow) == len(tomorrow) > 0


# --- events, drops, notes, footfall -----------------------------------------------------------------------------------


def test_events_come_by_number_also_when_the_clock_is_set_back(store: Store) -> None:
    store.note_event("clock_stepped", "counter", "back by 3600 s", NOON_S)
    store.note_event("evidence_space_low", None, "", NOON_S - 3600)

    events = store.events_since()
    assert [(one.event.kind, one.event.camera_id) for one in events] == [
        ("clock_stepped", "counter"),
        ("evidence_space_low", None),
    ]
    assert events[0].event.at == NOON
    assert [one.event.kind for one in store.events_since(events[0].number)] == ["evidence_space_low"]


def test_old_events_give_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary, "KEPT_EVENTS", 3)
    for number in range(5):
        store.note_event(f"e{number}", None, "", NOON_S)
    assert [one.event.kind for one in store.events_since()] == ["e2", "e3", "e4"]


def test_drops_and_notes_outlive_the_process(store: Store) -> None:
    store.count_drop("glance", 3)
    store.count_drop("glance")
    store.set_note("report/until", "5")
    store.set_note("report/until", "6")
    store.set_note("other", "x")

    with Store(store.database.path) as later:
        assert later.drops() == {"glance": 4}
        assert later.notes("report/") == {"report/until": "6"}
        assert (later.note("other"), later.note("none")) == ("x", None)


def test_with_a_full_disk_events_and_drops_wait_in_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise StorageFull("no room")

    monkeypatch.setattr(diary, "HELD_EVENTS", 2)
    with monkeypatch.context() as while_full:
        while_full.setattr(store.database, "transaction", full)
        for kind in ("e1", "e2", "e3"):
            store.note_event(kind, None, "", NOON_S)
        store.count_drop("glance", 2)
        assert store.drops() == {"glance": 2, "event": 1}
    assert store.events_since() == []

    store.note_event("e4", None, "", NOON_S)
    store.note_event("e5", None, "", NOON_S)
    assert [one.event.kind for one in store.events_since()] == ["e3", "e4", "e5"]
    assert store.drops() == {"glance": 2, "event": 2}


def a_glance(at_s: float, arrived: int, present: int, camera_id: str = "counter") -> GlanceDone:
    fitness = CameraFitness(measured_at=NOON, looks=1, faces=present)
    return GlanceDone("g", camera_id, at_s, arrived, present, fitness)


def test_glances_add_up_by_the_hour_and_leave_the_latest_fitness(store: Store) -> None:
    for glance in (a_glance(NOON_S, 2, 4), a_glance(NOON_S + 3599, 1, 2), a_glance(NOON_S + 3600, 0, 1)):
        store.add_glance(glance)
    store.add_glance(a_glance(NOON_S, 7, 7, "door"))

    hours = [(hour.hour_start, hour.visits, hour.most_at_once, hour.looks) for hour in store.footfall("counter", 0)]
    assert hours == [(NOON, 3, 4, 2), (NOON + timedelta(hours=1), 0, 1, 1)]
    assert [hour.visits for hour in store.footfall("counter", NOON_S + 3600)] == [0]
    assert [hour.visits for hour in store.footfall("counter", NOON_S + 1800)] == [3, 0]
    assert {camera: fitness.faces for camera, fitness in store.fitness().items()} == {"counter": 1, "door": 7}


def test_a_report_is_queued_once(store: Store) -> None:
    store.queue_report(a_report())
    store.queue_report(a_report())
    items = Outbox(store).lease("report", 9, NOON_S, 10)
    assert [item.report() for item in items] == [a_report()]


# --- forgetting -----------------------------------------------------------------------------------------------------


def sent(store: Store, now_s: float) -> None:
    outbox = Outbox(store)
    for kind in ("check", "clip"):
        outbox.acknowledge([item.id for item in outbox.lease(kind, 99, now_s, 10)], now_s)


def test_who_swiped_is_forgotten_with_the_evidence_and_the_swipe_is_still_known(store: Store) -> None:
    finish(store)
    sent(store, NOON_S + 10)
    store.forget_evidence(["S1"])

    record = store.find("S1")
    assert record is not None
    assert (record.state, record.check, record.swipe.psn_no) == ("done", None, FORGOTTEN)
    assert store.accept(a_swipe(), "http", NOON_S, clock_doubt=False).state == "known"
    assert store.accept(a_swipe(terminal_id="T02"), "http", NOON_S, clock_doubt=False).state == "conflict"
    assert [(one.verdict, one.sent) for one in store.recent_checks(5)] == [(Verdict.MISMATCH, True)]
    store.close()
    assert PSN_NO.encode() not in store.database.path.read_bytes()


def test_nothing_unsent_is_forgotten(store: Store) -> None:
    finish(store)
    outbox = Outbox(store)
    outbox.acknowledge([outbox.lease("check", 1, NOON_S, 10)[0].id], NOON_S)  # its clip is not there yet

    store.forget_evidence(["S1"])
    store.forget_old(NOON_S + 1e9)

    assert store.sent_checks(NOON_S + 1e9, 99) == []
    assert store.evidence_bytes() > 1000
    assert len(outbox.lease("clip", 1, NOON_S, 10)) == 1


def test_ids_and_footfall_end_with_their_time(store: Store) -> None:
    finish(store, "old", now_s=NOON_S)
    finish(store, "new", now_s=NOON_S + 100)
    sent(store, NOON_S + 200)
    store.accept(a_swipe("open"), "http", NOON_S, clock_doubt=False)
    store.plan_bed_checks([("missed", "12", RoundKind.FIXED, NOON_S), ("planned", "12", RoundKind.FIXED, NOON_S)])
    store.miss_bed_check("missed", "late")
    store.add_glance(a_glance(NOON_S, 1, 1))
    store.forget_evidence(["old", "new"])

    store.forget_old(NOON_S + 50)

    assert [bool(store.find(setl_id)) for setl_id in ("old", "new", "open")] == [False, True, True]
    assert [one.check_id for one in store.recent_checks(9)] == ["new"]
    assert [planned.check_id for planned in store.open_bed_checks()] == ["planned"]
    assert store.plan_bed_checks([("missed", "12", RoundKind.FIXED, NOON_S)]) == 1
    assert store.footfall("counter", 0) == ()


# --- a full disk ----------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_a_swipe_whole_and_takes_it_when_there_is_room(
    small_disk: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = small_disk("1m")
    taken: list[str] = []
    with Store(folder / "agent.sqlite") as store:
        store.accept(a_swipe("checked"), "http", NOON_S, clock_doubt=False)
        done = done_swipe(tmp_path, "checked", samples=())
        with (folder / "others").open("wb", buffering=0) as others, pytest.raises(OSError):
            while True:
                others.write(bytes(4096))
        with pytest.raises(StorageFull, match=r"agent\.sqlite: no space left on the disk"):
            for number in range(10_000):
                store.accept(a_swipe(f"S{number}"), "http", NOON_S, clock_doubt=False)
                taken.append(f"S{number}")
        refused = f"S{len(taken)}"
        with pytest.raises(StorageFull):
            store.finish_swipe(done, "clip", NOON_S)
        store.count_drop("clip")  # never fails

        assert store.find(refused) is None
        assert {record.setl_id for record in store.open_swipes()} == {"checked", *taken}
        assert store.recent_checks(1) == []

        (folder / "others").unlink()
        assert store.accept(a_swipe(refused), "http", NOON_S, clock_doubt=False).state == "new"
        assert store.finish_swipe(done, "clip", NOON_S)
        store.count_drop("clip")
        assert store.drops() == {"clip": 2}
    with Store(folder / "agent.sqlite") as store:
        assert {record.setl_id for record in store.open_swipes()} == {refused, *taken}


def test_a_store_on_a_full_disk_is_told_as_such(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("64k")
    (folder / "others").write_bytes(bytes(64 * 1024))
    with pytest.raises(StorageFull, match="no space left"):
        Store(folder / "agent.sqlite")


def test_a_store_that_was_killed_with_things_on_their_way_opens_on_a_full_disk(
    small_disk: Callable[[str], Path],
) -> None:
    folder = small_disk("1m")
    killed = Store(folder / "agent.sqlite")
    finish(killed)
    assert Outbox(killed).lease("check", 1, NOON_S + 10, 60)
    with (folder / "others").open("wb", buffering=0) as others, suppress(OSError):
        while others.write(b"\0" * 1024):
            pass
    with Store(folder / "agent.sqlite") as store:  # beside the one that was killed, whose files are still there
        assert store.find("S1") is not None
        (folder / "others").unlink()
        assert [item.name for item in Outbox(store).lease("check", 1, NOON_S + 3600, 60)] == ["S1"]
    killed.close()
