"""The ambient pass: one keyframe now and then says how many people come to the counter and what the camera is worth.

Embeddings of who came in the last minutes are held in memory alone, to count nobody twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

import cv2
import numpy as np

from edge_agent.kept_files import jpeg_of
from edge_agent.live.counter_checks import WITHOUT_TRUE_PICTURE
from edge_agent.live.jobs import GlanceDone, GlanceJob, SnapshotDone, SnapshotJob
from edge_agent.live.vision_box import VisionBox
from renzheng.clock import from_seconds
from renzheng.contracts import CameraFitness, Reason
from renzheng.errors import BadInput
from vision.people import Person
from vision.pipeline import faces_in
from vision.presence import FROZEN_AFTER_S, FROZEN_LEVELS, GreyImage, edge_strength, picture_faults, small_grey
from vision.types import BgrImage, Face, FloatArray, Frame
from vision.zones import ZoneKind, Zones

REMEMBERED_S = 300.0
"""Whoever was last seen longer ago and comes again is counted again."""

REMEMBERED_FACES = 64
LOOKS_RATED = 360
"""Fitness speaks of this many glances: an hour at one every 10 s."""

OUTLINES_BGR = {ZoneKind.COUNTER: (80, 200, 80), ZoneKind.STAFF: (220, 140, 60)}
USUAL_EVERY_S = 60.0
USUAL_KEPT = 30


@dataclass(frozen=True)
class _Look:
    """What one glance adds to a camera's fitness."""

    faces: int
    assessable: int
    eye_distances_px: tuple[float, ...]


