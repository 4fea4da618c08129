"""A folder of known people: what is taken, what is refused, and why."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.labelled_folder import list_pictures, read_faces
from renzheng.contracts.reasons import Reason
from renzheng.errors import BadInput
from vision.align import ARCFACE_POINTS
from vision.pack import VisionPack
from vision.types import BgrImage, Detections, FloatArray

SIDE_PX = 240


class OneFace:
    """Finds one face in the middle of any picture that is not black."""

    def detect(self, image_bgr: BgrImage, min_score: float = 0.5) -> Detections:
        count = int(image_bgr.max() > 0)
        box = np.array([[64, 64, 176, 176]], np.float32)
        return Detections(box[:count], np.full(count, 0.95, np.float32), (ARCFACE_POINTS + 64)[None][:count])


class MeanColour:
    """The mean colour as an embedding."""

    size = 3

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        rows = crops_bgr.reshape(len(crops_bgr), -1, 3).mean(axis=1) - 100
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def fake_pack() -> VisionPack:
    return VisionPack("fake", "d", "e", OneFace(), MeanColour(), 3)


def save(path: Path, seed: int, light: float = 1.0) -> Path:
    """A picture full of detail, different for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    detail = np.random.default_rng(seed).integers(0, 255, (SIDE_PX, SIDE_PX, 3))
    cv2.imwrite(str(path), (detail * light).astype(np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for person in range(3):
        for number in range(3):
            save(tmp_path / f"p{person}" / f"{number}.png", 10 * person + number)
    return tmp_path


def test_people_and_pictures_come_in_natural_order_whatever_the_file_system_says(tmp_path: Path):
    for name in ("s10/2.png", "s2/10.jpg", "s2/9.JPG", "s2/1.webp", "s10/1.bmp", "s2/0.pgm"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = list_pictures(tmp_path)
    assert list(found) == ["s2", "s10"]
    assert [path.name for path in found["s2"]] == ["0.pgm", "1.webp", "9.JPG", "10.jpg"]


def test_other_files_hidden_ones_and_empty_folders_are_left_out(folder: Path):
    for name in ("p0/notes.txt", "p0/.thumb.png", ".git/a.png", "readme.png"):
        save(folder / name, 0) if name.endswith("png") else (folder / name).write_text("x")
    (folder / "nobody").mkdir()
    assert {name: len(paths) for name, paths in list_pictures(folder).items()} == {"p0": 3, "p1": 3, "p2": 3}


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_or_empty_folder_is_refused_by_name(tmp_path: Path, make: bool):
    missing = tmp_path / "faces"
    if make:
        missing.mkdir()
    with pytest.raises(BadInput, match=r"faces: expected .*folder"):
        list_pictures(missing)


def test_every_picture_becomes_one_embedding_of_its_person(folder: Path, fake_pack: VisionPack):
    seen: list[int] = []
    faces = read_faces(list_pictures(folder), fake_pack, advance=lambda: seen.append(1))
    assert faces.person.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert faces.embeddings.shape == (9, 3) and faces.names == ("p0", "p1", "p2")
    assert (faces.pictures, len(faces.refused), len(seen)) == (9, 0, 9)


def test_unreadable_pictures_are_refused_with_their_reason_and_the_rest_goes_on(folder: Path, fake_pack: VisionPack):
    (folder / "p0" / "a.png").write_bytes(b"")
    (folder / "p0" / "b.jpg").write_text("not a picture at all")
    whole = save(folder / "p1" / "c.png", 77).read_bytes()
    (folder / "p1" / "c.png").write_bytes(whole[: len(whole) // 2])
    save(folder / "p1" / "d.png", 78, light=0.0)
    faces = read_faces(list_pictures(folder), fake_pack)
    reasons = {refused.path.name: refused.reasons for refused in faces.refused}
    assert reasons == {
        "a.png": (Reason.UNREADABLE,),
        "b.jpg": (Reason.NOT_A_PICTURE,),
        "c.png": (Reason.UNREADABLE,),
        "d.png": (Reason.NO_FACE,),
    }
    assert (faces.pictures, len(faces.paths)) == (13, 9)
    assert faces.refusals == {"unreadable": 2, "not_a_picture": 1, "no_face": 1}


def test_the_gate_refuses_and_no_gate_shows_what_it_is_worth(folder: Path, fake_pack: VisionPack):
    coarse = np.random.default_rng(5).integers(0, 255, (15, 15, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "p2" / "soft.png"), cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC))
    people = list_pictures(folder)
    gated, open_ = read_faces(people, fake_pack), read_faces(people, fake_pack, gate=False)
    assert [refused.path.name for refused in gated.refused] == ["soft.png"]
    assert Reason.FACE_BLURRED in gated.refused[0].reasons
    assert open_.refused == () and len(open_.paths) == 10


def test_a_copy_of_a_picture_counts_once(folder: Path, fake_pack: VisionPack):
    (folder / "p0" / "copy.png").write_bytes((folder / "p0" / "1.png").read_bytes())
    faces = read_faces(list_pictures(folder), fake_pack)
    assert [(r.path.name, r.why) for r in faces.refused] == [("copy.png", "the same file as 1.png")]
    assert faces.refusals == {"duplicate": 1}


def test_one_file_under_two_people_is_a_wrong_label(folder: Path, fake_pack: VisionPack):
    (folder / "p2" / "copy.png").write_bytes((folder / "p0" / "1.png").read_bytes())
    with pytest.raises(BadInput, match=r"copy\.png: the same file as .*1\.png, which stands under another person"):
        read_faces(list_pictures(folder), fake_pack)


def test_one_person_only_is_refused(tmp_path: Path, fake_pack: VisionPack):
    for number in range(5):
        save(tmp_path / "only" / f"{number}.png", number)
    with pytest.raises(BadInput, match=r"at least 2 people with 2 usable pictures each, got 1 \(1 people, 5 pictures"):
        read_faces(list_pictures(tmp_path), fake_pack)


def test_people_whose_pictures_are_all_refused_do_not_count_and_the_refusals_are_told(
    tmp_path: Path, fake_pack: VisionPack
):
    for number in range(2):
        save(tmp_path / "good" / f"{number}.png", number)
        save(tmp_path / "dark" / f"{number}.png", number + 9, light=0.01 * number)
    (tmp_path / "dark" / "2.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"got 1 .*dark/0\.png: no face in the photo; dark/1\.png: .*; dark/2\.png"):
        read_faces(list_pictures(tmp_path), fake_pack)
