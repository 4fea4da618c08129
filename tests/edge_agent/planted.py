"""A make-believe counter: footage in memory whose frames say which faces are in them, and a pack that reads them.

A frame is a small picture; its first rows carry, number by number, how many faces there are and for each who it is,
where it is and how good it is. The fakes do what the real detector and embedder do, only on planted faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from edge_agent.footage import LOOKS_PER_S, Cut, OnDamage, Stretch, TimeWindow
from edge_agent.private_zones import PrivateZones
from vision.align import ARCFACE_POINTS, align_crop
from vision.detect import MIN_SCORE, no_detections
from vision.pack import VisionPack
from vision.people import Person, References
from vision.types import BgrImage, Detections, FloatArray, Frame

WH = (640, 360)
SIZE = 16
START_S = 1_777_597_200.0
FACE_PX = 60.0
BACK = -1
"""In place of a person: a body whose face does not show."""


@dataclass(frozen=True)
class Planted:
    """One face in a frame: who, where its middle is (relative), and whether the gate lets it pass."""

    person: int
    x: float = 0.5
    y: float = 0.5
    good: bool = True


@lru_cache(maxsize=256)
def picture(faces: tuple[Planted, ...]) -> BgrImage:
    """The frame in which those faces are planted; without faces it is a still room."""
    frame = np.full((WH[1], WH[0], 3), 120, np.uint8)
    frame[::8] = 90
    frame[:, ::16] = 150
    for back in (face for face in faces if face.person == BACK):
        x, y = int(back.x * WH[0]), int(back.y * WH[1])
        frame[y - 60 :, max(0, x - 60) : x + 60] = 30
    faces = tuple(face for face in faces if face.person != BACK)
    for face in faces:
        x, y = int(face.x * WH[0]), int(face.y * WH[1])
        random = np.random.default_rng(face.person)
        texture = random.integers(60, 200, (90, 80, 3)) if face.good else np.full((90, 80, 3), 110)
        top, left = max(0, y - 45), max(0, x - 40)
        place = frame[top : top + 90, left : left + 80]
        place[:] = texture[: place.shape[0], : place.shape[1]]
    frame[0, 0] = len(faces)
    for number, face in enumerate(faces, start=1):
        frame[0, number] = (face.person, round(face.x * 250), round(face.y * 250))
    return frame


class PlantedDetector:
    """Finds what was planted."""

    def detect(self, image_bgr: BgrImage, min_score: float = MIN_SCORE) -> Detections:
        count = int(image_bgr[0, 0, 0])
        if not count:
            return no_detections()
        places = image_bgr[0, 1 : count + 1, 1:].astype(np.float32) / 250 * np.array(WH, np.float32)
        half = np.array([FACE_PX / 2, FACE_PX * 0.6], np.float32)
        boxes = np.concatenate([places - half, places + half], axis=1)
        landmarks = (ARCFACE_POINTS - 56)[None] * np.float32(FACE_PX / 70) + places[:, None]
        return Detections(boxes, np.full(count, 0.95, np.float32), landmarks.astype(np.float32))


def unit(person: int) -> FloatArray:
    """The embedding of a person: orthogonal to everybody else's."""
    return np.eye(SIZE, dtype=np.float32)[person]


class PlantedEmbedder:
    """Tells who a crop shows from its texture."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    @property
    def size(self) -> int:
        return SIZE

    def learn(self, crop_bgr: BgrImage, person: int) -> None:
        self._known[crop_bgr.tobytes()] = person

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        rows = [unit(self._known[crop.tobytes()]) for crop in crops_bgr]
        return np.stack(rows) if rows else np.empty((0, SIZE), np.float32)


@dataclass
class PlantedFootage:
    """Footage in memory: ``scene`` says who is in the picture at a second after the start.

    ``recorded`` are stretches of seconds that are there, each cut into groups of ``gop_s`` seconds; in ``damaged``
    seconds the decoder refuses.
    """

    scene: Callable[[float], Sequence[Planted]]
    recorded: Sequence[tuple[float, float]] = ((-100.0, 100.0),)
    gop_s: float = 2.0
    damaged: Sequence[tuple[float, float]] = ()
    learn: Callable[[BgrImage, int], None] = lambda crop, person: None
    decoded: list[float] = field(default_factory=list)
    looked: list[Stretch] = field(default_factory=list)

    def stretches(self, window: TimeWindow) -> list[Stretch]:
        found = []
        for begin, end in self.recorded:
            starts = np.arange(begin, end, self.gop_s)
            spans = [(START_S + s, START_S + min(s + self.gop_s, end)) for s in starts.tolist()]
            found += [Stretch("memory", s, e) for s, e in spans if s < window.end_s and e > window.start_s]
        return found

    def look(self, stretch: Stretch, window: TimeWindow, on_damage: OnDamage) -> Iterator[Frame]:
        self.looked.append(stretch)
        first = int(np.ceil(round((stretch.start_s - START_S) * LOOKS_PER_S, 6)))
        last = int(np.ceil(round((stretch.end_s - START_S) * LOOKS_PER_S, 6)))
        for number in range(first, last):
            second = number / LOOKS_PER_S
            if not window.start_s <= START_S + second < window.end_s:
                continue
            if any(begin <= second < end for begin, end in self.damaged):
                on_damage(f"memory: damage at {second:.1f} s")
                return
            yield self._frame(second)

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        seconds = [s for begin, end in self.recorded for s in np.arange(begin, end, self.gop_s).tolist()]
        inside = [s for s in seconds if window.start_s <= START_S + s < window.end_s]
        step = max(1, len(inside) // count)
        return [self._frame(second) for second in inside[::step][:count]]

    def recorded_share(self, window: TimeWindow) -> float:
        covered = sum(
            max(0.0, min(START_S + end, window.end_s) - max(START_S + begin, window.start_s))
            for begin, end in self.recorded
        )
        return min(1.0, covered / window.length_s)

    def cut(self, window: TimeWindow, path: Path, private: PrivateZones | None = None) -> Cut | None:
        return None

    def _frame(self, second: float) -> Frame:
        self.decoded.append(second)
        faces = tuple(self.scene(second))
        frame_bgr = picture(faces)
        found = PlantedDetector().detect(frame_bgr)
        faces = tuple(face for face in faces if face.person != BACK)
        for face, landmarks in zip(faces, found.landmarks, strict=True):
            self.learn(align_crop(frame_bgr, landmarks), face.person)
        return Frame(START_S + second, WH, frame_bgr, lambda: frame_bgr)


def planted_pack() -> VisionPack:
    """A pack of the two fakes."""
    return VisionPack("planted", "d" * 64, "e" * 64, PlantedDetector(), PlantedEmbedder(), SIZE)


def references(
    holder: int | None = 1,
    staff: Sequence[int] = (),
    agents: Sequence[int] = (),
    likeness: Mapping[int, float] | None = None,
    photos: int = 1,
) -> References:
    """Templates of the planted people; ``likeness`` makes the holder's template like other people's, too."""

    def person(number: int) -> Person:
        row = unit(number).copy()
        for other, cosine in (likeness or {}).items() if number == holder else ():
            row[other] = cosine
        row /= np.linalg.norm(row)
        return Person(f"P{number}", np.repeat(row[None], photos, axis=0))

    return References(
        holder=None if holder is None else person(holder),
        staff=tuple(map(person, staff)),
        agents=tuple(map(person, agents)),
    )
