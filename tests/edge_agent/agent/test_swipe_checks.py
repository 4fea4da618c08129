"""The life of a swipe on a box, from the terminal to its finished check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.agent import swipe_checks
from edge_agent.agent.dispatcher import TRIES
from edge_agent.agent.pins import unpin_others
from edge_agent.agent.swipe_checks import AT_ONCE, FAILURES_MAX
from edge_agent.footage import TimeWindow
from edge_agent.live.jobs import Answer, JobFailed, SwipeJob
from edge_agent.live.vision_process import VisionDied, VisionDown
from edge_agent.ring.index import IndexUnusable, SegmentIndex
from edge_agent.swipe_sources.intake import UnknownTerminal
from renzheng.clock import to_seconds
from renzheng.contracts import Reason, Verdict
from renzheng.errors import StorageFull
from tests.edge_agent.agent.small_box import HandClock, SmallBox, Step, a_config, wait_for

EVER = (0.0, 4e9)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swipe_checks, "FOOTAGE_GRACE_S", 0.3)
    monkeypatch.setattr(swipe_checks, "RETRY_S", 1.0)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[SmallBox]:
    """A box whose ring holds everything."""
    with SmallBox(tmp_path) as made:
        made.recorded(*EVER)
        yield made


def final_jobs(box: SmallBox) -> list[SwipeJob]:
    return [job for job in box.vision.asked if isinstance(job, SwipeJob) and job.final]


# --- taking ----------------------------------------------------------------------------------------------------------


def test_a_swipe_of_an_unknown_terminal_is_refused_and_not_kept(box: SmallBox) -> None:
    with pytest.raises(UnknownTerminal, match=r"^terminal_id: expected one of T01, found .T99.$"):
        box.checks.take(box.swipe(terminal_id="T99"), "http", live=True)
    assert box.checks.find("S1") is None and box.checks.waiting == 0


def test_the_same_swipe_again_is_known_and_another_under_its_id_a_conflict(
    box: SmallBox, caplog: pytest.LogCaptureFixture
) -> None:
    swipe = box.swipe()
    assert [box.checks.take(swipe, source, live=True).state for source in ("http", "mqtt")] == ["new", "known"]
    assert (
        box.checks.take(swipe.model_copy(update={"psn_no": "33020000000000000000"}), "csv", live=False).state
        == "conflict"
    )
    assert box.checks.waiting == 1
    found = box.checks.find("S1")
    assert found is not None and (found.source, found.check) == ("http", None)
    assert "first stays" in caplog.text and "33020" not in caplog.text


@pytest.mark.parametrize(
    ("ago_s", "live", "doubt"),
    [
        (40, True, True),
        (20, True, False),
        (-3, True, False),
        (-20, True, True),
        (-20, False, True),
        (90_000, False, False),
    ],
)
def test_a_swipe_from_the_future_or_late_from_a_live_source_has_its_clock_in_doubt(
    box: SmallBox, ago_s: float, live: bool, doubt: bool
) -> None:
    box.checks.take(box.swipe(ago_s=ago_s), "http", live=live)
    record = box.store.find("S1")
    assert record is not None and record.clock_doubt is doubt


def test_a_terminal_whose_clock_is_known_to_be_an_hour_slow_is_not_late(tmp_path: Path) -> None:
    with SmallBox(tmp_path, config=a_config(tmp_path, terminal="clock_offset_s = 3600")) as box:
        box.checks.take(box.swipe("right", ago_s=3600), "http", live=True)
        box.checks.take(box.swipe("wrong", ago_s=7300), "http", live=True)
        assert [record.clock_doubt for record in box.store.open_swipes()] == [False, True]
        window = box.ring.pins()["right"]
        assert abs(window.end_s - 2 - box.clock.now_s()) < 5


def test_its_footage_is_pinned_until_it_is_checked(box: SmallBox) -> None:
    swipe = box.swipe()
    moment_s = to_seconds(swipe.setl_time)
    box.checks.take(swipe, "http", live=True)
    assert box.ring.pins() == {"S1": TimeWindow(moment_s - 2, moment_s + 2)}
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert box.ring.pins() == {}


def test_a_full_disk_refuses_it_says_so_and_takes_it_when_there_is_room(
    box: SmallBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as full:
        full.setattr(type(box.store), "accept", no_room)
        with pytest.raises(StorageFull):
            box.checks.take(box.swipe(), "http", live=True)
    assert box.checks.storage_full and box.checks.waiting == 0
    assert box.checks.take(box.swipe(), "http", live=True).state == "new"
    assert not box.checks.storage_full


@pytest.mark.parametrize("trouble", [StorageFull("no room"), IndexUnusable("busy")])
def test_an_index_that_cannot_be_written_does_not_lose_a_swipe_that_was_kept(
    box: SmallBox, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def refuses(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(SegmentIndex, "pin", refuses)
    monkeypatch.setattr(SegmentIndex, "unpin", refuses)
    assert box.checks.take(box.swipe(), "http", live=True).state == "new"
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert box.verdict_of("S1") is Verdict.MATCH


# --- checking --------------------------------------------------------------------------------------------------------


def test_it_is_checked_when_its_window_is_over_and_not_before(box: SmallBox) -> None:
    begun_s: list[float] = []

    async def note(job: SwipeJob) -> Answer:
        begun_s.append(box.clock.now_s())
        return await box.vision.answered(job)

    swipe = box.swipe()
    box.vision.script.append(note)
    box.checks.take(swipe, "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert to_seconds(swipe.setl_time) + 2.0 <= begun_s[0] < to_seconds(swipe.setl_time) + 12.0
    (job,) = final_jobs(box)
    assert (job.final, job.clock_doubt, job.give_up) == (True, False, False)


def test_a_late_live_swipe_is_checked_with_its_clock_in_doubt(box: SmallBox) -> None:
    box.checks.take(box.swipe(ago_s=3600), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert final_jobs(box)[0].clock_doubt


def test_a_swipe_far_in_the_future_is_checked_at_once_and_pins_nothing(box: SmallBox) -> None:
    box.checks.take(box.swipe("soon", ago_s=-50), "http", live=True)
    box.checks.take(box.swipe("far", ago_s=-3600), "http", live=True)
    assert list(box.ring.pins()) == ["soon"]
    asyncio.run(box.work(lambda: box.verdict_of("far")))
    assert box.vision.job_ids[0] == "far"


def test_swipes_are_checked_in_the_order_they_fall_due(box: SmallBox) -> None:
    for name, ago_s in (("last", 0.0), ("second", 20.0), ("first", 40.0)):
        box.checks.take(box.swipe(name, ago_s=ago_s), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("last")))
    assert box.vision.job_ids[-1] == "last" and set(box.vision.job_ids) == {"first", "second", "last"}


def test_only_so_many_are_in_hand_and_one_that_hangs_blocks_nobody_for_ever(box: SmallBox) -> None:
    for number in range(AT_ONCE * 3):
        box.checks.take(box.swipe(f"S{number}", ago_s=60), "csv", live=False)
    box.vision.script = [RuntimeError("odd")] * AT_ONCE
    asyncio.run(box.work(lambda: all(box.verdict_of(f"S{number}") for number in range(AT_ONCE * 3))))
    assert box.store.open_swipes() == []


def test_footage_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with SmallBox(tmp_path, clock=HandClock(speed=10.0)) as box:

        async def scene() -> None:
            swipe = box.swipe()
            end_s = to_seconds(swipe.setl_time) + 2
            box.recorded(end_s - 10, end_s - 1)
            box.checks.take(swipe, "http", live=True)

            async def camera(stop: asyncio.Event) -> None:
                await wait_for(lambda: box.clock.now_s() > end_s + 1.0)
                assert not box.vision.asked
                box.recorded(end_s - 1, end_s + 0.1)
                await stop.wait()

            await box.work(lambda: box.verdict_of("S1"), camera)

        asyncio.run(scene())


def test_footage_that_never_comes_is_not_waited_for_beyond_the_grace(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        box.checks.take(box.swipe(), "http", live=True)
        asyncio.run(box.work(lambda: box.verdict_of("S1")))
        assert len(final_jobs(box)) == 1


def test_the_clock_set_back_an_hour_holds_no_check_up(box: SmallBox) -> None:
    box.checks.take(box.swipe("before"), "http", live=True)
    box.clock.set_by_s = -3600.0
    box.checks.take(box.swipe("after"), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("before") and box.verdict_of("after")))


# --- what can go wrong with a check ----------------------------------------------------------------------------------


def test_a_swipe_over_which_the_vision_process_dies_again_and_again_is_given_up(box: SmallBox) -> None:
    box.vision.script = [VisionDied("gone")] * TRIES * FAILURES_MAX
    box.checks.take(box.swipe(), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert [job.give_up for job in final_jobs(box)] == [False] * TRIES * FAILURES_MAX + [True]
    record = box.store.find("S1")
    assert record is not None and record.check is not None
    assert (record.check.verdict, record.check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.UNREADABLE,))


@pytest.mark.parametrize(
    "nobodys_fault", [JobFailed("S1", "no room", storage_full=True), VisionDown("no pack"), VisionDown("no pack")]
)
def test_what_is_not_the_swipes_fault_is_waited_out_and_gives_nothing_up(box: SmallBox, nobodys_fault: Step) -> None:
    box.vision.script = [nobodys_fault] * (FAILURES_MAX + 2)
    box.checks.take(box.swipe(), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert not any(job.give_up for job in final_jobs(box))
    assert box.verdict_of("S1") is Verdict.MATCH
    assert not box.checks.storage_full


def test_a_full_disk_while_it_is_checked_is_told_and_the_check_is_made_when_there_is_room(box: SmallBox) -> None:
    seen: list[bool] = []

    async def later(job: SwipeJob) -> Answer:
        seen.append(box.checks.storage_full)
        return await box.vision.answered(job)

    box.vision.script = [JobFailed("S1", "no room", storage_full=True), later]
    box.checks.take(box.swipe(), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert seen == [True] and not box.checks.storage_full


def test_a_store_without_room_for_the_finished_check_has_it_made_again(
    box: SmallBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = type(box.store).finish_swipe, []

    def finish(store: object, *given: object) -> object:
        if not refused:
            refused.append(1)
            raise StorageFull("no room")
        return real(store, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(box.store), "finish_swipe", finish)
    box.checks.take(box.swipe(), "http", live=True)
    asyncio.run(box.work(lambda: box.verdict_of("S1")))
    assert len(final_jobs(box)) == 2


# --- waiting for an answer -------------------------------------------------------------------------------------------


def test_a_terminal_gets_an_opinion_at_once_and_the_final_check_later(box: SmallBox) -> None:
    async def scene() -> None:
        box.checks.take(box.swipe(), "http", live=True)

        async def terminal(_stop: asyncio.Event) -> None:
            box.vision.verdict = Verdict.MISMATCH
            opinion = await box.checks.opinion("S1", 5.0)
            assert opinion is not None and opinion.verdict is Verdict.MISMATCH
            assert box.verdict_of("S1") is None
            box.vision.verdict = Verdict.MATCH
            final = await box.checks.final("S1", 5.0)
            assert final is not None and final.verdict is Verdict.MATCH
            assert await box.checks.opinion("S1", 5.0) == await box.checks.final("S1", 5.0) == final

        await box.work(lambda: box.verdict_of("S1"), terminal)

    asyncio.run(scene())
    assert box.vision.job_ids == ["opinion-S1", "S1"]


def test_who_waits_in_vain_is_told_nothing_and_the_check_is_made_all_the_same(box: SmallBox) -> None:
    async def scene() -> None:
        box.checks.take(box.swipe(), "http", live=True)
        assert await box.checks.final("S1", 0.01) is None
        assert await box.checks.opinion("S1", 0.01) is None
        assert await box.checks.final("unknown", 0.01) is None
        assert await box.checks.opinion("unknown", 0.01) is None
        await box.work(lambda: box.verdict_of("S1"))

    asyncio.run(scene())


def test_many_who_wait_for_one_swipe_are_all_told(box: SmallBox) -> None:
    async def scene() -> None:
        box.checks.take(box.swipe(), "http", live=True)
        waiting = [asyncio.create_task(box.checks.final("S1", 5.0)) for _ in range(3)]
        await box.work(lambda: all(task.done() for task in waiting))
        assert [check.verdict for check in await asyncio.gather(*waiting) if check] == [Verdict.MATCH] * 3

    asyncio.run(scene())


def test_an_opinion_the_vision_process_cannot_give_is_none(box: SmallBox) -> None:
    async def scene() -> None:
        box.checks.take(box.swipe(), "http", live=True)
        box.vision.script = [VisionDown("no pack")]
        asking = asyncio.create_task(box.checks.opinion("S1", 5.0))
        await box.work(asking.done)
        assert await asking is None

    asyncio.run(scene())


class SlowTemplates:
    """Brings templates, and remembers for whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime]] = []

    async def ensure(self, psn_no: str, at: datetime) -> None:
        self.asked.append((psn_no, at))
        await asyncio.sleep(0.05)


