"""A swipe check: footage in, an identity check out.

The window is searched outward from the swipe. As soon as independent samples prove that the holder was there, the
search stops: being present is something no other picture can undo. Only what stays in doubt is searched whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

import renzheng
from edge_agent.footage import AFTER_S, BEFORE_S, Footage, OnDamage, Stretch, TimeWindow
from edge_agent.looks import Look, LookMemory
from edge_agent.pending_samples import Stage, pending_samples
from edge_agent.surroundings import Surroundings, longest_gap_s
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import (
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    PendingSamples,
    Reason,
    Swipe,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
    Verdict,
)
from vision.evidence import evidence_of, samples_of
from vision.pack import VisionPack
from vision.people import References
from vision.pipeline import WindowView, faces_in
from vision.presence import GreyImage, Mask, is_frozen, picture_faults, small_grey, unexplained_presence
from vision.track import INDEPENDENT_S
from vision.types import BgrImage, Face, FaceTrack, Frame
from vision.verdict import INDEPENDENT_NEEDED, Bands, Decision, asks_surroundings, decide, established, role_of
from vision.zones import ZoneKind, Zones

EVALUATE_EVERY_S = 1.0


@dataclass(frozen=True)
class CheckSettings:
    """How a counter is checked."""

    pack: VisionPack
    thresholds: ThresholdValues
    zones: Zones = field(default_factory=Zones.whole_picture)
    before_s: float = BEFORE_S
    after_s: float = AFTER_S
    clock_offset_s: float = 0.0
    exhaustive: bool = False
    camera_id: str | None = None
    memory: LookMemory | None = None

    @property
    def bands(self) -> Bands:
        """The decision bands of the threshold set."""
        return Bands(self.thresholds.accept, self.thresholds.reject, self.thresholds.few_samples_margin)


@dataclass(frozen=True)
class CheckedSwipe:
    """A check, the faces of its samples in the same order, and the reduced picture at the swipe, if one was seen.

    ``pending`` is what the server needs to decide it, where nobody could be asked for the holder's templates.
    """

    check: IdentityCheck
    sample_faces: tuple[Face, ...] = ()
    still_bgr: BgrImage | None = None
    pending: PendingSamples | None = None


def outward(stretches: Sequence[Stretch], moment_s: float) -> Iterator[Stretch]:
    """The stretch that holds the moment, then the next, the one before, the next but one, and so on."""
    after = [stretch for stretch in stretches if stretch.end_s > moment_s]
    before = [stretch for stretch in reversed(stretches) if stretch.end_s <= moment_s]
    for index in range(max(len(after), len(before) + 1)):
        if index < len(after):
            yield after[index]
        if index and index <= len(before):
            yield before[index - 1]


@dataclass
class Search:
    """What one search of a window has seen."""

    footage: Footage
    window: TimeWindow
    moment_s: float
    references: References
    settings: CheckSettings
    known_faults: tuple[Reason, ...] = ()
    view: WindowView = field(init=False)
    looks: dict[float, GreyImage] = field(default_factory=dict)
    searched_s: float = 0.0
    damage: int = 0
    tracks: list[FaceTrack] = field(default_factory=list)
    evidence: tuple[TrackEvidence, ...] = ()
    still: tuple[float, BgrImage] | None = None
    stages: list[Stage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view = WindowView(self.settings.pack)

    def run(self) -> bool:
        """Search outward; whether independent samples established the holder.

        An exhaustive search goes on to the end and keeps what it found there, unless only the part around the swipe
        establishes the holder: then it keeps that part's evidence, so that both ways give the same verdict.
        """
        kept: tuple[list[FaceTrack], tuple[TrackEvidence, ...]] | None = None
        for stretch in outward(self.footage.stretches(self.window), self.moment_s):
            for _pause_s in self._look_through(stretch):
                if not self.references.reachable:
                    self._note_stage()
                elif kept is None and self._holder_established():
                    if not self.settings.exhaustive:
                        return True
                    kept = self.tracks, self.evidence
        self.evaluate()
        if kept and not established(self.evidence, self.settings.bands):
            self.tracks, self.evidence = kept
        return kept is not None

    def _look_through(self, stretch: Stretch) -> Iterator[float]:
        """Look at a stretch; pause about once a second of footage and at its end."""
        start_s = max(stretch.start_s, self.window.start_s)
        end_s = min(stretch.end_s, self.window.end_s)
        paused_s = start_s
        for time_s in self._seen_in(stretch):
            if time_s - paused_s >= EVALUATE_EVERY_S:
                self.searched_s += time_s - paused_s
                paused_s = time_s
                yield time_s
        self.searched_s += max(0.0, end_s - paused_s)
        yield end_s

    def _seen_in(self, stretch: Stretch) -> Iterator[float]:
        """Take what is seen of a stretch, from memory where that was looked through before; the times of the looks."""
        if self.settings.memory is None:
            for frame in self.footage.look(stretch, self.window, self._on_damage):
                self._take(frame)
                yield frame.time_s
        else:
            for look in self.settings.memory.through(stretch, self.window, self.moment_s, self._fresh, self._on_damage):
                self.view.faces.extend(look.faces)
                self._note(look.time_s, look.grey, look.reduced_bgr)
                yield look.time_s

    def _fresh(self, stretch: Stretch, on_damage: OnDamage) -> Iterator[Look]:
        for frame in self.footage.look(stretch, self.window, on_damage):
            faces = tuple(faces_in(frame, self.settings.pack))
            yield Look(frame.time_s, faces, small_grey(frame.reduced_bgr), frame.reduced_bgr)

    def _take(self, frame: Frame) -> None:
        self.view.look_at(frame)
        self._note(frame.time_s, small_grey(frame.reduced_bgr), frame.reduced_bgr)

    def _note(self, time_s: float, grey: GreyImage, reduced_bgr: BgrImage | None) -> None:
        self.looks[time_s] = grey
        distance_s = abs(time_s - self.moment_s)
        if reduced_bgr is not None and (self.still is None or distance_s < self.still[0]):
            self.still = distance_s, reduced_bgr

    def _on_damage(self, _message: str) -> None:
        self.damage += 1

    def _holder_established(self) -> bool:
        """Whether independent samples prove the holder; asked in full only where some face comes near the holder."""
        holder = self.references.holder
        if holder is None or not self._spread_enough():
            return False
        if not self.view.may_show(holder.templates, self.settings.bands.reject):
            return False
        self.evaluate()
        return established(self.evidence, self.settings.bands)

    def _spread_enough(self) -> bool:
        """Whether faces lie so far apart in time that independent samples can be among them."""
        times_s = [face.time_s for face in self.view.faces]
        return bool(times_s) and max(times_s) - min(times_s) >= INDEPENDENT_S * (INDEPENDENT_NEEDED - 1)

    def _note_stage(self) -> None:
        """Remember the tracks as they are now: whoever knows the holder may find that the search could stop here."""
        if self._spread_enough():
            self.evaluate()
            if not self.stages or self.stages[-1].evidence != self.evidence:
                self.stages.append(Stage(tuple(self.tracks), self.evidence))

    def evaluate(self) -> None:
        """Tracks and their evidence from everything seen so far."""
        faces = self.view.faces
        private = self.settings.zones.holds(ZoneKind.PRIVATE, np.array([f.chin_relative for f in faces]).reshape(-1, 2))
        self.view.faces = [face for face, hidden in zip(faces, private, strict=True) if not hidden]
        self.tracks = self.view.tracks()
        self.evidence = tuple(
            evidence_of(number, track, self.references, self.settings.zones) for number, track in enumerate(self.tracks)
        )

    def tell_fixtures(self, surroundings: Surroundings) -> None:
        """Mark strangers' tracks that are there before and after, unchanged: posters and screens."""
        self.evidence = tuple(
            facts.model_copy(update={"always_there": surroundings.always_there(track, self.window)})
            if role_of(facts, self.settings.bands) is TrackRole.OTHER
            else facts
            for track, facts in zip(self.tracks, self.evidence, strict=True)
        )

    def coverage(self, **more: object) -> Coverage:
        """How much was there and was looked at."""
        return Coverage.model_validate(
            {
                "recorded_share": round(self.footage.recorded_share(self.window), 4),
                "frames_looked": len(self.looks),
                "searched_share": round(min(1.0, self.searched_s / self.window.length_s), 4),
                "longest_gap_s": round(longest_gap_s(list(self.looks), self.window), 3),
                "damaged_frames": self.damage,
                "picture_faults": self.known_faults,
                **more,
            }
        )


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


def look_ahead(swipe: Swipe, footage: Footage, references: References, settings: CheckSettings) -> None:
    """Look at what there is of a swipe's window by now, so that ``settings.memory`` has it for the final check."""
    if not _unknown_holder(references):
        moment_s = to_seconds(swipe.setl_time) + settings.clock_offset_s
        Search(footage, window_of(swipe, settings), moment_s, references, settings).run()


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
    if nobody or usual is not None:
        bodies = _explained(search)
        presence = round(unexplained_presence(looks, usual, bodies, _zone_asked(search, nobody)), 4)
    if not nobody:
        search.tell_fixtures(surroundings)
    coverage = search.coverage(unexplained_presence=presence, picture_faults=(*search.known_faults, *faults))
    return coverage, _decision(search, samples, coverage)


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
