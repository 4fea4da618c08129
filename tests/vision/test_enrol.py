"""Photos into templates with the real pack."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.fetch import fetch_asset
from renzheng.contracts import Reason
from vision.enrol import MAX_PHOTO_SIDE_PX, PhotoFace, Refused, face_of_photo
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.types import BgrImage, Detections


@pytest.fixture(scope="module")
def six_people() -> BgrImage:
    return load_photo(fetch_asset("demo-people"))


@pytest.fixture(scope="module")
def found(six_people: BgrImage, pack: VisionPack) -> Detections:
    return pack.detector.detect(six_people, 0.6)


def photo_of(picture: BgrImage, found: Detections, number: int, margin: float = 0.6) -> BgrImage:
    """A portrait of one of several people."""
    left, top, right, bottom = found.boxes_xyxy[number]
    more = margin * (right - left)
    rows = slice(int(max(0, top - more)), int(bottom + more))
    columns = slice(int(max(0, left - more)), int(right + more))
    return np.ascontiguousarray(picture[rows, columns])


def enrolled(picture: BgrImage, pack: VisionPack) -> PhotoFace:
    face = face_of_photo(picture, pack)
    assert isinstance(face, PhotoFace), face
    return face


def refusal(picture: BgrImage, pack: VisionPack) -> tuple[Reason, ...]:
    refused = face_of_photo(picture, pack)
    assert isinstance(refused, Refused)
    return refused.reasons


def good_portraits(six_people: BgrImage, found: Detections, pack: VisionPack) -> list[BgrImage]:
    portraits = [photo_of(six_people, found, number, 0.4) for number in range(len(found))]
    return [portrait for portrait in portraits if isinstance(face_of_photo(portrait, pack), PhotoFace)]


def test_a_good_photo_is_enrolled(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    portraits = good_portraits(six_people, found, pack)
    assert len(portraits) >= 3
    face = enrolled(portraits[0], pack)
    assert face.embedding.shape == (pack.embedding_size,)
    assert np.linalg.norm(face.embedding) == pytest.approx(1.0, abs=1e-5)
    assert not face.quality.failed
    assert face.crop_bgr.shape == (112, 112, 3)
    assert face.portrait_bgr.size


def test_different_people_are_unlike(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    rows = np.stack([enrolled(p, pack).embedding for p in good_portraits(six_people, found, pack)])
    cosines = rows @ rows.T
    assert cosines[~np.eye(len(rows), dtype=bool)].max() < 0.4


@pytest.mark.parametrize("factor", [0.9, 1.5, 3.0])
def test_the_same_face_in_another_size_is_alike(
    six_people: BgrImage, found: Detections, pack: VisionPack, factor: float
) -> None:
    portrait = good_portraits(six_people, found, pack)[0]
    resized = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)
    again = face_of_photo(resized, pack, gate=False)
    assert isinstance(again, PhotoFace)
    assert float(enrolled(portrait, pack).embedding @ again.embedding) > 0.85


@pytest.mark.parametrize("side_px", [300, 900, MAX_PHOTO_SIDE_PX, 4000])
@pytest.mark.parametrize("margin", [0.2, 0.6])
def test_a_portrait_is_one_face_however_large_it_is(
    six_people: BgrImage, found: Detections, pack: VisionPack, side_px: int, margin: float
) -> None:
    for number in range(len(found)):
        portrait = photo_of(six_people, found, number, margin)
        factor = side_px / max(portrait.shape[:2])
        large = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)
        face = face_of_photo(large, pack, gate=False)
        assert isinstance(face, PhotoFace), (number, face)
        plain = face_of_photo(portrait, pack, gate=False)
        assert isinstance(plain, PhotoFace)
        eyes_px = plain.quality.measures["inter_eye_distance_px"]
        # in pixels of the photo as it came, however it was scaled on the way; landmarks of turned faces differ a little
        assert face.quality.measures["inter_eye_distance_px"] == pytest.approx(eyes_px * factor, rel=0.5)


def test_a_small_face_in_a_large_photo_is_found(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    portrait = photo_of(six_people, found, 0, 0.2)
    scale = 60 / portrait.shape[1]
    small = np.asarray(cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    street = np.full((1280, 1280, 3), 120, np.uint8)
    street[600 : 600 + small.shape[0], 500:560] = small
    assert isinstance(face_of_photo(street, pack, gate=False), PhotoFace)


def test_a_photo_without_a_face_is_refused(pack: VisionPack) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (400, 300, 3)).astype(np.uint8)
    assert refusal(noise, pack) == (Reason.NO_FACE,)
    assert refusal(np.full((300, 300, 3), 128, np.uint8), pack) == (Reason.NO_FACE,)
    assert refusal(np.zeros((1, 1, 3), np.uint8), pack) == (Reason.NO_FACE,)


def test_a_photo_of_several_people_is_refused(six_people: BgrImage, pack: VisionPack) -> None:
    assert refusal(six_people, pack) == (Reason.SEVERAL_FACES,)


def test_a_small_bystander_is_no_obstacle(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    portrait = good_portraits(six_people, found, pack)[0]
    large = np.asarray(cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    beside = np.asarray(cv2.resize(portrait, (large.shape[1] // 3, large.shape[0] // 3)), np.uint8)
    both = cv2.copyMakeBorder(large, 0, 0, 0, beside.shape[1], cv2.BORDER_REPLICATE)
    both[: beside.shape[0], large.shape[1] :] = beside
    face = face_of_photo(np.asarray(both, np.uint8), pack, gate=False)
    assert isinstance(face, PhotoFace)


def test_a_face_that_is_too_small_is_refused(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    portrait = good_portraits(six_people, found, pack)[0]
    factor = 44 / portrait.shape[1]
    small = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    assert Reason.FACE_TOO_SMALL in refusal(small, pack)


def test_a_blurred_photo_is_refused(six_people: BgrImage, found: Detections, pack: VisionPack) -> None:
    portrait = good_portraits(six_people, found, pack)[0]
    assert Reason.FACE_BLURRED in refusal(np.asarray(cv2.GaussianBlur(portrait, (0, 0), 5), np.uint8), pack)


def test_a_face_turned_away_is_refused(shared_dir: Path, pack: VisionPack) -> None:
    path = shared_dir / "faces" / "bbt" / "stuart" / "stuart5.png"
    if not path.is_file():
        pytest.skip(f"no picture {path}")
    refused = face_of_photo(load_photo(path), pack)
    assert isinstance(refused, Refused)
    assert Reason.HEAD_TURNED in refused.reasons
    assert refused.quality is not None


def test_without_the_gate_a_poor_photo_still_needs_one_face(
    six_people: BgrImage, found: Detections, pack: VisionPack
) -> None:
    portrait = np.asarray(cv2.GaussianBlur(photo_of(six_people, found, 0), (0, 0), 4), np.uint8)
    assert isinstance(face_of_photo(portrait, pack, gate=False), PhotoFace)
    assert isinstance(face_of_photo(six_people, pack, gate=False), Refused)


def test_two_photos_of_one_person_are_alike_and_of_two_are_not(shared_dir: Path, pack: VisionPack) -> None:
    folder = shared_dir / "faces" / "bbt"
    if not folder.is_dir():
        pytest.skip(f"no pictures of people in {folder}")
    people = {}
    for person in ("penny", "sheldon", "howard"):
        faces = [face_of_photo(load_photo(path), pack) for path in sorted((folder / person).glob("*.png"))]
        people[person] = np.stack([face.embedding for face in faces if isinstance(face, PhotoFace)])
    for person, rows in people.items():
        assert len(rows) >= 4
        assert np.median((rows @ rows.T)[~np.eye(len(rows), dtype=bool)]) > 0.5
        for other, theirs in people.items():
            assert other == person or float((rows @ theirs.T).max()) < 0.443
