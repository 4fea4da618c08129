"""Real faces in drawn beds as H.264: a room seen from its ceiling, in which each bed is given somebody or nobody.

People lie with the crown towards the head of their bed, breathe and stir a little; the camera trembles, its sensor is
noisy. The empty room is the picture that checks compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from edge_agent.ward.ward_file import Bed
from renzheng.clock import SHANGHAI, to_seconds
from vision.types import BgrImage

WH = (1280, 720)
FPS = 10
START = datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)
START_S = to_seconds(START)
ACT_S = 4.4
WINDOW_S = 4.0

BED_WH = (520, 190)
"""Of a bed as it lies, its head at the right."""
FACE_PX = 116
PHASES = 8

Spoil = Callable[[BgrImage], BgrImage]


@dataclass(frozen=True)
class Place:
    """Where a bed stands: its middle, and where the crown of a lying head points, degrees clockwise from up."""

    bed_id: str
    middle_xy: tuple[int, int]
    head_deg: int = 90

    @property
    def bed(self) -> Bed:
        """The bed as a ward file gives it, without a picture of it empty."""
        x, y = self.middle_xy
        across, along = (side / 2 for side in (BED_WH if self.head_deg % 180 else BED_WH[::-1]))
        corners = [(x - across, y - along), (x + across, y - along), (x + across, y + along), (x - across, y + along)]
        shares = [[cx / WH[0], cy / WH[1]] for cx, cy in corners]
        return Bed.model_validate({"id": self.bed_id, "camera": "ward", "polygon": shares, "head": self.head_deg})


PLACES = (
    Place("right", (330, 130)),
    Place("left", (950, 130), 270),
    Place("right again", (330, 370)),
    Place("left again", (950, 370), 270),
    Place("right below", (330, 600)),
)


@dataclass(frozen=True)
class Guest:
    """What is in a bed. ``photo`` is a portrait; ``how`` it is shown: lying, covered (a blanket over the face), turned
    (the back of the head), sitting (upright), still covered (a flat white blanket that hardly breathes)."""

    photo: Path | None = None
    how: str = "lying"
    hair: int = 40
    jacket: int = 150


Beds = dict[str, Guest]


def bed_at(bed_id: str, empty_picture: Path | None = None, places: Sequence[Place] = PLACES) -> Bed:
    """The bed of a place, with its empty picture."""
    bed = next(place.bed for place in places if place.bed_id == bed_id)
    return bed.model_copy(update={"empty_pictures": (empty_picture,) if empty_picture else ()})


def write_empty(path: Path, places: Sequence[Place] = PLACES) -> Path:
    """The picture of the room with nobody in it, as the camera gave it."""
    picture = cv2.add(empty_room(tuple(places)), _noise()[3], dtype=cv2.CV_8U)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def write_ward(
    path: Path, acts: Sequence[tuple[Beds, Spoil | None]], places: Sequence[Place] = PLACES, seconds: float = ACT_S
) -> Path:
    """Encode acts of ``seconds`` each, one after another; each spoils its pictures in its own way."""
    options = {"preset": "ultrafast", "crf": "24", "g": str(2 * FPS), "threads": "1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = WH
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(_pictures(acts, tuple(places), seconds)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _pictures(
    acts: Sequence[tuple[Beds, Spoil | None]], places: tuple[Place, ...], seconds: float
) -> Iterator[BgrImage]:
    number = 0
    for beds, spoil in acts:
        for _ in range(round(seconds * FPS)):
            picture = ward_picture(beds, number / FPS, places)
            picture = spoil(picture) if spoil else picture
            yield np.asarray(cv2.add(picture, _noise()[number % 7], dtype=cv2.CV_8U), np.uint8)
            number += 1


def ward_picture(beds: Beds, t_s: float, places: Sequence[Place] = PLACES) -> BgrImage:
    """The room at a moment, without noise."""
    picture = _breathing(tuple(beds.items()), round(t_s * 1.6 / (2 * np.pi) * PHASES) % PHASES, tuple(places))
    shift = np.array([[1, 0, 0.3 * np.sin(7 * t_s)], [0, 1, 0.3 * np.cos(5 * t_s)]])
    return np.asarray(cv2.warpAffine(picture, shift, WH, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@lru_cache(maxsize=32)
def _breathing(beds: tuple[tuple[str, Guest], ...], phase: int, places: tuple[Place, ...]) -> BgrImage:
    """The room with its guests at one of so many phases of their breath."""
    picture = empty_room(places).copy()
    for place in places:
        if guest := dict(beds).get(place.bed_id):
            _put(picture, place, guest, 2 * np.pi * phase / PHASES)
    return picture


@lru_cache(maxsize=1)
def _noise() -> list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
    random = np.random.default_rng(6)
    return [random.normal(0, 2.5, (WH[1], WH[0], 3)).astype(np.int16) for _ in range(7)]


@lru_cache(maxsize=4)
def empty_room(places: tuple[Place, ...]) -> BgrImage:
    """Floor tiles, beds with sheet and pillow."""
    picture = np.full((WH[1], WH[0], 3), 138, np.uint8)
    for x in range(0, WH[0], 80):
        cv2.line(picture, (x, 0), (x, WH[1]), (120, 122, 124), 2)
    for y in range(0, WH[1], 80):
        cv2.line(picture, (0, y), (WH[0], y), (120, 122, 124), 2)
    for place in places:
        _blend(picture, place, _bed_sprite(), np.full(BED_WH[::-1], 255, np.uint8), 0.0)
    return picture


@lru_cache(maxsize=1)
def _bed_sprite() -> BgrImage:
    """An empty bed, its head at the right."""
    width, height = BED_WH
    sheet = np.full((height, width, 3), (206, 202, 196), np.uint8)
    sheet[:, :: width // 9] = (196, 192, 186)
    cv2.rectangle(sheet, (0, 0), (width - 1, height - 1), (96, 100, 104), 6)
    cv2.rectangle(sheet, (width - 150, 24), (width - 22, height - 24), (224, 222, 220), -1)
    cv2.rectangle(sheet, (width - 150, 24), (width - 22, height - 24), (190, 188, 186), 2)
    return np.asarray(cv2.GaussianBlur(sheet, (0, 0), 1.2), np.uint8)


def _put(picture: BgrImage, place: Place, guest: Guest, turn: float) -> None:
    """Somebody in the bed, in place."""
    sprite, shows = _lying(guest)
    breath = 1.2 * np.sin(turn + len(place.bed_id))
    if guest.how == "sitting":
        left, top = place.middle_xy[0] - 70, place.middle_xy[1] - 120
        face, mask = _head(guest)
        part = picture[top : top + face.shape[0], left : left + face.shape[1]]
        cv2.copyTo(face, mask, part)
        return
    _blend(picture, place, sprite, shows, breath)


@lru_cache(maxsize=64)
def _lying(guest: Guest) -> tuple[BgrImage, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """A blanket over a body and a head on the pillow, its crown to the right, and where it shows."""
    width, height = BED_WH
    sprite, shows = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    covered = guest.how in ("covered", "still covered")
    middle = height // 2
    blanket = (214, 210, 204) if guest.how == "still covered" else (guest.jacket, 150, 120)
    end = width - 40 if covered else width - 140
    cv2.ellipse(sprite, (end // 2, middle), (end // 2 - 10, 62), 0, 0, 360, blanket, -1)
    cv2.ellipse(shows, (end // 2, middle), (end // 2 - 10, 62), 0, 0, 360, 255, -1)
    for fold in range(60, end - 40, 60):
        colour = tuple(int(level * 0.86) for level in blanket)
        cv2.line(sprite, (fold, middle - 40), (fold + 14, middle + 40), colour, 5)
    sprite = np.asarray(cv2.GaussianBlur(sprite, (0, 0), 3), np.uint8)
    if not covered:
        head, mask = _head(guest)
        head, mask = np.rot90(head, -1), np.rot90(mask, -1)
        top, left = middle - head.shape[0] // 2, width - 32 - head.shape[1]
        cv2.copyTo(head, mask, sprite[top : top + head.shape[0], left : left + head.shape[1]])
        shows[top : top + head.shape[0], left : left + head.shape[1]] |= mask
    return sprite, shows


@lru_cache(maxsize=64)
def _head(guest: Guest) -> tuple[BgrImage, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """A head, crown up, and where it shows."""
    side = FACE_PX + 24
    head, mask = np.full((side, side, 3), guest.hair, np.uint8), np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), (side // 2 - 4, side // 2 - 1), 0, 0, 360, 255, -1)
    if guest.photo and guest.how != "turned":
        face = cv2.imread(str(guest.photo))
        assert face is not None, guest.photo
        face = cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
        oval = np.zeros((FACE_PX, FACE_PX), np.uint8)
        cv2.ellipse(oval, (FACE_PX // 2, FACE_PX // 2), (FACE_PX // 2 - 2, FACE_PX // 2), 0, 0, 360, 255, -1)
        cv2.copyTo(face, oval, head[14 : 14 + FACE_PX, 12 : 12 + FACE_PX])
    return head, mask


def _blend(
    picture: BgrImage, place: Place, sprite: BgrImage, shows: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], by: float
) -> None:
    """Put a sprite that lies with its head at the right on a place, turned as the bed is, moved a little."""
    turn = np.deg2rad(place.head_deg - 90)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    matrix[:, 2] = np.array(place.middle_xy) - matrix[:, :2] @ (np.array(BED_WH) / 2) + [0.5 * by, by]
    moved = cv2.warpAffine(sprite, matrix, WH)
    alpha = cv2.GaussianBlur(cv2.warpAffine(shows, matrix, WH), (0, 0), 1.0).astype(np.float32) / 255
    picture[:] = cv2.blendLinear(moved, picture.copy(), alpha, 1 - alpha)
