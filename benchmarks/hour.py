"""An hour of 1080p25 on one timeline: six ten-minute files, made of shorter footage by stream copy, and its swipes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from calibration.zones import read_zones
from edge_agent.footage import TimeWindow
from edge_agent.recorded import RecordedTimeline, open_recordings
from renzheng.clock import from_seconds, local_text, to_seconds
from vision.enrol import PhotoFace, face_of_photo
from vision.pack import VisionPack
from vision.pipeline import faces_in
from vision.types import BgrImage, Face, Frame
from vision.zones import ZoneKind, Zones

PIECES = 6
PIECE_S = 600.0
LONGEST_GOP_S = 4.2
"""Of the footage that is looped. A piece ends with a whole group, so that it does not reach into the next piece."""

STARTS_S = to_seconds(datetime(2026, 5, 1, 1, 0, tzinfo=UTC))
SWIPES = 10
PHOTO_MARGIN = 0.6


@dataclass(frozen=True)
class Hour:
    """Looped footage, one round of which lasts ``round_s``, with the zones of its camera."""

    name: str
    recordings: tuple[Path, ...]
    round_s: float
    zones: Path | None = None


@dataclass(frozen=True)
class Cards:
    """Ten swipes and the photos of their holders."""

    gallery: Path
    swipes: Path
    times_s: tuple[float, ...]


def make_hour(name: str, sources: Sequence[Path], folder: Path, zones: Path | None = None) -> Hour:
    """Loop the sources by stream copy into six files of ten minutes."""
    folder.mkdir(parents=True)
    paths, round_s = [], 0.0
    for number in range(PIECES):
        start = local_text(from_seconds(STARTS_S + number * PIECE_S))
        path = folder / (start.replace("-", "").replace(":", "").replace(" ", "T") + "+0800.mp4")
        round_s = _loop_to(sources, path)
        paths.append(path)
    return Hour(name, tuple(paths), round_s, zones)


def _loop_to(sources: Sequence[Path], path: Path) -> float:
    """Fill one file; the seconds of one round."""
    with av.open(path, "w") as target:
        stream: VideoStream | None = None
        at_s = round_s = 0.0
        while at_s <= PIECE_S - LONGEST_GOP_S:
            for source in sources:
                with av.open(source) as container:
                    stream = stream or target.add_stream_from_template(container.streams.video[0])
                    at_s += _append(container, target, stream, at_s)
            round_s = round_s or at_s
    return round_s


def _append(container: InputContainer, target: OutputContainer, stream: VideoStream, at_s: float) -> float:
    """Copy packets, moved to begin at ``at_s``, as long as whole groups fit into the piece; the seconds copied."""
    template = container.streams.video[0]
    base = template.time_base
    if base is None or template.average_rate is None:
        raise ValueError(f"{container.name}: expected a time base and a frame rate")
    shift = round(at_s / float(base)) - (template.start_time or 0)
    count = 0
    for packet in container.demux(template):
        if packet.is_keyframe and at_s + count / float(template.average_rate) > PIECE_S - LONGEST_GOP_S:
            break
        if packet.size and packet.pts is not None and packet.dts is not None:
            moved = Packet(bytes(packet))
            moved.pts, moved.dts = packet.pts + shift, packet.dts + shift
            moved.time_base, moved.is_keyframe, moved.stream = base, packet.is_keyframe, stream
            target.mux(moved)
            count += 1
    return count / float(template.average_rate)


def cards_of_people_there(hour: Hour, pack: VisionPack, folder: Path) -> Cards:
    """Who is seen best in one round of the loop, enrolled from that picture, swiping in other rounds at that moment."""
    sightings = _best_sightings(hour, pack)
    holders = []
    for number in range(SWIPES):
        face, frame = sightings[number % len(sightings)]
        psn_no = f"H{number % len(sightings):02d}"
        photo = folder / "gallery" / psn_no / "1.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(photo), _photo(face, frame))
        piece = number * PIECES // SWIPES
        rounds = 1 + number % max(1, int(PIECE_S / hour.round_s) - 2)
        holders.append((psn_no, face.time_s + piece * PIECE_S + rounds * hour.round_s))
    return _cards(folder, holders)


def cards_of_strangers(hour: Hour, times_s: Sequence[float], photos: Sequence[Path], folder: Path) -> Cards:
    """The same moments with the cards of people who are nowhere in the footage: every swipe stays in doubt."""
    holders = []
    for number, time_s in enumerate(times_s):
        psn_no = f"X{number % len(photos):02d}"
        link = folder / "gallery" / psn_no / photos[number % len(photos)].name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_bytes(photos[number % len(photos)].read_bytes())
        holders.append((psn_no, time_s))
    return _cards(folder, holders)


def _best_sightings(hour: Hour, pack: VisionPack) -> list[tuple[Face, Frame]]:
    """The best face at the counter in each second of the first round that can be enrolled, best first, at most ten."""
    timeline = RecordedTimeline(open_recordings(hour.recordings[:1]))
    zones = read_zones(hour.zones) if hour.zones else Zones.whole_picture()
    window = TimeWindow(STARTS_S, STARTS_S + hour.round_s)
    best: dict[int, tuple[Face, Frame]] = {}
    for stretch in timeline.stretches(window):
        for frame in timeline.look(stretch, window, lambda _: None):
            faces = [face for face in faces_in(frame, pack) if face.assessable]
            for face in faces:
                second = int(frame.time_s - STARTS_S)
                at_counter = zones.holds(ZoneKind.COUNTER, np.array([face.chin_relative]))[0]
                if at_counter and (second not in best or face.quality.score > best[second][0].quality.score):
                    best[second] = (face, frame)
    usable = [sighting for sighting in best.values() if isinstance(face_of_photo(_photo(*sighting), pack), PhotoFace)]
    return sorted(usable, key=lambda sighting: -sighting[0].quality.score)[:SWIPES]


def _photo(face: Face, frame: Frame) -> BgrImage:
    """The face with a margin, cut from the full picture."""
    left, top, right, bottom = (float(side) for side in face.box_xyxy)
    margin = PHOTO_MARGIN * max(right - left, bottom - top)
    y_0, x_0 = max(0, int(top - margin)), max(0, int(left - margin))
    return frame.full_bgr[y_0 : int(bottom + margin), x_0 : int(right + margin)].copy()


def _cards(folder: Path, holders: Sequence[tuple[str, float]]) -> Cards:
    path = folder / "swipes.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["setl_id", "psn_no", "fixmedins_code", "terminal_id", "setl_time"])
        for number, (psn_no, time_s) in enumerate(holders):
            moment = local_text(from_seconds(time_s), milliseconds=True)
            table.writerow([f"S{number:02d}", psn_no, "P33028100001", "T01", moment])
    return Cards(folder / "gallery", path, tuple(time_s for _, time_s in holders))
