"""Beds checked over a ring: the verdicts, the files they leave, and what a box does when something is not in order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.edge_config import read_config
from edge_agent.live import bed_checks, vision_box
from edge_agent.live.bed_checks import BedChecks, ward_of
from edge_agent.live.jobs import BedJob, CheckDone, JobFailed
from edge_agent.live.vision_box import VisionBox, open_box
from edge_agent.live.worker import Worker
from edge_agent.outbox.manifest import read_manifest
from renzheng.contracts import BedCheck, BedVerdict, Reason, RoundKind
from renzheng.crypto import public_of
from renzheng.errors import BadInput
from renzheng.manifests import verify_manifest
from tests.edge_agent.live.conftest import clock_at
from tests.edge_agent.ring.recording import record
from tests.edge_agent.ward.ward_scene import PLACES, START_S, Guest, write_empty, write_ward
from vision.bed_pending import decide_pending_bed
from vision.bed_verdict import recompute_bed
from vision.pack import VisionPack
from vision.pending import open_pending
from vision.people import References

SECONDS, WINDOW_S = 5.0, 4.0
SERVER_KEY = bytes(range(32))
CONFIG = """
fixmedins_code = "H33028100001"
data_dir = "data"
ward = "ward.toml"
{more}
[[camera]]
id = "ward"
url = "file:none.mp4"
{camera}
[references]
gallery = "{gallery}"
"""
PATIENTS = {"right": "amy", "left": "howard", "right again": "raj", "left again": "stuart"}
"""Who is admitted: amy lies in her bed, raj in howard's; raj's own is empty, stuart's covered; one is nobody's."""
V = BedVerdict


@dataclass(frozen=True)
class Room:
    """A recorded ward; nothing in it is changed by a test."""

    ring: Path
    papers: Path
    gallery: Path


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, faces_dir: Path) -> Room:
    folder = tmp_path_factory.mktemp("live-ward")
    (folder / "papers").mkdir()
    for person in ("amy", "howard", "raj", "stuart"):
        shutil.copytree(faces_dir / "bbt" / person, folder / "gallery" / person)
    beds = {
        "right": Guest(faces_dir / "bbt/amy/amy5.png"),
        "left": Guest(faces_dir / "bbt/raj/raj4.png"),
        "left again": Guest(how="covered"),
    }
    video = write_ward(folder / "ward.mp4", [(beds, None)], seconds=SECONDS)
    record(video, folder / "ring", START_S).close()
    write_empty(folder / "papers" / "empty.jpg")
    tables = [
        f'[[bed]]\nid = "{p.bed_id}"\ncamera = "ward"\nhead = {p.head_deg}\n'
        f'polygon = {[list(corner) for corner in p.bed.polygon]}\nempty_pictures = ["empty.jpg"]\n'
        for p in PLACES
    ]
    head = f'admissions = "admissions.csv"\nwindow_s = {WINDOW_S}\n'
    (folder / "papers" / "ward.toml").write_text(head + "".join(tables), encoding="utf-8")
    rows = [f"I{n},{person},{bed},2026-04-01 08:00:00," for n, (bed, person) in enumerate(PATIENTS.items())]
    text = "\n".join(["ipt_no,psn_no,adm_bed,begntime,endtime", *rows, ""])
    (folder / "papers" / "admissions.csv").write_text(text, encoding="utf-8")
    return Room(folder / "ring", folder / "papers", folder / "gallery")


@pytest.fixture
def make_ward_box(
    room: Room, tmp_path: Path, quick_pack: VisionPack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., VisionBox]]:
    opened: list[VisionBox] = []
    monkeypatch.setattr(vision_box, "open_pack", lambda _name: quick_pack)

    def make(more: str = "", camera: str = "") -> VisionBox:
        shutil.copytree(room.papers, tmp_path, dirs_exist_ok=True)
        shutil.copytree(room.ring, tmp_path / "data" / "ring" / "ward", dirs_exist_ok=True)
        path = tmp_path / "edge.toml"
        path.write_text(CONFIG.format(more=more, camera=camera, gallery=room.gallery), encoding="utf-8")
        opened.append(open_box(read_config(path), clock_at(START_S + 60)))
        return opened[-1]

    yield make
    for box in opened:
        box.close()


def checks_of(box: VisionBox) -> BedChecks:
    ward = ward_of(box.config)
    assert ward is not None
    return BedChecks(box, ward)


def a_job(bed_id: str, check_id: str = "bed-1", **given: object) -> BedJob:
    job = BedJob("job-1", check_id, bed_id, RoundKind.NIGHT, START_S + 0.5)
    return replace(job, **given)  # type: ignore[arg-type]


def check_of(done: CheckDone) -> BedCheck:
    assert isinstance(done.check, BedCheck)
    again = recompute_bed(done.check)
    assert (again.verdict, again.reasons) == (done.check.verdict, done.check.reasons)
    return done.check


VERDICTS = {
    "right": V.PRESENT,
    "left": V.SOMEONE_ELSE,
    "right again": V.EMPTY,
    "left again": V.OCCUPIED_UNSEEN,
    "right below": V.NOT_ASSESSABLE,
}


def test_five_beds_get_their_five_verdicts(make_ward_box: Callable[..., VisionBox]) -> None:
    checks = checks_of(make_ward_box())
    found = {bed_id: check_of(checks.check(a_job(bed_id, f"bed-{bed_id}"))) for bed_id in VERDICTS}
    assert {bed_id: check.verdict for bed_id, check in found.items()} == VERDICTS
    assert found["right"].psn_no == "amy"
    assert found["right below"].psn_no is None
    assert all(check.round_kind is RoundKind.NIGHT and check.camera_id == "ward" for check in found.values())


def test_somebody_else_in_bed_leaves_faces_still_and_a_signed_clip(make_ward_box: Callable[..., VisionBox]) -> None:
    box = make_ward_box()
    done = checks_of(box).check(a_job("left"))
    assert {file.kind for file in done.files} == {"sample", "still", "clip", "manifest"}
    clip = next(file.path for file in done.files if file.kind == "clip")
    signed = read_manifest(next(file.path for file in done.files if file.kind == "manifest"))
    manifest = verify_manifest(signed, box.keeper.keys.signing.public, clip, "bed-1")
    assert (manifest.clip_id, manifest.camera_id) == ("bed-1", "ward")


def test_of_a_patient_found_in_bed_nothing_but_numbers_is_kept(make_ward_box: Callable[..., VisionBox]) -> None:
    done = checks_of(make_ward_box()).check(a_job("right"))
    assert done.files == ()
    assert all(sample.crop is None for sample in check_of(done).samples)


def test_a_bed_seen_by_a_camera_with_a_private_zone_leaves_masked_files(
    make_ward_box: Callable[..., VisionBox], tmp_path: Path
) -> None:
    zones = tmp_path / "zones.toml"
    corner = "[[0.9, 0.9], [1.0, 0.9], [1.0, 1.0], [0.9, 1.0]]"
    zones.write_text(f'[[zone]]\nkind = "private"\nname = "bath"\npolygon = {corner}\n', encoding="utf-8")
    done = checks_of(make_ward_box(camera='zones = "zones.toml"')).check(a_job("left"))
    check = check_of(done)
    assert check.verdict is V.SOMEONE_ELSE
    assert check.clip is not None and check.clip.masked
    assert {file.kind for file in done.files} == {"sample", "still", "clip", "manifest"}


def test_a_list_of_admissions_that_cannot_be_read_accuses_nobody(
    make_ward_box: Callable[..., VisionBox], tmp_path: Path
) -> None:
    checks = checks_of(make_ward_box())
    (tmp_path / "admissions.csv").write_text("ipt_no,psn_no\nbroken\n", encoding="utf-8")
    for bed_id in VERDICTS:
        check = check_of(checks.check(a_job(bed_id, f"bed-{bed_id}")))
        assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.BED_WITHOUT_PATIENT,))


def test_a_clock_that_was_set_accuses_nobody(
    make_ward_box: Callable[..., VisionBox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_ward_box()
    monkeypatch.setattr(box.places["ward"].ring, "clock_unclear", lambda window: True)
    for bed_id in ("left", "right again"):
        check = check_of(checks_of(box).check(a_job(bed_id, f"bed-{bed_id}")))
        assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.CLOCK_UNCLEAR,))


def test_a_bed_that_is_no_longer_there_fails_and_an_error_in_one_bed_is_its_own(
    make_ward_box: Callable[..., VisionBox], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("numbers nobody foresaw")

    worker = Worker(make_ward_box())
    gone = worker.answer(a_job("far away"))
    assert isinstance(gone, JobFailed) and "ward's file" in gone.why
    monkeypatch.setattr(bed_checks, "check_bed", fail)
    done = worker.answer(a_job("right again"))
    assert isinstance(done, CheckDone) and isinstance(done.check, BedCheck)
    assert (done.check.verdict, done.check.reasons) == (V.NOT_ASSESSABLE, (Reason.UNREADABLE,))
    assert "numbers nobody foresaw" in done.remarks[0]


def test_a_picture_of_an_empty_bed_that_breaks_or_comes_back_is_noticed(
    make_ward_box: Callable[..., VisionBox], tmp_path: Path
) -> None:
    checks = checks_of(make_ward_box())
    picture = (tmp_path / "empty.jpg").read_bytes()
    assert check_of(checks.check(a_job("right again"))).verdict is V.EMPTY
    (tmp_path / "empty.jpg").write_bytes(b"no picture any more")
    assert check_of(checks.check(a_job("right again"))).reasons == (Reason.NO_EMPTY_BED_PICTURE,)
    (tmp_path / "empty.jpg").unlink()
    assert check_of(checks.check(a_job("right again"))).reasons == (Reason.NO_EMPTY_BED_PICTURE,)
    (tmp_path / "empty.jpg").write_bytes(picture)
    assert check_of(checks.check(a_job("right again"))).verdict is V.EMPTY


def test_a_job_that_is_given_up_says_so(make_ward_box: Callable[..., VisionBox]) -> None:
    done = checks_of(make_ward_box()).check(a_job("right", give_up=True))
    assert check_of(done).reasons == (Reason.UNREADABLE,)
    assert done.files == ()


def test_a_ward_file_with_a_mistake_stops_the_worker_with_its_name(
    make_ward_box: Callable[..., VisionBox], tmp_path: Path
) -> None:
    box = make_ward_box()
    (tmp_path / "ward.toml").write_text("beds = 3\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"ward\.toml"):
        Worker(box)


class Unreachable:
    def references_for(self, psn_no: str, at: object) -> References:
        return References(None, reachable=False)


def without_templates(box: VisionBox, key: bytes | None) -> VisionBox:
    keeper = replace(box.keeper, keys=replace(box.keeper.keys, server_public_key=key))
    return replace(box, references=Unreachable(), keeper=keeper)  # type: ignore[arg-type]


def test_a_bed_without_templates_waits_and_is_decided_as_it_would_have_been(
    make_ward_box: Callable[..., VisionBox],
) -> None:
    box = make_ward_box()
    away = checks_of(without_templates(box, public_of(SERVER_KEY)))
    for bed_id in ("right", "left"):
        job = a_job(bed_id, f"bed-{bed_id}")
        at_once = check_of(checks_of(box).check(job))
        done = away.check(job)
        check = check_of(done)
        assert check.verdict is V.PENDING_REFERENCE
        sealed = next(file.path for file in done.files if file.kind == "sealed")
        pending = open_pending(SERVER_KEY, sealed.read_bytes(), check.check_id)
        known = box.references.references_for(PATIENTS[bed_id], check.asked_at)
        decided = decide_pending_bed(check, pending, known)
        assert (decided.verdict, decided.reasons) == (at_once.verdict, at_once.reasons)
        assert decided.score == pytest.approx(at_once.score, abs=0.01)
        assert recompute_bed(decided).verdict is decided.verdict
        nobody = decide_pending_bed(check, pending, References(None))
        assert (nobody.verdict, nobody.reasons) == (V.NOT_ASSESSABLE, (Reason.PERSON_UNKNOWN,))
        assert decide_pending_bed(check, pending, References(None, reachable=False)) is check
        with pytest.raises(BadInput, match="expected the samples of this check"):
            decide_pending_bed(check.model_copy(update={"check_id": "other"}), pending, known)


class Stale:
    """Templates as they were known a while ago."""

    def __init__(self, box: VisionBox) -> None:
        self._references = box.references

    def references_for(self, psn_no: str, at: datetime) -> References:
        return replace(self._references.references_for(psn_no, at), stale=True)


def with_stale_templates(box: VisionBox, key: bytes | None) -> VisionBox:
    return replace(without_templates(box, key), references=Stale(box))  # type: ignore[arg-type]


def test_stale_templates_call_nobody_someone_else(make_ward_box: Callable[..., VisionBox]) -> None:
    checks = checks_of(with_stale_templates(make_ward_box(), public_of(SERVER_KEY)))
    found = {bed_id: check_of(checks.check(a_job(bed_id, f"bed-{bed_id}"))) for bed_id in VERDICTS}
    assert {bed_id: check.verdict for bed_id, check in found.items()} == VERDICTS | {"left": V.PENDING_REFERENCE}
    assert found["left"].reasons == (Reason.REFERENCE_UNREACHABLE,)
    assert found["left"].sealed_samples is not None


def test_stale_templates_without_a_server_call_nobody_someone_else(make_ward_box: Callable[..., VisionBox]) -> None:
    done = checks_of(with_stale_templates(make_ward_box(), None)).check(a_job("left"))
    assert (done.check.verdict, done.check.reasons) == (V.NOT_ASSESSABLE, (Reason.REFERENCE_UNREACHABLE,))


def test_an_empty_bed_needs_no_templates(make_ward_box: Callable[..., VisionBox]) -> None:
    box = make_ward_box()
    away = checks_of(without_templates(box, public_of(SERVER_KEY)))
    assert check_of(away.check(a_job("right again"))).verdict is V.EMPTY


def test_without_a_server_a_face_that_nobody_knows_is_not_assessable(make_ward_box: Callable[..., VisionBox]) -> None:
    done = checks_of(without_templates(make_ward_box(), None)).check(a_job("left"))
    check = done.check
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.REFERENCE_UNREACHABLE,))
