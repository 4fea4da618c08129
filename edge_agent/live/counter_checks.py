"""Swipe checks over the rings: what the audit does with recordings, with the doubts that only a live box has."""

from __future__ import annotations

from collections import deque

from edge_agent.counter import CheckedSwipe, check_swipe, look_ahead, stopped_check, window_of
from edge_agent.edge_config import TerminalConfig
from edge_agent.kept_files import ONE_CHECKS_ERRORS, CheckT, told
from edge_agent.live.check_files import Pictures
from edge_agent.live.jobs import AheadJob, CheckDone, LookedAhead, SwipeJob
from edge_agent.live.vision_box import CameraPlace, VisionBox
from edge_agent.search import CheckSettings
from renzheng.clock import to_seconds
from renzheng.contracts import FLAGGED, Reason, Swipe, Verdict
from renzheng.errors import BadInput, StorageFull
from renzheng.files import storage_errors
from vision.evidence import tracks_shown
from vision.people import References

WITHOUT_TRUE_PICTURE = frozenset({Reason.NO_PICTURE, Reason.PICTURE_DARK, Reason.PICTURE_FROZEN})
"""What a covered, blinded or stuck camera gives; an operator is told to look at it."""

FINISHED_KNOWN = 64
"""Swipes whose check was made: a first look that comes after it would be remembered and asked for by nobody."""


class CounterChecks:
    """Answers swipe jobs of one box."""

    def __init__(self, box: VisionBox) -> None:
        self._box = box
        self._finished: deque[str] = deque(maxlen=FINISHED_KNOWN)

    def check(self, job: SwipeJob) -> CheckDone:
        """The check of a swipe; final, with its files complete on the disk.

        An error of the swipe's own makes it *not assessable*. Raises :class:`StorageFull`, and :class:`BadInput` for a
        terminal that is not configured.
        """
        terminal = self._terminal(job.swipe)
        place, settings = self._box.place(terminal.camera), self._box.settings_at(terminal)
        if job.give_up:
            check = stopped_check(job.swipe, place.ring, settings)
            return CheckDone(job.job_id, check, (), ("given up: the vision process died over it again and again",))
        if self._is_ahead(job, settings):
            return self._stopped(job, place, settings, Reason.SWIPE_TIME_IMPLAUSIBLE)
        try:
            with storage_errors(self._box.keeper.folders.evidence):
                return self._checked(job, place, settings)
        except StorageFull:
            raise
        except ONE_CHECKS_ERRORS as error:
            why = f"not assessable, because an error stopped its check: {told(error)}"
            return self._stopped(job, place, settings, Reason.UNREADABLE, why)

    def look_ahead(self, job: AheadJob) -> LookedAhead:
        """Look at one more stretch of a window. Raises :class:`BadInput` for a terminal that is not configured."""
        swipe = job.swipe
        terminal = self._terminal(swipe)
        if swipe.setl_id in self._finished:
            return LookedAhead(job.job_id)
        place = self._box.place(terminal.camera)
        references = self._box.references.references_for(swipe.psn_no, swipe.setl_time)
        settings, until_s = self._box.settings_at(terminal), place.ring.recorded_until()
        if until_s is None:
            return LookedAhead(job.job_id)
        more = look_ahead(swipe, place.ring, place.surroundings, references, settings, until_s)
        return LookedAhead(job.job_id, more)

    def _terminal(self, swipe: Swipe) -> TerminalConfig:
        terminal = self._box.config.terminal_named(swipe.terminal_id)
        if terminal is None:
            raise BadInput("terminal_id: is not configured on this box")
        return terminal

    def _is_ahead(self, job: SwipeJob, settings: CheckSettings) -> bool:
        """Whether the swipe is further in the future than any terminal's clock may be."""
        moment_s = to_seconds(job.swipe.setl_time) + settings.clock_offset_s
        return moment_s - self._box.clock.now_s() > self._box.config.swipes.ahead_s

    def _checked(self, job: SwipeJob, place: CameraPlace, settings: CheckSettings) -> CheckDone:
        swipe = job.swipe
        references = self._box.references.references_for(swipe.psn_no, swipe.setl_time)
        nobody_decides = self._box.keeper.keys.server_public_key is None
        doubtful = job.clock_doubt or place.ring.clock_unclear(window_of(swipe, settings))
        doubts = (Reason.CLOCK_UNCLEAR,) if doubtful else ()

        def seen_with(known: References) -> CheckedSwipe:
            return check_swipe(swipe, place.ring, place.surroundings, known, settings, doubts)

        if not references.reachable and nobody_decides:
            return self._stopped(job, place, settings, Reason.REFERENCE_UNREACHABLE)
        checked = seen_with(references)
        if references.stale and checked.check.verdict in FLAGGED:
            if nobody_decides:
                return self._stopped(job, place, settings, Reason.REFERENCE_UNREACHABLE)
            checked = seen_with(references.withheld())
        check = naming_unfit_camera(checked.check)
        if not job.final:
            return CheckDone(job.job_id, check)
        place.memory.forget(window_of(swipe, settings))
        self._finished.append(swipe.setl_id)
        return self._box.keeper.keep(
            job.job_id,
            check,
            self._box.config.keep.leaves_for(check.verdict),
            _pictures(checked),
            place.ring,
            place.camera.id,
            place.private,
            checked.pending,
        )

    def _stopped(
        self, job: SwipeJob, place: CameraPlace, settings: CheckSettings, why: Reason, *remarks: str
    ) -> CheckDone:
        """A check for which nothing counts that was seen. Where footage is there, a reviewer still gets the clip."""
        check = stopped_check(job.swipe, place.ring, settings, why)
        if not job.final:
            return CheckDone(job.job_id, check, (), remarks)
        leaves = self._box.config.keep.leaves_for(check.verdict)
        done = self._box.keeper.keep(job.job_id, check, leaves, Pictures(), place.ring, place.camera.id, place.private)
        return CheckDone(job.job_id, done.check, done.files, (*remarks, *done.remarks))


def _pictures(checked: CheckedSwipe) -> Pictures:
    found = checked.check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH)
    return Pictures(checked.sample_faces, tracks_shown(checked.check), None if found else checked.still_bgr)


def naming_unfit_camera(check: CheckT) -> CheckT:
    """The check with the camera named as the reason, where its picture keeps the check from being assessed."""
    faults: tuple[Reason, ...] = check.coverage.picture_faults
    if check.verdict.value != Verdict.NOT_ASSESSABLE.value or not WITHOUT_TRUE_PICTURE & set(faults):
        return check
    coverage = check.coverage.model_copy(update={"picture_faults": (*faults, Reason.CAMERA_UNFIT)})
    return check.model_copy(update={"coverage": coverage, "reasons": (*check.reasons, Reason.CAMERA_UNFIT)})