@dataclass
class _Watch:
    """What is remembered of one camera; all of it bounded."""

    newest_s: float = float("-inf")
    known: deque[tuple[float, FloatArray]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_FACES))
    looks: deque[_Look] = field(default_factory=lambda: deque(maxlen=LOOKS_RATED))
    still: tuple[float, GreyImage] | None = None
    usual: deque[tuple[float, float, GreyImage]] = field(default_factory=lambda: deque(maxlen=USUAL_KEPT))

    def frozen(self, time_s: float, grey: GreyImage) -> bool:
        """Whether pictures keep coming and nothing in them has changed for five minutes."""
        since_s, first = self.still or (time_s, grey)
        unchanged = first.shape == grey.shape and int(np.abs(first.astype(np.int16) - grey).max()) <= FROZEN_LEVELS
        self.still = (since_s, first) if unchanged and since_s <= time_s else (time_s, grey)
        return time_s - self.still[0] >= FROZEN_AFTER_S

    def sharpness_of_place(self) -> GreyImage | None:
        """Of the sound pictures of the last while, the one of middling sharpness."""
        if not self.usual:
            return None
        return sorted(self.usual, key=lambda kept: kept[1])[len(self.usual) // 2][2]

    def note_sound(self, time_s: float, grey: GreyImage) -> None:
        """Remember how a sound picture looks, once a minute."""
        if not self.usual or abs(time_s - self.usual[-1][0]) >= USUAL_EVERY_S:
            self.usual.append((time_s, edge_strength(grey), grey))


class Ambient:
    """Answers glance jobs of one box."""

    def __init__(self, box: VisionBox) -> None:
        self._box = box
        self._watches = {camera_id: _Watch() for camera_id in box.places}

    def glance(self, job: GlanceJob) -> GlanceDone:
        """Look at the newest keyframe. Raises :class:`BadInput` when there is none that was not looked at before."""
        place, watch = self._box.place(job.camera_id), self._watches[job.camera_id]
        frame = place.ring.newest_frame()
        if frame is None or frame.time_s == watch.newest_s:
            raise BadInput(f"{job.camera_id}: nothing new was recorded")
        watch.newest_s = frame.time_s
        place.surroundings.note(frame)
        faces = _at_counter(faces_in(frame, self._box.pack), place.zones)
        present, arrived = self._count(faces, watch, frame.time_s)
        fitness = self._fitness(watch, frame, faces)
        return GlanceDone(job.job_id, job.camera_id, frame.time_s, arrived, present, fitness)

    def snapshot(self, job: SnapshotJob) -> SnapshotDone:
        """The newest keyframe for a person to see. Raises :class:`BadInput` when nothing is recorded."""
        place = self._box.place(job.camera_id)
        frame = place.ring.newest_frame()
        if frame is None:
            raise BadInput(f"{job.camera_id}: nothing is recorded")
        image_bgr = place.private.blackened(frame.reduced_bgr).copy()
        _outline(image_bgr, place.zones)
        return SnapshotDone(job.job_id, jpeg_of(image_bgr))

    def _count(self, faces: list[Face], watch: _Watch, time_s: float) -> tuple[int, int]:
        """Customers there now, and how many of them are new. One whose face cannot be compared is not new: visits
        are a lower bound."""
        good = [face for face in faces if face.assessable]
        if not good:
            return len(faces), 0
        embeddings = self._box.pack.embedder.embed(np.stack([face.crop_bgr for face in good]))
        staff = self._box.references.staff_people() or ()
        customers = [row for row in embeddings if not self._is_staff(row, staff)]
        known = [(seen_s, row) for seen_s, row in watch.known if abs(time_s - seen_s) <= REMEMBERED_S]
        arrived = 0
        for row in customers:
            likest = max(range(len(known)), key=lambda n: float(known[n][1] @ row), default=None)
            if likest is not None and float(known[likest][1] @ row) >= self._box.thresholds.accept:
                known[likest] = time_s, row
            else:
                known.append((time_s, row))
                arrived += 1
        watch.known = deque(sorted(known, key=lambda seen: seen[0]), maxlen=REMEMBERED_FACES)
        return len(faces) - (len(good) - len(customers)), arrived

    def _is_staff(self, row: FloatArray, staff: tuple[Person, ...]) -> bool:
        return any(float((person.templates @ row).max()) >= self._box.thresholds.accept for person in staff)

    def _fitness(self, watch: _Watch, frame: Frame, faces: list[Face]) -> CameraFitness:
        eyes_px = tuple(float(np.linalg.norm(face.landmarks[1] - face.landmarks[0])) for face in faces)
        watch.looks.append(_Look(len(faces), sum(face.assessable for face in faces), eyes_px))
        seen = sum(look.faces for look in watch.looks)
        distances_px = [distance for look in watch.looks for distance in look.eye_distances_px]
        return CameraFitness(
            measured_at=from_seconds(frame.time_s),
            looks=len(watch.looks),
            faces=seen,
            assessable_share=round(sum(look.assessable for look in watch.looks) / seen, 4) if seen else None,
            eye_distance_px=round(median(distances_px), 1) if distances_px else None,
            faults=_faults(watch, frame),
        )


def _outline(image_bgr: BgrImage, zones: Zones) -> None:
    """Draw the counter's and the staff's zones into a picture, so that whoever drew them sees what they hold."""
    height, width = image_bgr.shape[:2]
    for zone in zones.zones:
        if (colour := OUTLINES_BGR.get(zone.kind)) is not None:
            corners = np.round(np.asarray(zone.polygon) * (width, height)).astype(np.int32)
            cv2.polylines(image_bgr, [corners], True, colour, 2, cv2.LINE_AA)


def _faults(watch: _Watch, frame: Frame) -> tuple[Reason, ...]:
    """What is wrong with the picture now; ``camera_unfit`` where it shows nothing true, or is blurred and was not."""
    grey = small_grey(frame.reduced_bgr)
    usual = watch.sharpness_of_place()
    faults = picture_faults([grey], usual)
    if watch.frozen(frame.time_s, grey):
        faults = (*faults, Reason.PICTURE_FROZEN)
    if not faults:
        watch.note_sound(frame.time_s, grey)
    covered = Reason.PICTURE_BLURRED in faults and usual is not None
    return (*faults, Reason.CAMERA_UNFIT) if covered or WITHOUT_TRUE_PICTURE & set(faults) else faults


def _at_counter(faces: list[Face], zones: Zones) -> list[Face]:
    """Faces that stand at the counter and may be looked at."""
    if not faces:
        return []
    chins = np.array([face.chin_relative for face in faces])
    chests = np.array([face.chest_relative for face in faces])
    there = zones.holds(ZoneKind.COUNTER, chins) | zones.holds(ZoneKind.COUNTER, chests)
    there &= ~zones.holds(ZoneKind.STAFF, chins) & ~zones.holds(ZoneKind.PRIVATE, chins)
    return [face for face, is_there in zip(faces, there, strict=True) if is_there]
