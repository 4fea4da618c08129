"""Evidence on the disk: nothing unsent is deleted, the alarm comes early and once, sent evidence makes room."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.edge_config import GIB, KeepConfig
from edge_agent.outbox import evidence as evidence_module
from edge_agent.outbox.evidence import SPACE_ENOUGH, SPACE_FULL, SPACE_LOW, Evidence, EvidenceBudget
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from renzheng.contracts import BedVerdict, RoundKind, Verdict
from renzheng.errors import StorageFull
from tests.edge_agent.outbox.builders import NOON_S, a_swipe, done_swipe, finish

HOUR_S = 3600.0


def a_budget(size_bytes: int, **given: float) -> KeepConfig:
    return KeepConfig(evidence_gib=size_bytes / GIB, **given)


def folder_of(store: Store) -> Path:
    return store.database.path.parent / "evidence"


def there(store: Store) -> set[str]:
    return {path.name for path in folder_of(store).iterdir()}


def send(store: Store, setl_id: str, now_s: float) -> None:
    """Acknowledge a check and its clip."""
    outbox = Outbox(store)
    for kind in ("check", "clip"):
        outbox.acknowledge([item.id for item in outbox.lease(kind, 99, now_s, 0) if item.name == setl_id], now_s)


@pytest.fixture
def three(store: Store) -> Store:
    """Three checks of about 1 kB: two sent, the second of them an hour after the first, and one not."""
    for setl_id in ("a", "b", "unsent"):
        finish(store, setl_id)
    send(store, "a", NOON_S)
    send(store, "b", NOON_S + HOUR_S)
    return store


# --- purging --------------------------------------------------------------------------------------------------------


def test_sent_evidence_goes_after_its_time_and_unsent_stays(three: Store) -> None:
    evidence = Evidence(three, folder_of(three), a_budget(GIB, acknowledged_hours=24))
    before = evidence.used_bytes()

    assert evidence.purge(NOON_S + 23 * HOUR_S).checks == 0
    purged = evidence.purge(NOON_S + 24 * HOUR_S)

    assert (purged.checks, there(three)) == (1, {"b", "unsent"})
    assert evidence.used_bytes() == before - purged.size_bytes
    evidence.purge(NOON_S + 9999 * HOUR_S)
    assert there(three) == {"unsent"}
    assert len(Outbox(three).lease("check", 9, NOON_S, 10)) == 1


def test_when_space_is_low_sent_evidence_goes_early_and_the_longest_sent_first(three: Store) -> None:
    used = three.evidence_bytes()
    evidence = Evidence(three, folder_of(three), a_budget(used, alarm_share=0.9))
    assert evidence.purge(NOON_S + HOUR_S).checks == 1
    assert there(three) == {"b", "unsent"}

    full = Evidence(three, folder_of(three), a_budget(10))
    assert full.purge(NOON_S + HOUR_S).checks == 1
    assert there(three) == {"unsent"}
    assert full.purge(NOON_S + 9999 * HOUR_S).checks == 0


def test_one_purge_takes_no_more_than_a_bounded_number(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "PURGED_AT_ONCE", 1)
    monkeypatch.setattr(evidence_module, "BATCH", 5)
    evidence = Evidence(three, folder_of(three), a_budget(GIB, acknowledged_hours=0))
    assert [evidence.purge(NOON_S + HOUR_S).checks for _ in range(3)] == [1, 1, 0]


def test_a_purge_that_was_killed_half_way_is_taken_up(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = Evidence(three, folder_of(three), a_budget(GIB, acknowledged_hours=0))
    with monkeypatch.context() as at_the_kill:
        at_the_kill.setattr(three, "forget_evidence", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evidence.purge(NOON_S)
    assert there(three) == {"b", "unsent"}

    assert evidence.purge(NOON_S).checks == 1
    record = three.find("a")
    assert record is not None
    assert record.check is None


def test_a_purge_on_a_full_disk_makes_room_and_does_not_fail(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = Evidence(three, folder_of(three), a_budget(GIB, acknowledged_hours=0))

    def full(_: object) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as while_full:
        while_full.setattr(three, "forget_evidence", full)
        assert evidence.purge(NOON_S).checks == 0
    assert there(three) == {"b", "unsent"}
    assert evidence.purge(NOON_S).checks == 1


# --- the alarm ------------------------------------------------------------------------------------------------------


def test_the_alarm_is_told_once_each_way(store: Store) -> None:
    finish(store, "a", kinds=("clip",), clip_bytes=790)
    config = a_budget(1000, alarm_share=0.8, acknowledged_hours=0)

    def events() -> list[str]:
        Evidence(store, folder_of(store), config).watch(NOON_S)  # a new one each time: as after a restart
        return [one.event.kind for one in store.events_since()]

    assert events() == []
    finish(store, "b", kinds=("clip",), clip_bytes=10)
    assert events() == events() == [SPACE_LOW]
    finish(store, "c", kinds=("clip",), clip_bytes=200)
    assert events() == events() == [SPACE_LOW, SPACE_FULL]
    send(store, "c", NOON_S)
    Evidence(store, folder_of(store), config).purge(NOON_S)
    assert events() == [SPACE_LOW, SPACE_FULL]  # still low, which was told
    send(store, "b", NOON_S)
    Evidence(store, folder_of(store), config).purge(NOON_S)
    assert events() == [SPACE_LOW, SPACE_FULL]  # just below the edge
    send(store, "a", NOON_S)
    Evidence(store, folder_of(store), config).purge(NOON_S)
    assert events() == events() == [SPACE_LOW, SPACE_FULL, SPACE_ENOUGH]


def test_over_budget_only_flagged_checks_keep_a_clip(store: Store) -> None:
    finish(store, kinds=("clip",), clip_bytes=1000)
    enough, used_up = (EvidenceBudget(store.database.path, a_budget(size)) for size in (1001, 1000))

    assert all(enough.may_keep(verdict) for verdict in (*Verdict, *BedVerdict))
    kept = {verdict.value for verdict in (*Verdict, *BedVerdict) if used_up.may_keep(verdict)}
    assert kept == {"mismatch", "holder_absent", "staff_only", "someone_else", "empty", "pending_reference"}


def test_a_budget_that_cannot_be_read_hinders_no_clip(tmp_path: Path) -> None:
    assert EvidenceBudget(tmp_path / "none" / "agent.sqlite", a_budget(1)).may_keep(Verdict.MATCH)


# --- at the start ---------------------------------------------------------------------------------------------------


def test_folders_that_no_check_names_go_at_the_start_and_those_of_open_checks_stay(store: Store) -> None:
    finish(store, "done")
    for open_id in ("open", "33/结算"):
        store.accept(a_swipe(open_id), "http", NOON_S, clock_doubt=False)
        done_swipe(store.database.path.parent, open_id)  # written, but killed before it was kept
    store.plan_bed_checks([("bed", "12", RoundKind.FIXED, NOON_S)])
    done_swipe(store.database.path.parent, "bed")
    done_swipe(store.database.path.parent, "stray", kinds=("sample", "still", "clip"))
    half = folder_of(store) / "done" / ".clip.77.part.mp4"
    half.write_bytes(b"half")
    kept = {name for name in there(store) if name != "stray"}

    removed = Evidence(store, folder_of(store), KeepConfig()).clean_up()

    assert there(store) == kept
    assert (removed.checks, removed.size_bytes) == (1, 1000 + len(b"face" + b"still"))
    assert removed.unclaimed == 0
    assert not half.exists()
    assert (folder_of(store) / "done" / "clip.mp4").exists()


@pytest.mark.parametrize("kinds", [("sample", "clip", "manifest"), ("sealed",)])
def test_complete_evidence_that_no_check_names_stays_and_is_counted(store: Store, kinds: tuple[str, ...]) -> None:
    finish(store, "named")
    done_swipe(store.database.path.parent, "of a lost store", kinds=kinds)
    done_swipe(store.database.path.parent, "half", kinds=("sample", "still"))
    part = next(path for path in folder_of(store).iterdir() if path.name.startswith("of-a")) / ".clip.77.part.mp4"
    part.write_bytes(b"half")
    kept = {name for name in there(store) if name != "half"}

    for _ in range(2):
        cleaned = Evidence(store, folder_of(store), KeepConfig()).clean_up()
        assert cleaned.unclaimed == 1
    assert there(store) == kept and not part.exists()


def test_beside_a_damaged_store_no_folder_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        finish(store, "lost")
    path.write_bytes(b"garbage" * 1000)
    with Store(path) as store:
        assert Evidence(store, folder_of(store), KeepConfig()).clean_up().checks == 0
        assert there(store) == {"lost"}


def test_without_evidence_there_is_nothing_to_do(store: Store) -> None:
    evidence = Evidence(store, folder_of(store), KeepConfig())
    evidence.watch(NOON_S)
    assert (evidence.clean_up().checks, evidence.purge(NOON_S).checks, evidence.used_bytes()) == (0, 0, 0)
    assert evidence.alarm == ""
