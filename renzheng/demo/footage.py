"""The town as files: recordings, swipes, enrolment photos, agents, zones, truth. Rendered once into the cache."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np

from renzheng.clock import local_text
from renzheng.demo import painting, people, town, ward
from renzheng.demo.people import Image
from renzheng.demo.render import FRAMES_PER_S, affine, paste, render_piece
from renzheng.demo.ward_painting import empty_picture, render_ward, ward_frames
from renzheng.files import storage_errors, write_atomic

PHOTO_WH = (480, 600)
PHOTOS = ((0.0, 1.00, 1.00, 0.0), (6.0, 0.92, 0.94, 2.0), (3.0, 1.06, 1.05, -1.0))
"""Of each enrolment photo: yaw in degrees, scale, brightness, roll in degrees."""


@dataclass(frozen=True)
class TownFiles:
    """Where the files of the town lie."""

    folder: Path

    @property
    def recordings(self) -> list[Path]:
        """The recordings in order of time; several of them form one timeline."""
        return sorted((self.folder / "recordings").glob("*.mp4"))

    @property
    def swipes(self) -> Path:
        """The list of swipes."""
        return self.folder / "swipes.csv"

    @property
    def gallery(self) -> Path:
        """Folder with one folder of photos per insured person."""
        return self.folder / "gallery"

    @property
    def staff(self) -> Path:
        """Folder with one folder of photos per clerk."""
        return self.folder / "staff"

    @property
    def agents(self) -> Path:
        """Who may come for whom."""
        return self.folder / "agents.csv"

    @property
    def zones(self) -> Path:
        """The polygons of the picture."""
        return self.folder / "zones.toml"

    @property
    def truth(self) -> Path:
        """What really happened at each swipe."""
        return self.folder / "truth.csv"

    @property
    def ward(self) -> Path:
        """The beds of the ward and their rounds; its camera is called :data:`renzheng.demo.ward.WARD_CAMERA`."""
        return self.folder / "ward" / "ward.toml"

    @property
    def ward_recordings(self) -> list[Path]:
        """What the ward's camera recorded."""
        return sorted((self.folder / "ward" / "recordings").glob("*.mp4"))

    @property
    def admissions(self) -> Path:
        """Who is admitted to which bed."""
        return self.folder / "ward" / "admissions.csv"

    @property
    def bed_truth(self) -> Path:
        """What really was in each bed."""
        return self.folder / "ward" / "truth.csv"


def frames_in_all() -> int:
    """How many frames the recordings have together."""
    return sum(round(session.length_s * FRAMES_PER_S) for session in town.SESSIONS) + ward_frames()


def town_folder(cache: Path) -> Path:
    """Where the town of this version lies under ``cache``, rendered or not."""
    return cache / "demo" / f"v{town.DEMO_VERSION}"


