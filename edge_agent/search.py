"""Searching a window of footage outward from a moment: what faces there are, and whether they settle the question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.footage import AFTER_S, BEFORE_S, Footage, OnDamage, Stretch, TimeWindow
from edge_agent.looks import Known, Look, LookMemory
from edge_agent.pending_samples import Stage
from edge_agent.surroundings import Surroundings, longest_gap_s
from renzheng.contracts import (
    Coverage,
    Reason,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
)
from vision.evidence import evidence_of
from vision.pack import VisionPack
from vision.people import References
from vision.pipeline import WindowView, faces_in
from vision.presence import GreyImage, small_grey
from vision.track import INDEPENDENT_S
from vision.types import BgrImage, FaceTrack, Frame
from vision.verdict import INDEPENDENT_NEEDED, Bands, established, role_of
from vision.zones import ZoneKind, Zones

EVALUATE_EVERY_S = 1.0


@dataclass(frozen=True)
class CheckSettings:
    """How a counter is checked.

    Nobody is called absent unless glances at the place cover ``usual_span_s`` outside the window: whoever stands there
    all the time that was recorded looks like part of it.
    """

    pack: VisionPack
    thresholds: ThresholdValues
    zones: Zones = field(default_factory=Zones.whole_picture)
    before_s: float = BEFORE_S
    after_s: float = AFTER_S
    clock_offset_s: float = 0.0
    usual_span_s: float = 0.0
    exhaustive: bool = False
    camera_id: str | None = None
    memory: LookMemory | None = None

    @property
    def bands(self) -> Bands:
        """The decision bands of the threshold set."""
        return Bands(self.thresholds.accept, self.thresholds.reject, self.thresholds.few_samples_margin)


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
    fresh: int = 0
    """Stretches that were decoded and not remembered."""

    def __post_init__(self) -> None:
        memory = self.settings.memory
        self.view = WindowView(self.settings.pack, embedded=memory.embedded(self.window) if memory else {})

    def run(self, *, whole_before_s: float = math.inf, fresh_most: float = math.inf) -> bool:
        """Search outward; whether independent samples established the holder.

        A first look leaves out what does not end before ``whole_before_s``, because it still grows, and stops after
        ``fresh_most`` stretches that were not remembered.

        An exhaustive search goes on to the end and keeps what it found there, unless only the part around the swipe
        establishes the holder: then it keeps that part's evidence, so that both ways give the same verdict.
        """
        kept: tuple[list[FaceTrack], tuple[TrackEvidence, ...]] | None = None
        for stretch in outward(self.footage.stretches(self.window), self.moment_s):
            if stretch.end_s >= whole_before_s:
                continue
            if self.fresh >= fresh_most:
                return False
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

    def _fresh(self, stretch: Stretch, known: Known, on_damage: OnDamage) -> Iterator[Look]:
        self.fresh += 1
        for frame in self.footage.look(stretch, self.window, on_damage):
            before = known.get(frame.time_s)
            faces = before.faces if before else tuple(faces_in(frame, self.settings.pack))
            grey = before.grey if before else small_grey(frame.reduced_bgr)
            yield Look(frame.time_s, faces, grey, frame.reduced_bgr)

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
