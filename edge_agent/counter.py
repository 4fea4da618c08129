"""A swipe check: footage in, an identity check out.

The window is searched outward from the swipe. As soon as independent samples prove that the holder was there, the
search stops: being present is something no other picture can undo. Only what stays in doubt is searched whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import renzheng
from edge_agent.footage import Footage, TimeWindow
from edge_agent.pending_samples import Stage, pending_samples
from edge_agent.search import CheckSettings, Search
from edge_agent.surroundings import Surroundings
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import (
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    PendingSamples,
    Reason,
    Swipe,
    TrackEvidence,
    TrackRole,
    Verdict,
)
from vision.evidence import samples_of
from vision.people import References
from vision.presence import Mask, is_frozen, picture_faults, unexplained_presence
from vision.types import BgrImage, Face
from vision.verdict import PRESENCE_LIMIT, Bands, Decision, asks_surroundings, decide, role_of
from vision.zones import ZoneKind


@dataclass(frozen=True)
class CheckedSwipe:
    """A check, the faces of its samples in the same order, and the reduced picture at the swipe, if one was seen.

    ``pending`` is what the server needs to decide it, where nobody could be asked for the holder's templates.
    """

    check: IdentityCheck
    sample_faces: tuple[Face, ...] = ()
    still_bgr: BgrImage | None = None
    pending: PendingSamples | None = None


def window_of(swipe: Swipe, settings: CheckSettings) -> TimeWindow:
    """The window of a swipe on the camera's timeline."""
    moment_s = to_seconds(swipe.setl_time) + settings.clock_offset_s
    return TimeWindow(moment_s - settings.before_s, moment_s + settings.after_s)


def check_swipe(
    swipe: Swipe,
    footage: Footage,
    surroundings: Surroundings,
    references: References,
    settings: CheckSettings,
    known_faults: tuple[Reason, ...] = (),
) -> CheckedSwipe:
    """Check one swipe. Raises nothing for poor footage: that is *not assessable* with its reasons.

    ``known_faults`` are doubts about the footage from before any look: with one, nobody is accused.
    """
    moment_s = to_seconds(swipe.setl_time) + settings.clock_offset_s
    window = window_of(swipe, settings)
    search = Search(footage, window, moment_s, references, settings, known_faults)
    unknown = _unknown_holder(references)
    if unknown:
        return CheckedSwipe(
            _as_check(swipe, window, search, Decision(Verdict.NOT_ENROLLED, (unknown,)), search.coverage())
        )
    search.run()
    if not references.reachable:
        return _pending(swipe, search, surroundings)
    samples = samples_of(search.tracks, search.evidence, references, moment_s)
    coverage, decision = _decide(search, samples, surroundings)
    check = _as_check(swipe, window, search, decision, coverage, samples)
    sample_faces = tuple(face for track in search.tracks for face in track.samples)
    return CheckedSwipe(check, sample_faces, _without_private(search))


def look_ahead(
    swipe: Swipe,
    footage: Footage,
    surroundings: Surroundings,
    references: References,
    settings: CheckSettings,
    recorded_until_s: float,
) -> bool:
    """Look at one more stretch of a swipe's window, so that ``settings.memory`` has it for the final check.

    Whether there is more to look at. Last come the stretch that is still being recorded and, while the holder was not
    found, the surroundings: a verdict against somebody asks for them.
    """
    if _unknown_holder(references):
        return False
    moment_s = to_seconds(swipe.setl_time) + settings.clock_offset_s
    window = window_of(swipe, settings)
    whole = Search(footage, window, moment_s, references, settings)
    if whole.run(whole_before_s=recorded_until_s, fresh_most=1):
        return False
    if whole.fresh:
        return True
    if not Search(footage, window, moment_s, references, settings).run():
        surroundings.glances(window)
    return False


def _pending(swipe: Swipe, search: Search, surroundings: Surroundings) -> CheckedSwipe:
    """A check whose holder is not known yet, with all that any holder's verdict could need.

    What the surroundings tell is asked as for a holder who resembles nobody: wherever a true holder would be accused
    on it, that one would be too (tests compare).
    """
    unscored = search.evidence
    search.evidence = tuple(facts.model_copy(update={"holder_score": -1.0}) for facts in unscored)
    samples = samples_of(search.tracks, search.evidence, search.references, search.moment_s)
    coverage, _ = _decide(search, samples, surroundings)
    roles = [role_of(facts, search.settings.bands) for facts in search.evidence]
    search.evidence = tuple(facts.model_copy(update={"holder_score": None}) for facts in search.evidence)
    stages = [*search.stages, Stage(tuple(search.tracks), search.evidence)]
    decision = Decision(Verdict.PENDING_REFERENCE, (Reason.REFERENCE_UNREACHABLE,))
    check = _as_check(swipe, search.window, search, decision, coverage, samples)
    tracks = tuple(
        facts.model_copy(update={"role": TrackRole.UNCERTAIN if role is TrackRole.OTHER else role})
        for facts, role in zip(check.tracks, roles, strict=True)
    )
    pending = pending_samples(swipe.setl_id, stages, search.moment_s, search.settings.pack, search.known_faults)
    sample_faces = tuple(face for track in search.tracks for face in track.samples)
    return CheckedSwipe(check.model_copy(update={"tracks": tracks}), sample_faces, _without_private(search), pending)


