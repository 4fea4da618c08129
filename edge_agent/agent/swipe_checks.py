"""The life of a swipe on a box: taken and durable, pinned in the ring, checked when its window is over, finished.

What is open lies in the store; here only the order of the due times is held, so that a crash loses nothing: on the
next start every open swipe is taken up again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial

from edge_agent.agent.dispatcher import Dispatcher, Urgency
from edge_agent.agent.due_swipes import DueSwipes
from edge_agent.agent.first_looks import FirstLooks
from edge_agent.agent.pins import pin, unpin
from edge_agent.agent.templates import Templates
from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock
from edge_agent.box.metrics import BoxMetrics
from edge_agent.edge_config import EdgeConfig, TerminalConfig
from edge_agent.footage import TimeWindow
from edge_agent.live.jobs import CheckDone, JobFailed, SwipeJob
from edge_agent.logs import facts
from edge_agent.outbox.store import Store, SwipeRecord
from edge_agent.ring.index import SegmentIndex
from edge_agent.swipe_sources.intake import Receipt, SwipeStatus, UnknownTerminal
from edge_agent.uplink.uplink import Uplink
from renzheng.clock import to_seconds
from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import StorageFull
from renzheng.tables.rows import quoted

log = logging.getLogger(__name__)

FOOTAGE_GRACE_S = 5.0
"""Pictures reach the ring later than they were taken; so many real seconds after, the footage counts as incomplete."""

FOOTAGE_POLL_S = 0.1
CLOCK_SLACK_S = 0.5
"""A clock that is slewed may lag so far behind the one that is never set."""

SETTLED_S = 0.2
"""The newest picture on the disk lies this far behind the newest that was shown."""

AHEAD_TOLERATED_S = 5.0
"""Nobody swipes in the future: a swipe further ahead than this shows that a clock is wrong, and accuses nobody."""

ATTEMPTS_MAX = 20
"""Counted over restarts: a swipe whose check takes the whole box down each time must not do so for ever."""

WINDOWS_END_WITHIN_S = 12.0
"""Real seconds that a stop waits for windows which are about to end, and for a backlog; the rest waits for a start."""

STILL_IN_HAND_S = 0.1
TERMINALS_NOTE = "terminals"

AT_ONCE = 8
"""Swipes in hand at a time: with vision processes, fetching templates, or waiting for the last pictures."""

RETRY_S = 10.0
FAILURES_MAX = 2
"""After so many rounds in which the vision process died over a swipe, it is given up as not assessable."""


class SwipeChecks:
    """Implements :class:`edge_agent.swipe_sources.intake.Intake`."""

    def __init__(
        self,
        config: EdgeConfig,
        clock: AgentClock,
        store: Store,
        dispatcher: Dispatcher,
        rings: Mapping[str, SegmentIndex],
        templates: Templates | None,
        uplink: Uplink | None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._store = store
        self._dispatcher = dispatcher
        self._rings = rings
        self._templates = templates
        self._uplink = uplink
        self.metrics: BoxMetrics | None = None
        self.first_looks: FirstLooks | None = None
        self._due = DueSwipes()
        self._arrived = asyncio.Event()
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._waiters: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._failures: Counter[str] = Counter()
        self._attempts: dict[str, int] = {}
        self.storage_full = False
        self.lost_terminals: set[str] = set()

    @property
    def waiting(self) -> int:
        """Swipes whose final check is not yet in hand."""
        return len(self._due)

    # --- taking ------------------------------------------------------------------------------------------------------

    def take(self, swipe: Swipe, source: str, *, live: bool) -> Receipt:
        """See :class:`~edge_agent.swipe_sources.intake.Intake`."""
        terminal = self._terminal(swipe)
        now_s = self._clock.now_s()
        late_s = now_s - _moment_s(swipe, terminal)
        doubt = late_s < -AHEAD_TOLERATED_S or (live and late_s > self._config.swipes.late_after_s)
        try:
            accepted = self._store.accept(swipe, source, now_s, clock_doubt=doubt)
        except StorageFull:
            self.storage_full = True
            raise
        self.storage_full = False
        if self.metrics is not None:
            self.metrics.swipe_taken(source, accepted.state)
        if accepted.state == "new":
            self._schedule(accepted.record, terminal)
        elif accepted.state == "conflict":
            log.warning("another swipe came under a known id; the first stays", extra=facts(swipe=swipe.setl_id))
        return Receipt(swipe.setl_id, accepted.state)

    def resume(self) -> int:
        """Take up what was open when the agent stopped; to be called before the rings may delete anything.

        A swipe whose terminal has another camera or offset now than when it came accuses nobody. One whose terminal
        is gone stays in the store until that is back.
        """
        self._doubt_changed_terminals()
        records = self._store.open_swipes()
        for record in records:
            terminal = self._config.terminal_named(record.terminal_id)
            if terminal is None:
                self.lost_terminals.add(record.terminal_id)
                continue
            self._schedule(record, terminal)
        return len(records)

    def _doubt_changed_terminals(self) -> None:
        now = {terminal.id: [terminal.camera, terminal.clock_offset_s] for terminal in self._config.terminal}
        before = json.loads(self._store.note(TERMINALS_NOTE) or "{}")
        changed = [name for name, settings in now.items() if before.get(name, settings) != settings]
        if changed:
            self._store.doubt_open_swipes(changed)
        if now != before:
            self._store.set_note(TERMINALS_NOTE, json.dumps(now))

    def find(self, swipe_id: str) -> SwipeStatus | None:
        """See :class:`~edge_agent.swipe_sources.intake.Intake`."""
        record = self._store.find(swipe_id)
        if record is None:
            return None
        return SwipeStatus(record.setl_id, record.terminal_id, record.source, record.received_s, record.check)

    def _terminal(self, swipe: Swipe) -> TerminalConfig:
        terminal = self._config.terminal_named(swipe.terminal_id)
        if terminal is None:
            known = ", ".join(terminal.id for terminal in self._config.terminal)
            raise UnknownTerminal(f"terminal_id: expected one of {known}, found {quoted(swipe.terminal_id)}")
        return terminal

    def _window(self, swipe: Swipe, terminal: TerminalConfig) -> TimeWindow:
        moment_s = _moment_s(swipe, terminal)
        return TimeWindow(moment_s - terminal.before_s, moment_s + terminal.after_s)

    def _schedule(self, record: SwipeRecord, terminal: TerminalConfig) -> None:
        """Pin the window and note when it is over, on the clock that is never set."""
        window = self._window(record.swipe, terminal)
        ahead_s = window.end_s - self._clock.now_s()
        if ahead_s <= self._config.swipes.ahead_s + terminal.after_s:
            pin(self._rings[terminal.camera], record.setl_id, window)
            if self.first_looks is not None:
                self.first_looks.plan(record.setl_id, ahead_s)
        else:
            ahead_s = 0.0  # its time cannot be right: there is nothing to wait for
        self._push(record.setl_id, max(0.0, ahead_s) + SETTLED_S, backlog=ahead_s < 0)

    def _push(self, swipe_id: str, in_s: float, *, backlog: bool = False) -> None:
        self._due.push(swipe_id, self._clock.steady_s() + in_s, backlog=backlog)
        self._arrived.set()

    # --- waiting for an answer ---------------------------------------------------------------------------------------

    async def opinion(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """See :class:`~edge_agent.swipe_sources.intake.Intake`."""
        record = self._store.find(swipe_id)
        if record is None or record.state == "done":
            return record.check if record else None
        try:
            return await asyncio.wait_for(self._opinion(record), timeout_s)
        except TimeoutError:
            return None

    async def _opinion(self, record: SwipeRecord) -> IdentityCheck | None:
        await self._bring_templates(record)
        job = SwipeJob(f"opinion-{record.setl_id}", record.swipe, final=False, clock_doubt=record.clock_doubt)
        answer = await self._dispatcher.ask(job, Urgency.OPINION)
        if self.metrics is not None and isinstance(answer, CheckDone):
            self.metrics.opinion_given(self._clock.now_s() - record.received_s)
        return answer.check if isinstance(answer, CheckDone) and isinstance(answer.check, IdentityCheck) else None

    async def final(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """See :class:`~edge_agent.swipe_sources.intake.Intake`."""
        record = self._store.find(swipe_id)
        if record is None or record.state == "done":
            return record.check if record else None
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[swipe_id].add(finished)
        try:
            await asyncio.wait_for(finished, timeout_s)
        except TimeoutError:
            return None
        finally:
            self._waiters[swipe_id].discard(finished)
            if not self._waiters[swipe_id]:
                del self._waiters[swipe_id]
        record = self._store.find(swipe_id)
        return record.check if record else None

    # --- checking ----------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Check what falls due until stopped; then finish what is in hand."""
        while not stop.is_set():
            self._arrived.clear()
            self._begin_due()
            await self._nap(stop)
        await self._end_windows()

    async def _end_windows(self) -> None:
        """On the way out: wait for the windows that end in a moment, so that no restart cuts a gap into them."""
        left_s = WINDOWS_END_WITHIN_S
        while left_s > 0 and (self._in_hand or self._is_due_within(left_s)):
            self._begin_due()
            await asyncio.sleep(FOOTAGE_POLL_S)
            left_s -= FOOTAGE_POLL_S
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)

    def _is_due_within(self, real_s: float) -> bool:
        next_s = self._due.next_s()
        return next_s is not None and self._clock.real_s(next_s - self._clock.steady_s()) < real_s

    def _begin_due(self) -> None:
        while len(self._in_hand) < AT_ONCE and (swipe_id := self._due.pop(self._clock.steady_s())) is not None:
            if swipe_id in self._in_hand:  # its last try has not quite let go of it
                self._push(swipe_id, STILL_IN_HAND_S)
            else:
                task = asyncio.create_task(self._check(swipe_id), name=f"check-{swipe_id}")
                self._in_hand[swipe_id] = task
                task.add_done_callback(partial(self._let_go, swipe_id))

    def _let_go(self, swipe_id: str, task: asyncio.Task[None]) -> None:
        del self._in_hand[swipe_id]
        self._arrived.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("checking a swipe failed; it is tried again", extra=facts(swipe=swipe_id), exc_info=error)
            self._push(swipe_id, RETRY_S)

    async def _nap(self, stop: asyncio.Event) -> None:
        """Until something arrives, falls due or stops; at most a second, and short while all hands are full."""
        nap_s = LONGEST_NAP_S
        next_s = self._due.next_s()
        if next_s is not None and len(self._in_hand) < AT_ONCE:
            nap_s = min(nap_s, max(0.0, self._clock.real_s(next_s - self._clock.steady_s())))
        waits = {asyncio.ensure_future(self._arrived.wait()), asyncio.ensure_future(stop.wait())}
        await asyncio.wait(waits, timeout=nap_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _check(self, swipe_id: str) -> None:
        record = self._store.find(swipe_id)
        if record is None or record.state == "done":
            return
        terminal = self._terminal(record.swipe)
        await self._bring_templates(record)
        await self._footage_there(terminal, self._window(record.swipe, terminal))
        if swipe_id not in self._attempts:  # once in an agent's life: a full disk may fail it any number of times
            self._attempts[swipe_id] = self._store.begin_attempt(swipe_id)
        give_up = self._failures[swipe_id] >= FAILURES_MAX or self._attempts[swipe_id] > ATTEMPTS_MAX
        job = SwipeJob(swipe_id, record.swipe, final=True, clock_doubt=record.clock_doubt, give_up=give_up)
        answer = await self._dispatcher.ask(job, Urgency.FINAL, record.received_s)
        if isinstance(answer, CheckDone) and isinstance(answer.check, IdentityCheck):
            self._finish(answer, answer.check, terminal, record.received_s)
        elif isinstance(answer, JobFailed):
            self._again(swipe_id, answer)

    def _finish(self, done: CheckDone, check: IdentityCheck, terminal: TerminalConfig, received_s: float) -> None:
        now_s = self._clock.now_s()
        self._store.finish_swipe(done, self._config.keep.leaves_for(check.verdict), now_s)
        unpin(self._rings[terminal.camera], check.swipe_id)
        self._failures.pop(check.swipe_id, None)
        self._attempts.pop(check.swipe_id, None)
        self.storage_full = False
        late_s = round(now_s - to_seconds(check.window_end), 3)
        told = facts(swipe=check.swipe_id, verdict=check.verdict.value, after_window_s=late_s, remarks=done.remarks)
        log.info("a swipe was checked", extra=told)
        if self._uplink is not None:
            self._uplink.nudge()
        if self.metrics is not None:
            waited_s = now_s - received_s
            behind_s = max(0.0, min(late_s, waited_s))  # of a swipe that came late, from when it came
            self.metrics.check_finished("swipe", check.verdict, waited_s=waited_s, behind_s=behind_s)
        for waiter in self._waiters.get(check.swipe_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _again(self, swipe_id: str, failed: JobFailed) -> None:
        """Try again: the footage is pinned. A vision process that is down has been waited for by the one who asked."""
        self.storage_full = failed.storage_full
        self._failures[swipe_id] += failed.is_its_own
        log.warning("a swipe's check gave nothing; it is tried again", extra=facts(swipe=swipe_id, why=failed.why))
        at_once = not failed.storage_full and self._failures[swipe_id] <= FAILURES_MAX
        self._push(swipe_id, 0.0 if at_once else RETRY_S)

    async def _bring_templates(self, record: SwipeRecord) -> None:
        if self._templates is not None:
            await self._templates.ensure(record.swipe.psn_no, record.swipe.setl_time)

    async def _footage_there(self, terminal: TerminalConfig, window: TimeWindow) -> None:
        """Return when the ring holds the window to its end, or the grace, in real seconds, is over.

        A window that is not over although it fell due will not be soon: the swipe's time is wrong, or the clock was set
        back.
        """
        if window.end_s - self._clock.now_s() > CLOCK_SLACK_S:
            return
        ring = self._rings[terminal.camera]
        grace_s = FOOTAGE_GRACE_S / self._clock.real_s(1.0)
        until_s = min(self._clock.now_s(), window.end_s) + grace_s
        began_s = self._clock.steady_s()
        while self._clock.now_s() < until_s and self._clock.steady_s() < began_s + grace_s:
            recorded_until_s = ring.recorded_until()
            if recorded_until_s is not None and recorded_until_s >= window.end_s:
                return
            await asyncio.sleep(FOOTAGE_POLL_S)


def _moment_s(swipe: Swipe, terminal: TerminalConfig) -> float:
    """When a swipe happened, on the box's clock, seconds since 1970 (UTC)."""
    return to_seconds(swipe.setl_time) + terminal.clock_offset_s
