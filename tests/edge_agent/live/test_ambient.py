"""The ambient pass on a make-believe counter: who is new, who is there, and what the camera is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from edge_agent.footage import TimeWindow
from edge_agent.live.ambient import REMEMBERED_FACES, Ambient
from edge_agent.live.jobs import GlanceDone, GlanceJob, SnapshotJob
from edge_agent.live.surroundings import ENOUGH_GLANCES, SLOTS_KEPT, LiveSurroundings
from edge_agent.live.vision_box import CameraPlace, VisionBox
from edge_agent.private_zones import PrivateZones
from edge_agent.surroundings import Surroundings
from renzheng.contracts import Reason, ThresholdValues
from renzheng.errors import BadInput
from tests.edge_agent.planted import (
    START_S,
    WH,
    Planted,
    PlantedEmbedder,
    PlantedFootage,
    planted_pack,
    unit,
)
from vision.people import Person
from vision.types import BgrImage, Frame
from vision.zones import Zone, ZoneKind, Zones

THRESHOLDS = ThresholdValues(
    name="t", digest="0", accept=0.45, reject=0.30, few_samples_margin=0.1, target_fmr=1e-4, target_fnmr=0.01
)
CLERK = 3
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


class PlantedRing(PlantedFootage):
    """Footage in memory up to ``until``, seconds after the start."""

    until: float = 0.0
    spoil: Callable[[BgrImage], BgrImage] | None = None
    grain: bool = True

    def recorded_until(self) -> float | None:
        return START_S + self.until

    def newest_frame(self) -> Frame | None:
        frame = self._frame(self.until)
        shown = frame.reduced_bgr.copy()
        if self.grain:
            shown[-1, -16:] = int(self.until) % 200  # a clock in the picture
        if self.spoil:
            shown = self.spoil(shown).astype(np.uint8)
            shown[0, 0] = 0  # nobody can be found in it
        return Frame(frame.time_s, WH, shown, lambda: frame.full_bgr)

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        self.recorded = [(-100.0, self.until)]
        return super().glances(window, count)


class Staff:
    def staff_people(self) -> tuple[Person, ...]:
        return (Person("clerk", unit(CLERK)[None]),)


@dataclass
class Counter:
    """One camera whose scene a test sets."""

    zones: Zones = field(default_factory=Zones.whole_picture)

    def __post_init__(self) -> None:
        pack = planted_pack()
        assert isinstance(pack.embedder, PlantedEmbedder)
        self.ring = PlantedRing(lambda _second: (), learn=pack.embedder.learn)
        self.surroundings = LiveSurroundings(self.ring)
        place = CameraPlace(None, self.ring, self.zones, PrivateZones(self.zones), self.surroundings)  # type: ignore[arg-type]
        self.box = VisionBox(None, None, pack, THRESHOLDS, {"counter": place}, Staff(), None)  # type: ignore[arg-type]
        self.ambient = Ambient(self.box)

    def glance(self, second: float, *faces: Planted) -> GlanceDone:
        self.ring.scene = lambda _second: faces
        self.ring.until = second
        return self.ambient.glance(GlanceJob("g", "counter"))


def counted(visits: Sequence[tuple[float, Sequence[Planted]]], zones: Zones | None = None) -> list[tuple[int, int]]:
    counter = Counter(zones or Zones.whole_picture())
    done = [counter.glance(second, *faces) for second, faces in visits]
    return [(glance.present, glance.arrived) for glance in done]


A, B = Planted(1, x=0.3), Planted(2, x=0.7)


@pytest.mark.parametrize(
    ("visits", "told"),
    [
        ([(0, [])], [(0, 0)]),
        ([(0, [A]), (10, [A]), (20, [A, B])], [(1, 1), (1, 0), (2, 1)]),
        ([(0, [A]), (10, []), (200, [A])], [(1, 1), (0, 0), (1, 0)]),
        ([(0, [A]), (400, [A])], [(1, 1), (1, 1)]),
        ([(n * 100, [A]) for n in range(9)], [(1, 1)] + [(1, 0)] * 8),
        ([(0, [Planted(CLERK)]), (10, [Planted(CLERK, x=0.2), B])], [(0, 0), (1, 1)]),
        ([(0, [Planted(1, good=False)])], [(1, 0)]),
    ],
)
def test_each_visitor_is_counted_once(visits: list[tuple[float, list[Planted]]], told: list[tuple[int, int]]) -> None:
    assert counted(visits) == told


@pytest.mark.parametrize("kind", [ZoneKind.PRIVATE, ZoneKind.STAFF])
def test_nobody_is_counted_in_a_private_or_staff_zone(kind: ZoneKind) -> None:
    assert counted([(0, [A, B])], Zones((Zone(kind, "left", LEFT),))) == [(1, 1)]


def test_the_same_keyframe_is_not_looked_at_twice() -> None:
    counter = Counter()
    counter.glance(0.0, A)
    with pytest.raises(BadInput, match="nothing new"):
        counter.glance(0.0, A)


def test_fitness_tells_faces_and_eye_distances() -> None:
    counter = Counter()
    counter.glance(0.0, A, Planted(2, x=0.7, good=False))
    fitness = counter.glance(10.0).fitness
    assert (fitness.looks, fitness.faces, fitness.assessable_share) == (2, 2, 0.5)
    assert fitness.eye_distance_px is not None and 20 < fitness.eye_distance_px < 40
    assert fitness.faults == ()


@pytest.mark.parametrize(
    ("spoil", "faults"),
    [
        (lambda shown: shown // 12, {Reason.PICTURE_DARK, Reason.NO_PICTURE, Reason.PICTURE_BLURRED,
                                     Reason.CAMERA_UNFIT}),
        (lambda shown: np.full_like(shown, 90), {Reason.NO_PICTURE, Reason.PICTURE_BLURRED, Reason.CAMERA_UNFIT}),
        (lambda shown: np.full_like(shown, 250), {Reason.PICTURE_BRIGHT, Reason.NO_PICTURE, Reason.PICTURE_BLURRED,
                                                  Reason.CAMERA_UNFIT}),
    ],
)  # fmt: skip
def test_a_camera_that_is_covered_or_blinded_is_unfit_at_once_and_fit_again_after(
    spoil: Callable[[BgrImage], BgrImage], faults: set[Reason]
) -> None:
    counter = Counter()
    assert counter.glance(0.0).fitness.faults == ()
    counter.ring.spoil = spoil
    assert set(counter.glance(10.0).fitness.faults) == faults
    counter.ring.spoil = None
    assert counter.glance(20.0).fitness.faults == ()


def test_a_picture_that_stands_still_for_five_minutes_is_frozen_and_one_with_a_clock_is_not() -> None:
    frozen, alive = Counter(), Counter()
    frozen.ring.grain = False
    for second in range(0, 310, 10):
        stuck, moving = frozen.glance(float(second)), alive.glance(float(second))
        assert (Reason.PICTURE_FROZEN in stuck.fitness.faults) == (second >= 300)
        assert moving.fitness.faults == ()
    assert Reason.CAMERA_UNFIT in stuck.fitness.faults


def test_what_is_remembered_is_bounded() -> None:
    counter = Counter()
    for number in range(400):
        counter.glance(number * 100.0, Planted(number % 10 + 1, x=0.2 + 0.06 * (number % 10)))
    watch = counter.ambient._watches["counter"]
    assert len(watch.known) <= REMEMBERED_FACES
    assert len(watch.looks) <= 360 and len(watch.usual) <= 30
    assert len(counter.surroundings._kept) <= SLOTS_KEPT


# --- surroundings of a ring that grows ---


def test_surroundings_grow_with_the_ring_and_are_looked_up_once() -> None:
    counter = Counter()
    counter.ring.until = 100.0
    early = counter.surroundings.glances(TimeWindow(START_S + 90, START_S + 96))
    counter.ring.until = 1000.0
    window = TimeWindow(START_S + 990, START_S + 996)
    late = counter.surroundings.glances(window)
    assert max(glance.time_s for glance in late) > START_S + 900 > max(glance.time_s for glance in early)
    decoded = len(counter.ring.decoded)
    counter.surroundings.usual(window)
    counter.surroundings.greys(window)
    counter.ring.until = 1001.0
    counter.surroundings.glances(window)
    assert len(counter.ring.decoded) == decoded


def test_glances_of_the_ambient_pass_need_not_be_looked_up() -> None:
    counter = Counter()
    for second in range(0, 900, 10):
        counter.glance(float(second))
    decoded = len(counter.ring.decoded)
    found = counter.surroundings.glances(TimeWindow(START_S + 880, START_S + 886))
    assert len(found) >= ENOUGH_GLANCES
    assert len(counter.ring.decoded) - decoded <= 2  # the time before the first glance


def test_what_is_usual_is_seen_in_the_whole_half_hour_before_and_in_nothing_after() -> None:
    counter = Counter()
    counter.ring.until = 5000.0
    window = TimeWindow(START_S + 3000, START_S + 3010)
    times_s = [glance.time_s - START_S for glance in counter.surroundings.glances(window)]
    assert 1200 - 75 <= min(times_s) < 1300
    assert 2900 < max(times_s) < 3000
    assert 1600 < counter.surroundings.covered_s(window) <= 1800
    gone = TimeWindow(START_S + 9000, START_S + 9010)
    assert counter.surroundings.covered_s(gone) == 0


def test_a_short_recording_is_looked_at_as_closely_as_the_audit_does() -> None:
    counter = Counter()
    counter.ring.until = 60.0
    window = TimeWindow(START_S + 50, START_S + 56)
    live, audit = counter.surroundings.glances(window), Surroundings(counter.ring).glances(window)
    assert [glance.time_s for glance in live] == [glance.time_s for glance in audit]
    usual_live, usual_audit = counter.surroundings.usual(window), Surroundings(counter.ring).usual(window)
    assert usual_live is not None and np.array_equal(usual_live, usual_audit)


def test_a_snapshot_shows_the_zones_and_hides_what_is_private() -> None:
    corner = ((0.0, 0.0), (0.25, 0.0), (0.25, 0.25), (0.0, 0.25))
    middle = ((0.4, 0.4), (0.8, 0.4), (0.8, 0.8), (0.4, 0.8))
    counter = Counter(Zones((Zone(ZoneKind.PRIVATE, "", corner), Zone(ZoneKind.COUNTER, "", middle))))
    counter.glance(1.0)
    jpeg = counter.ambient.snapshot(SnapshotJob("s", "counter")).jpeg
    image_bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    height, width = image_bgr.shape[:2]
    assert image_bgr[: height // 5, : width // 5].max() < 20
    on_the_line = image_bgr[int(0.6 * height), int(0.4 * width)].astype(int)
    assert on_the_line[1] > on_the_line[0] + 40 and on_the_line[1] > on_the_line[2] + 40
