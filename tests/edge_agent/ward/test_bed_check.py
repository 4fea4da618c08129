"""Bed checks on real faces in drawn beds: the five verdicts, and that nothing poor accuses anybody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from calibration.sets import load_set
from edge_agent.people_folder import PeopleFolder
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.references import FolderReferences
from edge_agent.search import CheckSettings
from edge_agent.surroundings import Surroundings
from edge_agent.ward.admissions import Patient
from edge_agent.ward.bed_check import BedAsked, CheckedBed, check_bed, stopped_bed_check
from edge_agent.ward.empty_pictures import EmptyPictures
from renzheng.contracts import FLAGGED_BEDS, BedVerdict, Reason, RoundKind, TrackRole
from tests.edge_agent.remembered_footage import RememberedFootage
from tests.edge_agent.scene_clip import all_of, blocky, blurred, light, smeared
from tests.edge_agent.ward.ward_scene import (
    ACT_S,
    START,
    START_S,
    WINDOW_S,
    Beds,
    Guest,
    Spoil,
    bed_at,
    write_empty,
    write_ward,
)
from tests.vision.remembering import remembering
from vision.bed_verdict import recompute_bed, tracks_shown_of_bed
from vision.pack import VisionPack
from vision.people import References
from vision.zones import Zone, ZoneKind, Zones

LYING = {"amy": "amy5", "raj": "raj4", "penny": "penny5", "stuart": "stuart1", "sheldon": "sheldon2"}
"""Whose picture is laid into beds; it is not among the enrolled ones."""

V = BedVerdict


def guests(faces_dir: Path) -> dict[str, Beds]:
    """Who is in which bed, act by act."""

    def someone(person: str, how: str = "lying") -> Guest:
        return Guest(faces_dir / "bbt" / person / f"{LYING[person]}.png", how)

    full = {"right": someone("amy"), "left": someone("raj"), "left again": Guest(how="covered")}
    other = {
        "right": Guest(how="still covered"),
        "left": someone("sheldon", "turned"),
        "left again": someone("stuart"),
        "right below": someone("penny", "sitting"),
    }
    return {"full": full, "other": other, "nobody": {}}


SPOILS: dict[str, tuple[str, Spoil]] = {
    "blurred": ("full", blurred(3)),
    "dim": ("full", light(0.6)),
    "dark": ("full", light(0.12)),
    "smeared": ("full", smeared(21)),
    "dim and blocky": ("full", all_of(light(0.4), blocky(12))),
}
"""Somebody is in three beds, and something is wrong with the picture."""


@dataclass(frozen=True)
class WardRoom:
    """One recording with an act for each thing that can be, and what checks need."""

    footage: RememberedFootage
    surroundings: Surroundings
    references: FolderReferences
    settings: CheckSettings
    empty: EmptyPictures
    empty_picture: Path
    second_of: dict[str, float]
    known: dict[BedAsked, CheckedBed] = field(default_factory=dict)

    def asked(self, act: str, bed_id: str, patient: str | None, **given: object) -> BedAsked:
        """A question about a bed in an act."""
        bed = bed_at(bed_id, self.empty_picture)
        who = Patient(patient, "I1") if patient else None
        asked_s = START_S + self.second_of[act] + 0.3
        asked = BedAsked("bed-1", RoundKind.FIXED, bed, who, asked_s, WINDOW_S, "H33028100001")
        return replace(asked, **given)  # type: ignore[arg-type]

    def check(self, act: str, bed_id: str, patient: str | None, **given: object) -> CheckedBed:
        """Check a bed in an act, the same question once."""
        known = References(None) if patient is None else self.references.references_for(patient, START)
        asked = self.asked(act, bed_id, patient, **given)
        if asked not in self.known:
            self.known[asked] = check_bed(asked, self.footage, self.surroundings, known, self.settings, self.empty)
        return self.known[asked]


@pytest.fixture(scope="module")
def room(
    tmp_path_factory: pytest.TempPathFactory, faces_dir: Path, pack: VisionPack, thresholds: str
) -> Iterator[WardRoom]:
    folder = tmp_path_factory.mktemp("ward")
    for person in ("amy", "raj", "howard", "penny", "leonard", "stuart"):
        used = (p for p in (faces_dir / "bbt" / person).iterdir() if p.stem != LYING.get(person))
        (folder / "gallery" / person).mkdir(parents=True)
        for photo in used:
            shutil.copy(photo, folder / "gallery" / person)
    beds = guests(faces_dir)
    acts: dict[str, tuple[Beds, Spoil | None]] = {name: (guest, None) for name, guest in beds.items()}
    acts |= {name: (beds[who], spoil) for name, (who, spoil) in SPOILS.items()}
    path = write_ward(folder / "ward.mp4", list(acts.values()))
    quick = remembering(pack)
    threshold_set, digest = load_set(thresholds)
    with RecordedTimeline([open_recording(path, START)]) as real:
        footage = RememberedFootage(real)
        yield WardRoom(
            footage,
            Surroundings(footage),
            FolderReferences(quick, PeopleFolder(folder / "gallery")),
            CheckSettings(quick, threshold_set.values(digest)),
            EmptyPictures(PrivateZones(Zones.whole_picture())),
            write_empty(folder / "empty.jpg"),
            {name: number * ACT_S for number, name in enumerate(acts)},
        )


RIGHT = [
    ("full", "right", "amy", V.PRESENT, (Reason.INDEPENDENT_SAMPLES,)),
    ("full", "left", "raj", V.PRESENT, (Reason.INDEPENDENT_SAMPLES,)),
    ("full", "left", "howard", V.SOMEONE_ELSE, (Reason.EVERY_FACE_DIFFERS,)),
    ("full", "right again", "howard", V.EMPTY, (Reason.BED_EMPTY,)),
    ("full", "left again", "leonard", V.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE,)),
    ("full", "right", "nobody of this name", V.NOT_ASSESSABLE, (Reason.PERSON_UNKNOWN,)),
    ("full", "right", None, V.NOT_ASSESSABLE, (Reason.BED_WITHOUT_PATIENT,)),
    ("other", "right", "amy", V.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE,)),
    ("other", "left", "raj", V.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE,)),
    ("other", "left again", "stuart", V.PRESENT, (Reason.INDEPENDENT_SAMPLES,)),
    ("other", "left again", "raj", V.SOMEONE_ELSE, (Reason.EVERY_FACE_DIFFERS,)),
    ("other", "right below", "penny", V.PRESENT, (Reason.INDEPENDENT_SAMPLES,)),
    ("other", "right below", "amy", V.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE, Reason.FACE_NOT_LYING)),
    ("nobody", "right", "amy", V.EMPTY, (Reason.BED_EMPTY,)),
    ("nobody", "left", "nobody of this name", V.EMPTY, (Reason.BED_EMPTY,)),
]


@pytest.mark.parametrize(("act", "bed_id", "patient", "verdict", "reasons"), RIGHT)
def test_the_verdict_on_a_bed_comes_out_right(
    room: WardRoom, act: str, bed_id: str, patient: str | None, verdict: BedVerdict, reasons: tuple[Reason, ...]
) -> None:
    check = room.check(act, bed_id, patient).check
    assert (check.verdict, check.reasons) == (verdict, reasons), (check.tracks, check.occupancy)
    again = recompute_bed(check)
    assert (again.verdict, again.reasons, again.score) == (check.verdict, check.reasons, check.score)


@pytest.mark.parametrize("act", SPOILS)
def test_a_poor_picture_of_people_in_bed_accuses_nobody_who_is_there(room: WardRoom, act: str) -> None:
    for bed_id, patient in (("right", "amy"), ("left", "raj"), ("left again", "leonard")):
        check = room.check(act, bed_id, patient).check
        assert check.verdict not in FLAGGED_BEDS, (bed_id, check.reasons, check.tracks, check.occupancy)
        assert recompute_bed(check).verdict is check.verdict


@pytest.mark.parametrize("act", SPOILS)
def test_a_poor_picture_finds_no_patient_who_is_not_there(room: WardRoom, act: str) -> None:
    assert room.check(act, "right", "penny").check.verdict not in (V.PRESENT, V.EMPTY)


def test_a_lying_face_is_kept_upright_and_its_place_is_told_in_the_whole_picture(room: WardRoom) -> None:
    checked = room.check("full", "right", "amy")
    sample, face = checked.check.samples[0], checked.sample_faces[0]
    assert sample.frame_wh == (1280, 720)
    left, top, right, bottom = sample.box_xyxy
    assert 410 < left < right < 570
    assert 50 < top < bottom < 210
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
    assert eyes[0] > mouth[0] + 20
    assert sample.quality.measures["roll_deg"] < 16


def test_a_picture_is_kept_of_the_bed_alone(room: WardRoom) -> None:
    still = room.check("full", "left", "howard").still_bgr
    assert still is not None
    assert still.shape[1] > 2 * still.shape[0]
    assert max(still.shape) <= 640


def test_faces_are_kept_of_who_lies_there_and_once_the_patient_is_found_of_nobody_else(room: WardRoom) -> None:
    other = room.check("full", "left", "howard").check
    assert tracks_shown_of_bed(other) == {t.track for t in other.tracks if t.role is TrackRole.OTHER}
    visitor = room.check("other", "right below", "amy").check
    assert visitor.tracks
    assert tracks_shown_of_bed(visitor) == frozenset()
    there = room.check("other", "right below", "penny").check
    assert tracks_shown_of_bed(there) == {t.track for t in there.tracks if t.role is TrackRole.HOLDER}


def test_a_bed_whose_heads_point_up_accuses_nobody(room: WardRoom) -> None:
    asked = room.asked("full", "left", "howard")
    upright = asked.bed.model_copy(update={"head": 20.0})
    for act, bed_id in (("other", "right below"), ("full", "left")):
        bed = room.asked(act, bed_id, "howard").bed.model_copy(update={"head": upright.head})
        assert room.check(act, bed_id, "howard", bed=bed).check.verdict is V.OCCUPIED_UNSEEN


def test_without_a_picture_of_it_empty_no_bed_is_called_empty(room: WardRoom) -> None:
    check = room.check("nobody", "right", "amy", bed=bed_at("right")).check
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.NO_EMPTY_BED_PICTURE,))
    assert check.occupancy.changed_share is None


def test_the_nearest_of_several_empty_pictures_counts(room: WardRoom, tmp_path: Path) -> None:
    import cv2

    dark = tmp_path / "night.png"
    cv2.imwrite(str(dark), np.random.default_rng(1).integers(0, 60, (720, 1280, 3)).astype(np.uint8))
    bed = bed_at("right").model_copy(update={"empty_pictures": (dark, room.empty_picture)})
    assert room.check("nobody", "right", "amy", bed=bed).check.verdict is V.EMPTY


def test_an_empty_picture_of_another_shape_is_not_compared_with(room: WardRoom, tmp_path: Path) -> None:
    import cv2

    square = tmp_path / "square.png"
    cv2.imwrite(str(square), np.full((400, 400, 3), 120, np.uint8))
    check = room.check("nobody", "right", "amy", bed=bed_at("right", square)).check
    assert check.reasons == (Reason.NO_EMPTY_BED_PICTURE,)


def test_a_face_that_the_empty_bed_shows_too_accuses_nobody(room: WardRoom, faces_dir: Path, tmp_path: Path) -> None:
    import cv2

    from tests.edge_agent.ward.ward_scene import ward_picture

    printed = tmp_path / "printed.png"
    cv2.imwrite(str(printed), ward_picture(guests(faces_dir)["full"], 1.0))
    check = room.check("full", "left", "howard", bed=bed_at("left", printed)).check
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.FACE_ALWAYS_THERE,))


@pytest.mark.parametrize("doubt", [Reason.CLOCK_UNCLEAR, Reason.CAMERA_UNFIT])
def test_a_doubt_about_clock_or_camera_accuses_nobody_and_still_finds_the_patient(
    room: WardRoom, doubt: Reason
) -> None:
    for bed_id, patient in (("left", "howard"), ("right again", "howard")):
        check = room.check("full", bed_id, patient, doubts=(doubt,)).check
        assert check.verdict is V.NOT_ASSESSABLE
        assert doubt in check.reasons
    assert room.check("full", "right", "amy", doubts=(doubt,)).check.verdict is V.PRESENT


def test_a_private_zone_is_black_before_anything_is_looked_for(room: WardRoom) -> None:
    pillow = Zone(ZoneKind.PRIVATE, "pillow", ((0.3, 0.0), (0.5, 0.0), (0.5, 0.35), (0.3, 0.35)))
    settings = replace(room.settings, zones=Zones((pillow,)))
    known = room.references.references_for("amy", START)
    empty = EmptyPictures(PrivateZones(settings.zones))
    checked = check_bed(room.asked("full", "right", "amy"), room.footage, room.surroundings, known, settings, empty)
    assert checked.check.tracks == ()
    assert checked.check.verdict is V.OCCUPIED_UNSEEN
    assert checked.still_bgr is not None
    assert (checked.still_bgr[10:200, 400:560] == 0).all()


def test_templates_out_of_reach_leave_a_face_to_the_server_and_an_empty_bed_to_the_box(room: WardRoom) -> None:
    away = References(None, reachable=False)

    def checked(bed_id: str) -> BedVerdict:
        asked = room.asked("full", bed_id, "amy")
        return check_bed(asked, room.footage, room.surroundings, away, room.settings, room.empty).check.verdict

    assert checked("right") is V.PENDING_REFERENCE
    assert checked("right again") is V.EMPTY
    assert checked("left again") is V.OCCUPIED_UNSEEN


def test_a_time_without_footage_is_not_assessable(room: WardRoom) -> None:
    check = room.check("full", "right", "amy", asked_s=START_S + 9000).check
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.NO_FOOTAGE,))


def test_a_window_recorded_by_half_calls_no_bed_empty(room: WardRoom) -> None:
    end_s = START_S + len(room.second_of) * ACT_S
    check = room.check("full", "right again", "howard", asked_s=end_s - 2.5).check
    assert check.verdict is V.NOT_ASSESSABLE
    assert Reason.FOOTAGE_INCOMPLETE in check.reasons


def test_a_picture_that_stood_still_for_long_calls_no_bed_empty(room: WardRoom) -> None:
    class Standing(Surroundings):
        """A camera that gave one picture for half an hour."""

        def greys(self, window):  # type: ignore[no-untyped-def]
            grey = next(iter(looks.values()))
            return [(window.start_s - 600.0, grey), (window.end_s + 600.0, grey)]

    from vision.presence import small_grey

    asked = room.asked("nobody", "right", "amy")
    frames = [f for s in room.footage.stretches(asked.window) for f in room.footage.look(s, asked.window, print)]
    frozen = frames[0]
    looks = {frozen.time_s: small_grey(frozen.reduced_bgr)}

    class Frozen(RememberedFootage):
        def look(self, stretch, window, on_damage):  # type: ignore[no-untyped-def]
            for frame in super().look(stretch, window, on_damage):
                yield replace(frozen, time_s=frame.time_s, load_full=lambda: frozen.full_bgr)

    footage = Frozen(room.footage)
    known = room.references.references_for("amy", START)
    check = check_bed(asked, footage, Standing(footage), known, room.settings, room.empty).check
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.PICTURE_FROZEN,))


def test_a_check_that_an_error_stopped_says_so(room: WardRoom) -> None:
    check = stopped_bed_check(room.asked("full", "right", "amy"), room.footage, room.settings)
    assert (check.verdict, check.reasons) == (V.NOT_ASSESSABLE, (Reason.UNREADABLE,))
    assert recompute_bed(check).reasons == (Reason.UNREADABLE,)


def test_a_search_needs_a_bed(room: WardRoom) -> None:
    from edge_agent.ward.bed_check import BedSearch

    with pytest.raises(ValueError, match="expected a bed"):
        BedSearch(room.footage, room.asked("full", "right", "amy").window, 0.0, References(None), room.settings)
