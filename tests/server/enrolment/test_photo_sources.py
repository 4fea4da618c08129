"""Folders and zips of photos: whose is whose, and what is not opened at all."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renzheng.errors import BadInput
from server.enrolment import photo_sources
from server.enrolment.photo_sources import PhotoBroken, photos_of_folder, photos_of_zip, sorted_out
from tests.server.enrolment.orders import zipped

FILES = {"1.jpg": b"one", "deep/1_2.PNG": b"two", "2_1.jpeg": b"three", "2_1_2.jpg": b"four", "9.jpg": b"nobody's"}
NO_PHOTOS = {"1.txt": b"-", "__MACOSX/1.jpg": b"-", "._1.jpg": b"-", ".hidden/../x".replace("/../", "-"): b"-"}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def of_zip(data: bytes) -> list[photo_sources.PhotoFile]:
    return photos_of_zip(io.BytesIO(data))


def test_a_folder_and_a_zip_hold_the_same_photos(tmp_path: Path) -> None:
    in_folder = photos_of_folder(written(tmp_path, FILES | NO_PHOTOS))
    in_zip = of_zip(zipped(FILES | NO_PHOTOS, zipfile.ZIP_DEFLATED))

    for files in (in_folder, in_zip):
        assert {file.name: file.read() for file in files} == {Path(name).name: data for name, data in FILES.items()}
    told = [sorted((file.name, file.size_bytes, file.crc32) for file in files) for files in (in_folder, in_zip)]
    assert told[0] == told[1]


def test_a_photo_is_of_whom_it_is_named_after_and_the_rest_are_counted() -> None:
    photos = sorted_out(of_zip(zipped(FILES)), {"1", "2_1", "2"})

    assert {psn_no: [file.name for file in own] for psn_no, own in photos.by_person.items()} == {
        "1": ["1.jpg", "1_2.PNG"],
        "2_1": ["2_1.jpeg", "2_1_2.jpg"],
    }
    assert photos.unused == 1


def test_links_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside", {"1.jpg": b"-", "deep/2.jpg": b"-"})
    folder = written(tmp_path / "photos", {"3.jpg": b"-"})
    (folder / "1.jpg").symlink_to(outside / "1.jpg")
    (folder / "deep").symlink_to(outside / "deep")

    assert [file.name for file in photos_of_folder(folder)] == ["3.jpg"]


def test_a_photo_that_went_away_is_broken(tmp_path: Path) -> None:
    (photo,) = photos_of_folder(written(tmp_path, {"1.jpg": b"-"}))
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(PhotoBroken):
        photo.read()


@pytest.mark.parametrize("name", ["../1.jpg", "a/../../1.jpg", "/1.jpg", "..\\1.jpg", "C:1.jpg", "\\1.jpg"])
def test_a_zip_with_a_name_that_leads_outside_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="file 2 of the zip has a name that leads outside") as refused:
        of_zip(zipped({"1.jpg": b"-", name: b"-"}))
    assert "1.jpg" not in str(refused.value)


def test_a_zip_with_a_link_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("1.jpg")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BadInput, match="file 1 of the zip is a link"):
        of_zip(stream.getvalue())


def test_a_zip_with_a_password_is_refused() -> None:
    data = bytearray(zipped({"1.jpg": b"-"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadInput, match="password"):
        of_zip(bytes(data))


def test_a_zip_that_unpacks_to_far_more_than_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({f"{number}.jpg": bytes(2**20) for number in range(5)}, zipfile.ZIP_DEFLATED)
    assert len(of_zip(bomb)) == 5
    monkeypatch.setattr(photo_sources, "SMALL_BYTES", 2**20)
    with pytest.raises(BadInput, match="unpacks to over 20 times its size"):
        of_zip(bomb)


def test_a_zip_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_sources, "FILES_MAX", 1)
    with pytest.raises(BadInput, match="at most 1 files"):
        of_zip(zipped({"1.jpg": b"-", "2.jpg": b"-"}))


@pytest.mark.parametrize("large", [False, True])
def test_a_zip_that_states_an_enormous_directory_is_refused_before_it_is_read(large: bool) -> None:
    directory = photo_sources.DIRECTORY_BYTES_MAX + 1
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFF_FFFF if large else directory, 0, 0)
    if large:
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, directory, 0)
        end = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1) + end
    with pytest.raises(BadInput, match="expected at most"):
        of_zip(end)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\xff\xd8\xff" * 100, zipped({"1.jpg": b"-"})[:-1]])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="photos: not a readable zip"):
        of_zip(data)


def test_a_photo_whose_bytes_are_damaged_is_broken_and_the_others_are_not() -> None:
    data = zipped({"1.jpg": b"first", "2.jpg": b"second"}).replace(b"first", b"fIrst", 1)
    first, second = of_zip(data)
    with pytest.raises(PhotoBroken):
        first.read()
    assert second.read() == b"second"


def test_a_photo_that_would_unpack_without_bounds_is_not_unpacked() -> None:
    (photo,) = of_zip(zipped({"1.jpg": bytes(1000)}, zipfile.ZIP_LZMA))
    with pytest.raises(PhotoBroken):
        photo.read()


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        photos_of_folder(tmp_path / "none")


SOUND = zipped({"1.jpg": b"first" * 20, "deep/2.png": b"second"}, zipfile.ZIP_DEFLATED)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_to_a_zip_makes_more_of_it_than_a_refusal(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for place, value in changes:
        data[place] = value
    with suppress(BadInput):
        for photo in of_zip(bytes(data)):
            photo.read()
