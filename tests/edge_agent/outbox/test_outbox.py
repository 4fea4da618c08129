"""The queue: flagged first, one holder at a time, a clip after its check, nothing lost and nothing sent for ever."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import cast

import pytest

from edge_agent.edge_config import Leaves
from edge_agent.outbox.outbox import Kind, Outbox
from edge_agent.outbox.store import Store
from renzheng.contracts import Verdict
from tests.edge_agent.builders import NOON
from tests.edge_agent.outbox.builders import NOON_S, a_report, a_swipe, done_swipe, finish

CHECK: Kind = "check"


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


def leased(outbox: Outbox, kind: Kind = CHECK, now_s: float = NOON_S, limit: int = 99) -> list[str]:
    return [item.name for item in outbox.lease(kind, limit, now_s, 60)]


def test_an_empty_outbox_has_nothing_to_send(outbox: Outbox) -> None:
    assert leased(outbox) == []
    assert outbox.waiting() == 0
    assert outbox.oldest_waiting_s(NOON_S) is None
    outbox.acknowledge([], NOON_S)


def test_flagged_checks_go_first_then_the_oldest(store: Store, outbox: Outbox) -> None:
    for setl_id, verdict in (
        ("a", Verdict.MATCH),
        ("b", Verdict.MISMATCH),
        ("c", Verdict.NOT_ASSESSABLE),
        ("d", Verdict.STAFF_ONLY),
    ):
        finish(store, setl_id, verdict, now_s=NOON_S - ord(setl_id))  # the clock runs backwards meanwhile

    assert leased(outbox, limit=3) == ["b", "d", "a"]
    assert leased(outbox) == ["c"]


def test_a_leased_item_is_nobody_elses_until_its_time_is_over(store: Store, outbox: Outbox) -> None:
    finish(store)
    assert leased(outbox) == ["S1"]
    assert leased(outbox, now_s=NOON_S + 59) == []
    again = outbox.lease("check", 1, NOON_S + 60, 60)
    assert [(item.name, item.attempts) for item in again] == [("S1", 2)]


def test_leases_that_were_lost_track_of_are_void_and_what_was_put_off_waits_on(store: Store, outbox: Outbox) -> None:
    for name in "abc":
        finish(store, name)
    put_off, _, sent = outbox.lease("check", 3, NOON_S, 60)
    outbox.later(put_off.id, NOON_S + 600, "busy")
    outbox.acknowledge([sent.id], NOON_S)
    outbox.give_back_all(["clip", "report"])
    assert leased(outbox) == []
    outbox.give_back_all(["check"])
    assert leased(outbox) == ["b"]


def test_a_clock_set_back_frees_what_was_leased_or_put_off(store: Store, outbox: Outbox) -> None:
    finish(store, "a")
    finish(store, "b")
    item = outbox.lease("check", 1, NOON_S, 60)[0]
    outbox.later(item.id, NOON_S + 600, "busy")
    assert leased(outbox) == ["b"]
    assert leased(outbox, now_s=NOON_S - 3600) == ["a", "b"]


def test_what_is_put_off_comes_back_at_its_time(store: Store, outbox: Outbox) -> None:
    finish(store)
    item = outbox.lease("check", 1, NOON_S, 60)[0]
    outbox.later(item.id, NOON_S + 10, "429")
    assert outbox.counts()["check"]["pending"] == 1
    assert leased(outbox, now_s=NOON_S + 9) == []
    assert leased(outbox, now_s=NOON_S + 10) == ["S1"]


def test_a_clip_waits_for_its_check(store: Store, outbox: Outbox) -> None:
    finish(store)
    assert leased(outbox, "clip") == []
    check = outbox.lease("check", 1, NOON_S, 60)[0]
    assert leased(outbox, "clip") == []
    outbox.acknowledge([check.id], NOON_S)

    clip = outbox.lease("clip", 1, NOON_S, 60)[0]
    assert clip.name == "S1"
    assert clip.path == store.database.path.parent / "evidence" / "S1" / "clip.mp4"
    assert clip.size_bytes == clip.path.stat().st_size == 1000


def test_a_check_is_delivered_with_its_pieces_under_the_names_it_gives_them(store: Store, outbox: Outbox) -> None:
    finish(store, kinds=("sample", "still", "sealed", "clip"), now_s=NOON_S)
    item = outbox.lease("check", 1, NOON_S, 60)[0]

    delivery = item.check_delivery()

    assert (delivery.delivery_id, delivery.finished_at, delivery.clip_due) == ("S1", NOON, True)
    pieces = {piece.path: base64.b64decode(piece.data) for piece in delivery.pieces}
    assert pieces == {
        "S1/samples/00-00.jpg": b"face",
        "S1/still.jpg": b"still",
        "S1/samples.sealed": b"sealed",
    }
    (store.database.path.parent / "evidence" / "S1" / "still.jpg").unlink()
    assert len(item.check_delivery().pieces) == 2


@pytest.mark.parametrize(
    ("leaves", "pieces", "clip"),
    [("report", ["S1/samples.sealed"], False), ("samples", 3, False), ("clip", 3, True)],
)
def test_only_what_may_leaves(store: Store, outbox: Outbox, leaves: str, pieces: object, clip: bool) -> None:
    finish(store, leaves=leaves, kinds=("sample", "still", "sealed", "clip"))
    delivery = outbox.lease("check", 1, NOON_S, 60)[0].check_delivery()

    assert delivery.clip_due is clip
    assert outbox.counts()["clip"]["pending"] == clip
    assert pieces in (len(delivery.pieces), [piece.path for piece in delivery.pieces])


def test_no_clip_is_promised_where_none_was_cut(store: Store, outbox: Outbox) -> None:
    finish(store, kinds=())
    assert outbox.lease("check", 1, NOON_S, 60)[0].check_delivery().clip_due is False
    assert outbox.counts()["clip"]["pending"] == 0


def test_what_was_acknowledged_is_never_sent_again(store: Store, outbox: Outbox) -> None:
    finish(store)
    ids = [item.id for item in outbox.lease("check", 9, NOON_S, 60)]
    outbox.acknowledge(ids, NOON_S)
    outbox.acknowledge(ids, NOON_S + 5)
    outbox.refuse(ids[0], "too late to refuse")
    outbox.later(ids[0], NOON_S, "nor to put off")

    assert outbox.counts()["check"] == {"pending": 0, "sending": 0, "acknowledged": 1, "refused": 0}
    assert leased(outbox, now_s=NOON_S + 999) == []


def test_an_acknowledgement_counts_after_the_lease_ran_out(store: Store, outbox: Outbox) -> None:
    finish(store, kinds=())
    late = outbox.lease("check", 1, NOON_S, 60)[0]
    outbox.later(late.id, NOON_S + 99, "no answer")
    outbox.acknowledge([late.id], NOON_S + 100)
    assert outbox.waiting() == 0


def test_a_check_is_sent_when_its_clip_is_there_too(store: Store, outbox: Outbox) -> None:
    finish(store)
    outbox.acknowledge([outbox.lease("check", 1, NOON_S, 60)[0].id], NOON_S + 1)
    assert not store.recent_checks(1)[0].sent
    outbox.acknowledge([outbox.lease("clip", 1, NOON_S, 60)[0].id], NOON_S + 2)
    assert store.recent_checks(1)[0].sent
    assert [check.check_id for check in store.sent_checks(NOON_S + 2, 9)] == ["S1"]
    assert store.sent_checks(NOON_S + 1, 9) == []
    outbox.acknowledge([1, 2], NOON_S + 99)
    assert len(store.sent_checks(NOON_S + 2, 9)) == 1


def test_a_refused_check_stays_with_its_clip_until_it_is_tried_again(store: Store, outbox: Outbox) -> None:
    finish(store)
    outbox.refuse(outbox.lease("check", 1, NOON_S, 60)[0].id, "unknown institution")

    counts = outbox.counts()
    assert (counts["check"]["refused"], counts["clip"]["refused"]) == (1, 1)
    assert outbox.waiting() == 0
    assert leased(outbox, now_s=NOON_S + 999) == []
    assert store.evidence_bytes() > 1000
    assert store.sent_checks(NOON_S + 999, 9) == []

    assert outbox.retry_refused() == 2
    assert leased(outbox, now_s=NOON_S) == ["S1"]


def test_a_refused_clip_leaves_its_check_alone(store: Store, outbox: Outbox) -> None:
    finish(store)
    outbox.acknowledge([outbox.lease("check", 1, NOON_S, 60)[0].id], NOON_S)
    outbox.refuse(outbox.lease("clip", 1, NOON_S, 60)[0].id, "gone")
    assert (outbox.counts()["check"]["acknowledged"], outbox.counts()["clip"]["refused"]) == (1, 1)


def test_an_upload_goes_on_where_it_was_after_a_restart(store: Store, outbox: Outbox) -> None:
    finish(store)
    outbox.acknowledge([outbox.lease("check", 1, NOON_S, 60)[0].id], NOON_S)
    clip = outbox.lease("clip", 1, NOON_S, 3600)[0]
    outbox.set_upload(clip.id, "https://server/v1/clips/abc")

    with Store(store.database.path) as later:  # a lease of the process before is void
        again = Outbox(later).lease("clip", 1, NOON_S, 60)[0]
        assert (again.id, again.upload_url) == (clip.id, "https://server/v1/clips/abc")
        Outbox(later).set_upload(clip.id, None)
    assert outbox.lease("clip", 1, NOON_S + 60, 60)[0].upload_url is None


def test_the_age_of_what_waits_longest_is_told_and_never_negative(store: Store, outbox: Outbox) -> None:
    finish(store, "a", now_s=NOON_S, kinds=())
    finish(store, "b", now_s=NOON_S + 50, kinds=())
    assert outbox.oldest_waiting_s(NOON_S + 60) == 60
    assert outbox.oldest_waiting_s(NOON_S - 60) == 0
    outbox.acknowledge([outbox.lease("check", 1, NOON_S, 60)[0].id], NOON_S)
    assert outbox.oldest_waiting_s(NOON_S + 60) == 10


def test_acknowledged_reports_are_forgotten_and_waiting_ones_kept(store: Store, outbox: Outbox) -> None:
    for report_id in ("R1", "R2"):
        store.queue_report(a_report(report_id))
    outbox.acknowledge([outbox.lease("report", 1, NOON_S, 60)[0].id], NOON_S)
    store.forget_reports(NOON_S)
    assert outbox.counts()["report"] == {"pending": 1, "sending": 0, "acknowledged": 0, "refused": 0}


def test_the_data_folder_may_be_moved(tmp_path: Path) -> None:
    with Store(tmp_path / "old" / "agent.sqlite") as store:
        finish(store)
    shutil.move(tmp_path / "old", tmp_path / "new")
    with Store(tmp_path / "new" / "agent.sqlite") as store:
        assert len(Outbox(store).lease("check", 1, NOON_S, 60)[0].check_delivery().pieces) == 2


@pytest.mark.parametrize("leaves", ["report", "clip"])
def test_an_id_with_odd_characters_keeps_its_name(store: Store, outbox: Outbox, leaves: str) -> None:
    setl_id = "33/结算 7"
    store.accept(a_swipe(setl_id), "http", NOON_S, clock_doubt=False)
    store.finish_swipe(done_swipe(store.database.path.parent, setl_id), cast(Leaves, leaves), NOON_S)
    delivery = outbox.lease("check", 1, NOON_S, 60)[0].check_delivery()
    assert delivery.delivery_id == setl_id
    assert len(delivery.pieces) == (2 if leaves == "clip" else 0)
