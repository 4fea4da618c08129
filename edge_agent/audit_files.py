"""Where the files of an audit lie, by names relative to its output folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edge_agent.kept_files import KeptFiles
from renzheng.contracts import FaceSample, IdentityCheck
from renzheng.files import is_part
from renzheng.ids import file_stem

CHECKS_NAME = "checks.jsonl"
TABLE_NAME = "checks.csv"
REPORT_NAME = "report.html"
RUN_NAME = "run.json"
JOURNAL_NAME = "journal.jsonl"

RESULT_NAMES = (CHECKS_NAME, TABLE_NAME, REPORT_NAME, RUN_NAME)
"""What people read; each names the files of one audit and of no other."""
OWNED_FOLDERS = ("clips", "faces", "stills")
"""Folders of the output that only an audit writes to."""


def enrolled_portrait(psn_no: str) -> Path:
    """The picture of an enrolled face."""
    return Path("faces", "enrolled", f"{file_stem(psn_no)}.jpg")


def crop_of(swipe_id: str, number: int, sample: FaceSample) -> Path:
    """The picture of a sample's face; ``number`` counts the check's samples."""
    return Path("faces", file_stem(swipe_id), f"{sample.track:02d}-{number:02d}.jpg")


def still_of(swipe_id: str) -> Path:
    """The picture at the swipe."""
    return Path("stills", f"{file_stem(swipe_id)}.jpg")


def clip_of(swipe_id: str) -> Path:
    """The video of the window."""
    return Path("clips", f"{file_stem(swipe_id)}.mp4")


def kept_files(out: Path, swipe_id: str) -> KeptFiles:
    """Where the pictures and the clip of a swipe go."""
    crop = partial(crop_of, swipe_id)
    return KeptFiles(out, crop, still_of(swipe_id), clip_of(swipe_id))


def pictures_of(check: IdentityCheck) -> Iterator[Path]:
    """Every picture that a check names or the report shows beside it."""
    yield from (Path(sample.crop) for sample in check.samples if sample.crop)
    if check.still:
        yield Path(check.still)
    if check.reference_photos:
        yield enrolled_portrait(check.psn_no)


def remove_files_of(out: Path, swipe_id: str) -> None:
    """Remove what was written for a swipe before an error stopped its check."""
    shutil.rmtree(out / "faces" / file_stem(swipe_id), ignore_errors=True)
    for path in (still_of(swipe_id), clip_of(swipe_id)):
        (out / path).unlink(missing_ok=True)


def leftover_parts(out: Path) -> Iterator[Path]:
    """Temporary files of a run that was killed while it wrote them."""
    ours = {Path(name).stem for name in (*RESULT_NAMES, JOURNAL_NAME)}
    for path in out.iterdir():
        if is_part(path.name) and path.name.split(".")[1] in ours:
            yield path
    for folder in OWNED_FOLDERS:
        yield from (path for path in (out / folder).rglob(".*") if is_part(path.name) and path.is_file())
