"""Bed checks of a box: the day's rounds are drawn once, kept, and made when their window is over."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping

from edge_agent.agent.dispatcher import Dispatcher, Urgency
from edge_agent.agent.pins import pin, unpin
from edge_agent.agent.tasks import pause
from edge_agent.agent.templates import Templates
from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock
from edge_agent.box.metrics import BoxMetrics
from edge_agent.edge_config import EdgeConfig
from edge_agent.footage import TimeWindow
from edge_agent.live.jobs import BedJob, CheckDone, JobFailed
from edge_agent.logs import facts
from edge_agent.outbox.store import PlannedBedCheck, Store
from edge_agent.ring.index import SegmentIndex
from edge_agent.uplink.uplink import Uplink
from edge_agent.ward.admissions import CurrentAdmissions
from edge_agent.ward.rounds import day_of, is_missed, plan_rounds
from edge_agent.ward.ward_file import Ward
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import BedCheck
from renzheng.errors import StorageFull

log = logging.getLogger(__name__)

DAY_S = 86_400.0
PLANNED_NOTE = "rounds_planned_for"
SETTLED_S = 2.0
RETRY_S = 10.0
FAILURES_MAX = 2
EVENT_MISSED = "bed_check_missed"


class BedRounds:
    """Plans and makes the bed checks of one ward. ``only`` leaves out rounds of a replay that its footage lacks."""

    def __init__(
        self,
        config: EdgeConfig,
        ward: Ward,
        clock: AgentClock,
        store: Store,
        dispatcher: Dispatcher,
        rings: Mapping[str, SegmentIndex],
        templates: Templates | None,
        uplink: Uplink | None,
        only: Callable[[float], bool] = lambda _due_s: True,
    ) -> None:
        self._config = config
        self._ward = ward
        self._clock = clock
        self._store = store
        self._dispatcher = dispatcher
        self._rings = rings
        self._templates = templates
        self._uplink = uplink
        self._only = only
        self._admissions = CurrentAdmissions(ward.admissions)
        self._failures: Counter[str] = Counter()
        self.metrics: BoxMetrics | None = None

    def resume(self) -> None:
        """Plan today and pin what is open; to be called before the rings may delete anything."""
        self._plan_day()
        for planned in self._store.open_bed_checks():
            self._pin(planned)

    async def run(self, stop: asyncio.Event) -> None:
        """Make each check when its window is over, until stopped."""
        while not stop.is_set():
            self._plan_day()
            due = [planned for planned in self._store.open_bed_checks() if self._ends_s(planned) <= self._clock.now_s()]
            for planned in due:
                if stop.is_set():
                    return
                await self._check(planned, stop)
            if not due:
                await pause(stop, min(LONGEST_NAP_S, self._clock.real_s(LONGEST_NAP_S)))

    def _plan_day(self) -> None:
        """Draw the rounds of a day the first time it is seen."""
        today = day_of(self._clock.now_s())
        if self._store.note(PLANNED_NOTE) == today.isoformat():
            return
        planned = plan_rounds(self._ward, today, random.SystemRandom(), self._config.fixmedins_code)
        kept = [check for check in planned if self._only(check.due_s)]
        try:
            self._store.plan_bed_checks(kept, note=(PLANNED_NOTE, today.isoformat()))
        except StorageFull as full:
            log.warning("the day's bed checks are planned when there is room", extra=facts(why=str(full)))
            return
        for check in self._store.open_bed_checks():
            self._pin(check)
        log.info("the day's bed checks are planned", extra=facts(day=today, checks=len(planned)))

    def _ends_s(self, planned: PlannedBedCheck) -> float:
        return planned.due_s + self._ward.window_s + SETTLED_S

    def _pin(self, planned: PlannedBedCheck) -> None:
        ring = self._ring_of(planned)
        if ring is not None:
            pin(ring, planned.check_id, TimeWindow(planned.due_s, planned.due_s + self._ward.window_s))

    def _ring_of(self, planned: PlannedBedCheck) -> SegmentIndex | None:
        """The ring of the bed's camera; ``None`` when the bed is no longer in the ward's file."""
        bed = next((bed for bed in self._ward.beds if bed.bed_id == planned.bed_id), None)
        return self._rings[bed.camera_id] if bed is not None else None

    async def _check(self, planned: PlannedBedCheck, stop: asyncio.Event) -> None:
        ring = self._ring_of(planned)
        if ring is None:
            self._miss(planned, "the bed is no longer in the ward's file")
            return
        if is_missed(planned.due_s, self._clock.now_s(), self._ward):
            self._miss(planned, "the box could not look in time")
            return
        await self._bring_templates(planned)
        give_up = self._failures[planned.check_id] >= FAILURES_MAX
        job = BedJob(planned.check_id, planned.check_id, planned.bed_id, planned.round_kind, planned.due_s, give_up)
        answer = await self._dispatcher.ask(job, Urgency.BED, planned.due_s)
        if isinstance(answer, CheckDone) and isinstance(answer.check, BedCheck):
            self._store.finish_bed(answer, self._config.keep.leaves_for_bed(answer.check.verdict), self._clock.now_s())
            unpin(ring, planned.check_id)
            if self._uplink is not None:
                self._uplink.nudge()
            self._failures.pop(planned.check_id, None)
            if self.metrics is not None:
                behind_s = max(0.0, self._clock.now_s() - to_seconds(answer.check.window_end))
                self.metrics.check_finished("bed", answer.check.verdict, waited_s=None, behind_s=behind_s)
            log.info("a bed was checked", extra=facts(check=planned.check_id, verdict=answer.check.verdict.value))
        elif isinstance(answer, JobFailed):
            self._failures[planned.check_id] += answer.is_its_own
            told = facts(check=planned.check_id, why=answer.why)
            log.warning("a bed check gave nothing; it is tried again", extra=told)
            await pause(stop, self._clock.real_s(RETRY_S))

    def _miss(self, planned: PlannedBedCheck, why: str) -> None:
        if self._store.miss_bed_check(planned.check_id, why):
            ring = self._ring_of(planned)
            if ring is not None:
                unpin(ring, planned.check_id)
            self._store.note_event(EVENT_MISSED, None, f"{planned.check_id}: {why}", self._clock.now_s())

    async def _bring_templates(self, planned: PlannedBedCheck) -> None:
        at = from_seconds(planned.due_s)
        patient = self._admissions.patient_in(planned.bed_id, at)
        if self._templates is not None and patient is not None:
            await self._templates.ensure(patient.psn_no, at)
