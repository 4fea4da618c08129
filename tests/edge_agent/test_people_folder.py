"""The folder of photos: what is listed, and that no person number leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.people_folder import PeopleFolder
from renzheng.errors import BadInput


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    folder = tmp_path / "gallery"
    photos = ("b.jpg", "a.PNG", "c.webp", "d.jpeg")
    others = ("notes.txt", ".hidden.jpg", "deeper/e.jpg")
    for name in (*(f"330001/{n}" for n in photos + others), "王 #2;x/1.jpg", ".trash/1.jpg", "loose.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"photo")
    (folder / "empty").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.jpg").write_bytes(b"secret")
    return folder


def test_people_and_photos_are_listed_in_order(gallery: Path) -> None:
    people = PeopleFolder(gallery)

    assert people.person_ids() == ("330001", "empty", "王 #2;x")
    assert [photo.name for photo in people.photos("330001")] == ["a.PNG", "b.jpg", "c.webp", "d.jpeg"]
    assert [photo.name for photo in people.photos("王 #2;x")] == ["1.jpg"]
    assert people.photos("empty") == ()
    assert people.photos("unknown") == ()
    assert "330001" in people
    assert "unknown" not in people


def test_no_person_number_leads_out_of_the_folder(gallery: Path) -> None:
    people = PeopleFolder(gallery)

    for number in ("../outside", "..", ".", "", "/", str(gallery.parent / "outside"), "330001/deeper", "330001/",
                   "./330001", "..\\outside", ".trash", "330001\0"):  # fmt: skip
        assert people.photos(number) == (), number


@given(st.text())
def test_any_text_is_a_person_number_that_can_be_asked_for(number: str) -> None:
    people = PeopleFolder(Path(__file__).parent)

    assert all(photo.is_relative_to(Path(__file__).parent) for photo in people.photos(number))


def test_links_are_followed_inside_the_folder_and_ignored_where_they_leave_it(gallery: Path) -> None:
    (gallery / "escaped").symlink_to(gallery.parent / "outside")
    (gallery / "empty" / "out.jpg").symlink_to(gallery.parent / "outside" / "1.jpg")
    (gallery / "empty" / "gone.jpg").symlink_to(gallery / "nowhere.jpg")
    (gallery / "empty" / "in.jpg").symlink_to(gallery / "330001" / "b.jpg")
    (gallery / "round").symlink_to(gallery / "round")

    people = PeopleFolder(gallery)

    assert people.person_ids() == ("330001", "empty", "王 #2;x")
    assert [photo.name for photo in people.photos("empty")] == ["in.jpg"]


def test_the_folder_itself_may_be_a_link(gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(gallery)

    assert len(PeopleFolder(tmp_path / "link").photos("330001")) == 4


def test_a_link_to_a_person_inside_the_folder_is_one_more_name_of_theirs(gallery: Path) -> None:
    (gallery / "330001-old").symlink_to("330001")

    assert [photo.name for photo in PeopleFolder(gallery).photos("330001-old")] == [
        "a.PNG", "b.jpg", "c.webp", "d.jpeg"
    ]  # fmt: skip


def test_only_links_are_resolved_when_a_folder_is_listed(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[Path] = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path, strict=False: resolved.append(path) or resolve(path, strict))
    (gallery / "escaped").symlink_to(gallery.parent / "outside")

    PeopleFolder(gallery).photos("330001")

    assert resolved == [gallery, gallery / "escaped"]


def test_a_missing_folder_and_a_file_in_its_place_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(BadInput, match="gallery: no such folder"):
        PeopleFolder(tmp_path / "gallery")
    with pytest.raises(BadInput, match="file: expected a folder"):
        PeopleFolder(tmp_path / "file")
