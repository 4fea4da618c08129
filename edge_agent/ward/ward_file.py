"""``ward.toml``: the beds that cameras see, and when they are looked at.

    admissions = "admissions.csv"     # who is in which bed; columns as the platform names them
    window_s = 12                     # how long one check looks

    [rounds]
    fixed = ["08:30", "15:00"]
    surprise = { rounds = 1, start = "09:30", end = "20:30" }
    night = { rounds = 1, start = "22:00", end = "05:30" }

    [[bed]]
    id = "301-1"                      # adm_bed of the platform
    camera = "ward-301"
    polygon = [[0.1, 0.2], [0.5, 0.2], [0.5, 0.4], [0.1, 0.4]]
    head = "right"                    # where the crown of a lying head points: up, right, down, left, or degrees
    empty_pictures = ["empty/301-1-day.jpg", "empty/301-1-night.jpg"]

Paths are relative to the file. Times are of Asia/Shanghai.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from datetime import time
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, ValidationError

from edge_agent.edge_config import Part, ScheduleWindow
from renzheng.errors import BadInput
from vision.photo import PhotoRefused, load_photo
from vision.zones import Point, overlap_share, polygon_problem

HEADS_DEG = {"up": 0.0, "right": 90.0, "down": 180.0, "left": 270.0}
EXPECTED_HEAD = f"expected {', '.join(HEADS_DEG)}, or degrees clockwise from up, 0 to 360"

OVERLAP_MAX = 0.02
"""Of the smaller of two beds; a hand drawn line may be crossed by so much, a lying face may not."""


def _head_deg(given: Any) -> float:
    if isinstance(given, str) and given in HEADS_DEG:
        return HEADS_DEG[given]
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given <= 360:
        return float(given) % 360.0
    raise ValueError(f"{EXPECTED_HEAD}; found {given!r}")


def _outline(polygon: tuple[Point, ...]) -> tuple[Point, ...]:
    if problem := polygon_problem(polygon):
        raise ValueError(problem)
    return polygon


def _time_of_day(given: Any) -> Any:
    if not isinstance(given, (str, time)):
        raise ValueError(f'expected a time of day such as "08:30", found {given!r}')
    return given


class DrawnRounds(ScheduleWindow):
    """Rounds at moments drawn anew each day, one in each equal part of a time of day, which may run over midnight."""

    rounds: int = Field(1, ge=0, le=24)


class Rounds(Part):
    """When the beds are looked at."""

    fixed: tuple[Annotated[time, BeforeValidator(_time_of_day)], ...] = ()
    surprise: DrawnRounds | None = None
    night: DrawnRounds | None = None


class Bed(Part):
    """One bed. ``head`` is where the crown of a lying head points in the picture, degrees clockwise from up."""

    bed_id: str = Field(alias="id", min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")
    camera_id: str = Field(alias="camera", min_length=1)
    polygon: Annotated[tuple[Point, ...], AfterValidator(_outline)]
    head: Annotated[float, BeforeValidator(_head_deg)]
    empty_pictures: tuple[Path, ...] = ()


class Ward(Part):
    """The beds of a box and their schedule."""

    admissions: Path
    window_s: float = Field(12.0, ge=4, le=120)
    late_after_s: PositiveFloat = Field(7200.0, description="a round not begun so long after its time is missed")
    rounds: Rounds = Rounds()
    beds: tuple[Bed, ...] = Field(alias="bed", min_length=1)

    def bed_named(self, bed_id: str) -> Bed:
        """The bed of that id."""
        return next(bed for bed in self.beds if bed.bed_id == bed_id)


def read_ward(path: Path, cameras: Collection[str]) -> Ward:
    """Read and check ``ward.toml``; ``cameras`` are the ids of the box's cameras.

    Raises :class:`BadInput` that names every mistake. Pictures of empty beds are opened; the admissions are read by
    :func:`edge_agent.ward.admissions.read_admissions`, since that file changes while the box runs.
    """
    try:
        ward = Ward.model_validate(tomllib.loads(path.read_bytes().decode("utf-8-sig")))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; docs/wards.md shows one") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected text in UTF-8: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: expected TOML: {error}") from error
    except ValidationError as error:
        wrong = "\n".join(f"  {_place(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise BadInput(f"{path}:\n{wrong}") from error
    ward = _beside(ward, path.resolve().parent)
    if problems := list(_problems(ward, cameras)):
        raise BadInput(f"{path}:\n" + "\n".join(f"  {problem}" for problem in problems))
    return ward


def _place(parts: tuple[int | str, ...]) -> str:
    """Where in the file, counting from 1."""
    return " ".join(str(part + 1) if isinstance(part, int) else part for part in parts) or "whole"


def _beside(ward: Ward, folder: Path) -> Ward:
    beds = tuple(
        bed.model_copy(update={"empty_pictures": tuple(folder / picture for picture in bed.empty_pictures)})
        for bed in ward.beds
    )
    return ward.model_copy(update={"admissions": folder / ward.admissions, "beds": beds})


def _problems(ward: Ward, cameras: Collection[str]) -> Iterator[str]:
    ids = [bed.bed_id for bed in ward.beds]
    yield from (f"bed {bed_id}: is there more than once" for bed_id in sorted(set(ids)) if ids.count(bed_id) > 1)
    for bed in ward.beds:
        if bed.camera_id not in cameras:
            yield f"bed {bed.bed_id}, camera: expected one of {', '.join(cameras)}, found {bed.camera_id}"
        for picture in bed.empty_pictures:
            if problem := _picture_problem(picture):
                yield f"bed {bed.bed_id}, empty_pictures: {problem}"
    yield from _overlaps(ward)
    for name, drawn in (("surprise", ward.rounds.surprise), ("night", ward.rounds.night)):
        if drawn is not None and drawn.start == drawn.end:
            yield f"rounds, {name}: expected a start and an end that differ, found {drawn.start:%H:%M} twice"


def _overlaps(ward: Ward) -> Iterator[str]:
    """A face that lies in two beds would count for both, and accuse the patient of one of them."""
    for bed, other in combinations(ward.beds, 2):
        if bed.camera_id != other.camera_id or bed.bed_id == other.bed_id:
            continue
        share = overlap_share(bed.polygon, other.polygon)
        if share > OVERLAP_MAX:
            yield (
                f"beds {bed.bed_id} and {other.bed_id}, polygon: expected outlines drawn apart on {bed.camera_id}, "
                f"found that they share {share:.0%} of the smaller"
            )


def _picture_problem(picture: Path) -> str:
    if not picture.is_file():
        return f"{picture}: no such file"
    try:
        load_photo(picture)
    except PhotoRefused as refused:
        return str(refused)
    return ""