def stopped_check(
    swipe: Swipe, footage: Footage, settings: CheckSettings, why: Reason = Reason.UNREADABLE
) -> IdentityCheck:
    """The check of a swipe that an error stopped, or that is not worth a look: nothing that was seen counts."""
    moment_s = to_seconds(swipe.setl_time) + settings.clock_offset_s
    search = Search(footage, window_of(swipe, settings), moment_s, References(None), settings)
    decision = Decision(Verdict.NOT_ASSESSABLE, (why,))
    return _as_check(swipe, search.window, search, decision, search.coverage())


def _without_private(search: Search) -> BgrImage | None:
    """The picture at the swipe with private zones blacked out."""
    if search.still is None:
        return None
    still_bgr = search.still[1].copy()
    still_bgr[search.settings.zones.mask(ZoneKind.PRIVATE, still_bgr.shape[1], still_bgr.shape[0])] = 0
    return still_bgr


def _unknown_holder(references: References) -> Reason | None:
    if not references.reachable:
        return None
    if references.holder is None:
        return Reason.PERSON_UNKNOWN
    return None if len(references.holder.templates) else Reason.NO_USABLE_PHOTO


def _decide(search: Search, samples: Sequence[FaceSample], surroundings: Surroundings) -> tuple[Coverage, Decision]:
    """The verdict. What the place looks like before and after is asked only where somebody would be accused on it."""
    coverage = search.coverage()
    decision = _decision(search, samples, coverage)
    if not asks_surroundings(decision):
        return coverage, decision
    nobody = decision.verdict is not Verdict.MISMATCH
    looks = sorted(search.looks.items())
    usual = surroundings.usual(search.window)
    faults = picture_faults([grey for _, grey in looks], usual) if nobody else ()
    if is_frozen(looks, surroundings.greys(search.window)):
        faults = (*faults, Reason.PICTURE_FROZEN)
    presence = None
    if usual is not None:
        share = unexplained_presence(looks, usual, _explained(search), _zone_asked(search, nobody))
        presence = _known(round(share, 4), surroundings.covered_s(search.window), search.settings)
    if not nobody:
        search.tell_fixtures(surroundings)
    coverage = search.coverage(unexplained_presence=presence, picture_faults=(*search.known_faults, *faults))
    return coverage, _decision(search, samples, coverage)


def _known(presence: float, covered_s: float, settings: CheckSettings) -> float | None:
    """What was seen to stand there counts. That nothing did counts only where more than a short while was recorded:
    in a short one somebody who stands there is what is usual."""
    return presence if presence > PRESENCE_LIMIT or covered_s >= settings.usual_span_s else None


def _decision(search: Search, samples: Sequence[FaceSample], coverage: Coverage) -> Decision:
    agents_without_photo = search.references.agents_without_photo
    return decide(search.evidence, samples, coverage, search.settings.bands, agents_without_photo)


def _explained(search: Search) -> list[Face]:
    """Faces whose bodies are no riddle: of people at the counter, and of staff wherever they stand."""
    pairs = zip(search.tracks, search.evidence, strict=True)
    return [face for track, facts in pairs if _explains(facts, search.settings.bands) for face in track.faces]


def _explains(facts: TrackEvidence, bands: Bands) -> bool:
    return facts.in_counter_zone or facts.in_staff_zone or role_of(facts, bands) is TrackRole.STAFF


def _zone_asked(search: Search, nobody: bool) -> Mask:
    """The counter zone; beside a stranger only below the chins, where another customer's body would stand.

    What is above heads is wall and shelves; a stranger who reaches up or a door that opens says nothing there.
    """
    height, width = next(iter(search.looks.values())).shape
    zone = search.settings.zones.mask(ZoneKind.COUNTER, width, height)
    if not nobody:
        pairs = zip(search.tracks, search.evidence, strict=True)
        chins = [face.chin_relative[1] for track, facts in pairs if facts.in_counter_zone for face in track.faces]
        zone[: int(np.median(chins) * height)] = False
    return zone


def _as_check(
    swipe: Swipe,
    window: TimeWindow,
    search: Search,
    decision: Decision,
    coverage: Coverage,
    samples: Sequence[FaceSample] = (),
) -> IdentityCheck:
    settings = search.settings
    tracks = tuple(t.model_copy(update={"role": role_of(t, settings.bands)}) for t in search.evidence)
    holder = search.references.holder
    return IdentityCheck(
        swipe_id=swipe.setl_id,
        psn_no=swipe.psn_no,
        fixmedins_code=swipe.fixmedins_code,
        terminal_id=swipe.terminal_id,
        swiped_at=swipe.setl_time,
        clock_offset_s=settings.clock_offset_s,
        window_start=from_seconds(window.start_s),
        window_end=from_seconds(window.end_s),
        verdict=decision.verdict,
        reasons=decision.reasons,
        score=decision.score,
        tracks=tracks,
        samples=tuple(samples),
        coverage=coverage,
        pack=PackReference(
            name=settings.pack.name,
            detector_sha256=settings.pack.detector_sha256,
            embedder_sha256=settings.pack.embedder_sha256,
        ),
        thresholds=settings.thresholds,
        agents_without_photo=search.references.agents_without_photo,
        reference_photos=len(holder.templates) if holder else 0,
        agent_version=renzheng.__version__,
        camera_id=settings.camera_id,
    )