def ensure_town(cache: Path, advance: Callable[[int], None] = lambda _: None) -> TownFiles:
    """The town's files under ``cache``, made now when they are not there; a broken-off attempt leaves nothing behind.

    ``advance`` is told the frames done, from more than one thread.
    """
    folder = town_folder(cache)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            with storage_errors(folder):
                write_papers(part)
                render_all(part / "recordings", advance)
            _take_place(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return TownFiles(folder)


def _take_place(part: Path, folder: Path) -> None:
    """Rename the finished folder; when another process was faster, its work stays."""
    part.chmod(0o755)
    try:
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def render_all(folder: Path, advance: Callable[[int], None]) -> None:
    """Encode every recording, two at a time, the longest first; that of the ward goes beside ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [(session, *piece) for session in town.SESSIONS for piece in session.pieces()]
    pieces.sort(key=lambda piece: piece[1] - piece[2])
    with ThreadPoolExecutor(2, thread_name_prefix="demo-render") as pool:
        started = [pool.submit(render_piece, session, start, end, folder, advance) for session, start, end in pieces]
        started.append(pool.submit(render_ward, folder.parent / "ward" / "recordings", advance))
        for one in started:
            one.result()


def write_papers(folder: Path) -> None:
    """Everything but the recordings: photos, swipes, agents, zones, truth, and the ward's."""
    for who in town.ENROLLED:
        _write_photos(folder / "gallery", who)
    _write_photos(folder / "staff", "clerk")
    write_atomic(folder / "swipes.csv", _table(_swipe_rows()))
    header = ["psn_no", "agent_psn_no", "valid_from", "valid_to"]
    rows = [[town.PEOPLE[a].psn_no, town.PEOPLE[b].psn_no, since, until] for a, b, since, until in town.AGENTS]
    write_atomic(folder / "agents.csv", _table([header, *rows]))
    write_atomic(folder / "zones.toml", zones_toml())
    write_atomic(folder / "truth.csv", _table(_truth_rows()))
    _write_ward(folder / "ward")


def photo(who: str, number: int) -> Image:
    """Enrolment photo ``number`` (from 0) of a person: head and shoulders on a plain wall, (600, 480, 3) BGR."""
    person = town.PEOPLE[who]
    yaw, scale, tone, roll = PHOTOS[number]
    picture = painting.plain_wall(*PHOTO_WH, tone)
    sprite = people.turned(people.head(person.cutout), yaw)
    chin = (people.neck_x(person.cutout), people.EYE_XY[1] + people.EYE_TO_CHIN)
    to_xy = (PHOTO_WH[0] / 2 + 6 * number, 380.0 + 5 * number)
    paste(picture, sprite, affine(chin, to_xy, 1.1 * scale, roll), PHOTO_WH[1])
    paste(picture, painting.body(person.garment), affine(painting.COLLAR_XY, to_xy, 1.08 * scale, 0), PHOTO_WH[1])
    grain = np.random.default_rng(number).normal(0, 1.5, (*picture.shape[:2], 1))
    return np.clip(picture * tone + grain, 0, 255).astype(np.uint8)


def _write_photos(folder: Path, who: str) -> None:
    for number in range(len(PHOTOS)):
        _, data = cv2.imencode(".jpg", photo(who, number), [cv2.IMWRITE_JPEG_QUALITY, 92])
        write_atomic(folder / town.PEOPLE[who].psn_no / f"{number + 1}.jpg", data.tobytes())


def _write_ward(folder: Path) -> None:
    _, data = cv2.imencode(".jpg", empty_picture(), [cv2.IMWRITE_JPEG_QUALITY, 92])
    write_atomic(folder / "empty.jpg", data.tobytes())
    write_atomic(folder / "ward.toml", ward_toml())
    write_atomic(folder / "admissions.csv", _table(_admission_rows()))
    rows = [[bed.bed_id, bed.psn_no, bed.verdict.value, bed.what.zh, bed.what.en] for bed in ward.BEDS]
    write_atomic(folder / "truth.csv", _table([["adm_bed", "psn_no", "verdict", "what_zh", "what_en"], *rows]))


def _admission_rows() -> list[list[str]]:
    rows = [["ipt_no", "psn_no", "adm_bed", "begntime", "endtime", "psn_name"]]
    for number, bed in enumerate((bed for bed in ward.BEDS if bed.patient), 1):
        name = town.PEOPLE[bed.patient].name
        rows.append([f"ZY202605{number:04d}", bed.psn_no, bed.bed_id, bed.admitted, "", name])
    return rows


def ward_toml() -> str:
    """The ward as ``ward.toml``: one fixed round, five beds."""
    beds = "".join(
        f'\n[[bed]]\nid = "{bed.bed_id}"\ncamera = "{ward.WARD_CAMERA}"\nhead = "{bed.head}"\n'
        f'polygon = {[list(point) for point in bed.polygon]}\nempty_pictures = ["empty.jpg"]\n'
        for bed in ward.BEDS
    )
    head = f'admissions = "admissions.csv"\nwindow_s = {ward.WINDOW_S}\n'
    return f'{head}\n[rounds]\nfixed = ["{ward.ROUND_AT:%H:%M}"]\n{beds}'


def _table(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _swipe_rows() -> list[list[str]]:
    header = ["setl_id", "psn_no", "fixmedins_code", "terminal_id", "setl_time"]
    header += ["psn_name", "med_type", "mdtrt_cert_type", "medfee_sumamt", "acct_pay"]
    rows = [header]
    for number, row in enumerate(town.truth()):
        amount = f"{38 + number * 47 % 211}.{number * 7 % 10}0"
        where = [town.INSTITUTION, town.TERMINAL, local_text(row.swiped_at)]
        rows.append([row.setl_id, row.psn_no, *where, row.psn_name, "41", "03" if number % 3 else "01", amount, amount])
    return rows


def _truth_rows() -> list[list[str]]:
    rows = [["setl_id", "verdict", "what_zh", "what_en"]]
    return rows + [[row.setl_id, row.verdict.value, row.what.zh, row.what.en] for row in town.truth()]


def zones_toml() -> str:
    """The zones in relative coordinates, 0–1 from the top left."""
    zones = (("counter", "柜台前", town.COUNTER_ZONE), ("staff", "柜台内", town.STAFF_ZONE))
    return "\n".join(
        f'[[zone]]\nkind = "{kind}"\nname = "{name}"\npolygon = {[list(point) for point in polygon]}\n'
        for kind, name, polygon in zones
    )
