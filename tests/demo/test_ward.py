"""The ward's papers parse, and its recording gives each bed's truth."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calibration.sets import load_set
from edge_agent.people_folder import PeopleFolder
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.references import FolderReferences
from edge_agent.search import CheckSettings
from edge_agent.surroundings import Surroundings
from edge_agent.ward.admissions import read_admissions
from edge_agent.ward.bed_check import BedAsked, check_bed
from edge_agent.ward.empty_pictures import EmptyPictures
from edge_agent.ward.rounds import day_of, plan_rounds
from edge_agent.ward.ward_file import read_ward
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import BedCheck, BedVerdict
from renzheng.demo import footage, ward
from renzheng.demo.ward_painting import render_ward
from vision.bed_verdict import recompute_bed
from vision.pack import VisionPack
from vision.zones import Zones


@dataclass(frozen=True)
class DemoWard:
    """The ward's files, and its checks by bed."""

    files: footage.TownFiles
    checks: dict[str, BedCheck]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> footage.TownFiles:
    folder = tmp_path_factory.mktemp("town")
    footage.write_papers(folder)
    return footage.TownFiles(folder)


@pytest.fixture(scope="module")
def checked(papers: footage.TownFiles, pack: VisionPack) -> Iterator[DemoWard]:
    import random

    recording = render_ward(papers.folder / "ward" / "recordings")
    assert papers.ward_recordings == [recording]
    read, admissions = read_ward(papers.ward, [ward.WARD_CAMERA]), read_admissions(papers.admissions)
    references = FolderReferences(pack, PeopleFolder(papers.gallery), PeopleFolder(papers.staff))
    thresholds, digest = load_set(pack.name)
    settings = CheckSettings(pack, thresholds.values(digest))
    checks = {}
    with RecordedTimeline([open_recording(recording, ward.START)]) as timeline:
        for planned in plan_rounds(read, day_of(to_seconds(ward.ROUND_AT)), random.Random(1), ward.HOSPITAL):
            bed = read.bed_named(planned.bed_id)
            patient = admissions.patient_in(bed.bed_id, from_seconds(planned.due_s))
            asked = BedAsked(
                planned.check_id, planned.round_kind, bed, patient, planned.due_s, read.window_s, ward.HOSPITAL
            )
            known = references.references_for(patient.psn_no if patient else "", ward.ROUND_AT)
            empty = EmptyPictures(PrivateZones(Zones.whole_picture()))
            checks[bed.bed_id] = check_bed(asked, timeline, Surroundings(timeline), known, settings, empty).check
    yield DemoWard(papers, checks)


@pytest.mark.parametrize("bed", ward.BEDS, ids=lambda bed: bed.bed_id)
def test_a_bed_of_the_demo_gets_the_verdict_that_is_true(checked: DemoWard, bed: ward.WardBed):
    check = checked.checks[bed.bed_id]
    assert check.verdict is bed.verdict, (check.reasons, check.tracks, check.occupancy)
    assert recompute_bed(check).verdict is check.verdict


def test_every_verdict_that_a_box_gives_with_its_templates_is_there():
    assert {bed.verdict for bed in ward.BEDS} == set(BedVerdict) - {BedVerdict.PENDING_REFERENCE}


def test_the_truth_of_the_ward_is_written_beside_it(papers: footage.TownFiles):
    with papers.bed_truth.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["adm_bed"], row["verdict"]) for row in rows] == [(b.bed_id, b.verdict.value) for b in ward.BEDS]
    assert all(row["what_zh"] and row["what_en"] for row in rows)


def test_the_ward_lies_beside_the_counter_and_not_among_its_recordings(papers: footage.TownFiles):
    assert Path("ward") in [path.relative_to(papers.folder) for path in papers.folder.iterdir()]
    assert papers.recordings == []
