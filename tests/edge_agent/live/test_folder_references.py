"""Folders of photos under a box that runs for months."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.edge_config import ReferencesConfig
from edge_agent.live import folder_references
from edge_agent.live.folder_references import LiveFolderReferences
from renzheng.errors import BadInput
from tests.vision.remembering import remembering
from vision.pack import VisionPack

NOW = datetime(2026, 5, 1, tzinfo=UTC)
Open = Callable[..., LiveFolderReferences]


@pytest.fixture
def gallery(tmp_path: Path, faces_dir: Path) -> Path:
    shutil.copytree(faces_dir / "bbt" / "raj", tmp_path / "gallery" / "raj")
    return tmp_path / "gallery"


@pytest.fixture
def open_folders(gallery: Path, pack: VisionPack) -> Open:
    return lambda **more: LiveFolderReferences(remembering(pack), ReferencesConfig(gallery=gallery, **more))


def later(path: Path) -> None:
    """Let the file system's clock be seen to move."""
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


def test_somebody_who_is_enrolled_while_it_runs_is_known_at_the_next_swipe(
    open_folders: Open, gallery: Path, faces_dir: Path
) -> None:
    references = open_folders()
    assert references.references_for("howard", NOW).holder is None
    shutil.copytree(faces_dir / "bbt" / "howard", gallery / "howard")
    later(gallery)
    holder = references.references_for("howard", NOW).holder
    assert holder is not None and len(holder.templates)
    assert holder.portrait_bgr is None


def test_new_photos_of_somebody_are_noticed_and_old_ones_are_not_enrolled_again(
    open_folders: Open, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = open_folders()
    first = references.references_for("raj", NOW).holder
    assert first is not None and references.references_for("raj", NOW).holder is first
    photo = sorted((gallery / "raj").iterdir())[0]
    shutil.copyfile(photo, gallery / "raj" / "again.jpg")
    again = references.references_for("raj", NOW).holder
    assert again is not None and len(again.templates) == len(first.templates) + 1


def test_refused_photos_are_told_once_without_saying_whose(
    open_folders: Open, gallery: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (gallery / "raj" / "notes.jpg").write_text("not a picture", encoding="utf-8")
    references = open_folders()
    for _ in range(3):
        references.references_for("raj", NOW)
    assert len(caplog.records) == 1
    assert "raj" not in str(vars(caplog.records[0]))
    assert references.refusals == []


def test_a_folder_that_cannot_be_listed_is_told_without_saying_whose(
    open_folders: Open, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references, scandir = open_folders(), os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "raj":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(BadInput, match="cannot be listed") as caught:
        references.references_for("raj", NOW)
    assert "raj" not in str(caught.value)
    assert caught.value.__suppress_context__  # a traceback would name the folder


def test_an_agents_table_that_breaks_does_not_replace_the_one_before(open_folders: Open, tmp_path: Path) -> None:
    table = tmp_path / "agents.csv"
    table.write_text("psn_no,agent_psn_no,valid_from,valid_to\nraj,penny,2020-01-01,2030-01-01\n", encoding="utf-8")
    references = open_folders(agents=table)
    assert references.references_for("raj", NOW).agents_without_photo == 1
    table.write_text("something else\n1\n", encoding="utf-8")
    later(table)
    assert references.references_for("raj", NOW).agents_without_photo == 1


def test_only_so_many_people_are_kept(open_folders: Open, gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_references, "PEOPLE_KEPT", 3)
    for number in range(6):
        (gallery / f"p{number}").mkdir()
    references = open_folders()
    for number in range(6):
        references.references_for(f"p{number}", NOW)
    assert len(references._kept) == 3