def test_templates_are_brought_before_the_check_is_asked_for(tmp_path: Path) -> None:
    templates = SlowTemplates()
    with SmallBox(tmp_path, templates=templates) as box:
        box.recorded(*EVER)
        swipe = box.swipe(ago_s=60)

        async def with_templates(job: SwipeJob) -> Answer:
            assert templates.asked == [(swipe.psn_no, swipe.setl_time)]
            return await box.vision.answered(job)

        box.vision.script = [with_templates]
        box.checks.take(swipe, "csv", live=False)
        asyncio.run(box.work(lambda: box.verdict_of("S1")))


# --- ends and starts -------------------------------------------------------------------------------------------------


def test_stopping_waits_for_a_window_that_is_about_to_end(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        box.recorded(*EVER)
        box.checks.take(box.swipe("soon"), "http", live=True)
        asyncio.run(box.work(lambda: True))
        assert box.verdict_of("soon") is not None


def test_stopping_finishes_what_is_in_hand_and_leaves_the_rest_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swipe_checks, "WINDOWS_END_WITHIN_S", 0.0)
    with SmallBox(tmp_path) as box:
        box.recorded(*EVER)

        async def slow(job: SwipeJob) -> Answer:
            await asyncio.sleep(0.2)
            return await box.vision.answered(job)

        box.vision.script = [slow]
        box.checks.take(box.swipe("in hand", ago_s=60), "csv", live=False)
        box.checks.take(box.swipe("waits"), "http", live=True)
        asyncio.run(box.work(lambda: box.vision.asked))
        assert [record.setl_id for record in box.store.open_swipes()] == ["waits"]
    with SmallBox(tmp_path) as again:
        again.clock.set_by_s = 3600.0
        assert again.checks.resume() == 1
        assert list(again.ring.pins()) == ["waits"]
        asyncio.run(again.work(lambda: again.verdict_of("waits")))
        record = again.store.find("waits")
        assert record is not None and not record.clock_doubt  # the box was late, not the terminal


def test_a_killed_agents_pins_of_finished_checks_go_at_the_next_start(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        box.checks.take(box.swipe("open"), "http", live=True)
        box.ring.pin("finished just before the kill", TimeWindow(1.0, 2.0))
    with SmallBox(tmp_path) as again:
        again.checks.resume()
        unpin_others([again.ring], {record.setl_id for record in again.store.open_swipes()})
        assert list(again.ring.pins()) == ["open"]


def test_an_open_swipe_of_a_terminal_that_is_no_longer_configured_waits_for_it_to_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SmallBox(tmp_path) as box:
        box.checks.take(box.swipe(ago_s=60), "csv", live=False)
    config = a_config(tmp_path)
    renamed = config.model_copy(update={"terminal": (config.terminal[0].model_copy(update={"id": "T02"}),)})
    with SmallBox(tmp_path, config=renamed) as without:
        assert without.checks.resume() == 1 and without.checks.waiting == 0
        assert without.checks.lost_terminals == {"T01"}
    with SmallBox(tmp_path) as back:
        back.recorded(*EVER)
        back.checks.resume()
        asyncio.run(back.work(lambda: back.verdict_of("S1")))


def test_a_swipe_that_takes_the_box_down_again_and_again_is_given_up(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        box.recorded(*EVER)
        box.checks.take(box.swipe(ago_s=60), "csv", live=False)
        for _ in range(swipe_checks.ATTEMPTS_MAX):
            box.store.begin_attempt("S1")  # as by agents that did not live to finish it
        asyncio.run(box.work(lambda: box.verdict_of("S1")))
        assert final_jobs(box)[0].give_up


def test_a_disk_that_stays_full_for_long_gives_no_swipe_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swipe_checks, "RETRY_S", 0.1)
    full = [JobFailed("S1", "no room", storage_full=True) for _ in range(swipe_checks.ATTEMPTS_MAX + 5)]
    with SmallBox(tmp_path, *full) as box:
        box.recorded(*EVER)
        box.checks.take(box.swipe(ago_s=60), "csv", live=False)
        asyncio.run(box.work(lambda: box.verdict_of("S1")))
        assert len(final_jobs(box)) == len(full) + 1 and not final_jobs(box)[-1].give_up
