"""``renzheng server enrol-many`` and ``re-enrol``."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from renzheng.cli import run
from server.context import Server
from server.enrolment import service
from server.people import faces
from server.permissions import Role
from server.tables import FaceTemplate, InsuredPerson
from tests.server.conftest import HANGZHOU, House
from tests.server.enrolment.orders import ANNE, BO, person, table, zipped
from vision.pack import VisionPack


@pytest.fixture(autouse=True)
def settings(sqlite_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds the server of the test."""
    monkeypatch.setenv("RENZHENG_SERVER_DATA_DIR", str(sqlite_server.settings.data_dir))
    monkeypatch.setenv("RENZHENG_SERVER_KEY_RING", sqlite_server.keys.text())


@pytest.fixture
def files(tmp_path: Path, portraits: list[bytes]) -> tuple[Path, Path]:
    """A table of two with a folder that has photos of one."""
    rows, photos = tmp_path / "people.csv", tmp_path / "photos"
    rows.write_bytes(table(person(), person(BO)))
    photos.mkdir()
    (photos / f"{ANNE}.jpg").write_bytes(portraits[0])
    return rows, photos


def people(server: Server) -> int:
    with server.database.transaction(writes=False) as session:
        return session.scalar(select(func.count()).select_from(InsuredPerson)) or 0


def test_a_folder_of_photos_is_enrolled_and_refused_rows_are_told_in_both_languages(
    sqlite_server: Server, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.csv"

    code = run(["server", "enrol-many", str(files[0]), str(files[1]), "--report", str(report)])

    told = capsys.readouterr().out
    assert code == 1
    assert "line 3, photos: no photo" in told and "没有照片" in told
    assert "enrolled: 1" in told and "refused: 1" in told
    with report.open(encoding="utf-8-sig", newline="") as stream:
        assert [(row["row"], row["outcome"]) for row in csv.DictReader(stream)] == [("2", "enrolled"), ("3", "refused")]


def test_a_zip_is_enrolled_and_all_rows_that_are_taken_are_a_success(
    sqlite_server: Server, files: tuple[Path, Path], portraits: list[bytes], tmp_path: Path
) -> None:
    photos = tmp_path / "photos.zip"
    photos.write_bytes(zipped({f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]}))
    assert run(["server", "enrol-many", str(files[0]), str(photos)]) == 0
    assert people(sqlite_server) == 2


def test_a_dry_run_enrols_nobody(sqlite_server: Server, files: tuple[Path, Path]) -> None:
    assert run(["server", "enrol-many", str(files[0]), str(files[1]), "--dry-run"]) == 1
    assert people(sqlite_server) == 0


def test_a_user_enrols_in_their_district_alone(
    sqlite_house: House, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for role, login in ((Role.ENROLLER, "far"), (Role.REVIEWER, "looker")):
        sqlite_house.user(role, HANGZHOU, login)
    many = ["server", "enrol-many", str(files[0]), str(files[1]), "--user"]

    assert run([*many, "far"]) == 1
    assert "the district is outside of yours" in capsys.readouterr().out
    assert run([*many, "looker"]) == 2
    assert "does not allow enrolling" in capsys.readouterr().err
    assert run([*many, "nobody"]) == 2
    assert people(sqlite_house.server) == 0


@pytest.mark.parametrize("name", ["none.csv", "none.zip"])
def test_files_that_are_not_there_are_named(
    files: tuple[Path, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = files[0].with_name(name)
    given = [missing, files[1]] if name.endswith("csv") else [files[0], missing]
    assert run(["server", "enrol-many", *map(str, given)]) == 2
    assert f"{missing}: cannot be read" in capsys.readouterr().err


def test_a_command_that_is_stopped_goes_on_when_it_is_run_again(
    sqlite_server: Server,
    files: tuple[Path, Path],
    portraits: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (files[1] / f"{BO}.jpg").write_bytes(portraits[1])
    work_on: Callable[..., bool] = service.work_on

    def stopped(
        server: Server, order_id: str, given: object, enroller: object, stop: threading.Event, _: object
    ) -> bool:
        return work_on(server, order_id, given, enroller, stop, lambda _outcome: stop.set())

    with monkeypatch.context() as patched:
        patched.setattr(service, "work_on", stopped)
        assert run(["server", "enrol-many", *map(str, files)]) == 1
    assert "run the same command again" in capsys.readouterr().out
    assert people(sqlite_server) == 1
    assert run(["server", "enrol-many", *map(str, files)]) == 0
    assert people(sqlite_server) == 2


def test_everybody_is_enrolled_anew_and_the_old_templates_retired(
    sqlite_server: Server,
    files: tuple[Path, Path],
    pack: VisionPack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["server", "enrol-many", *map(str, files)])
    monkeypatch.setitem(faces._OPENED, "new", replace(pack, name="new", embedder_sha256="e" * 64))
    anew = ["server", "re-enrol", "--pack", "new"]

    assert run(anew) == 0
    assert "templates made: 1; photos without: 0" in capsys.readouterr().out
    assert run([*anew, "--retire-old"]) == 2
    assert "set the pack to new first" in capsys.readouterr().err
    monkeypatch.setenv("RENZHENG_SERVER_PACK", "new")
    assert run([*anew, "--retire-old"]) == 0
    with sqlite_server.database.transaction(writes=False) as session:
        in_use = select(FaceTemplate.pack).where(FaceTemplate.revoked_at.is_(None))
        assert session.scalars(in_use).all() == ["new"]


def test_photos_that_give_no_template_are_listed(
    sqlite_server: Server,
    files: tuple[Path, Path],
    pack: VisionPack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["server", "enrol-many", *map(str, files)])
    for key in list(sqlite_server.store.keys("photos/")):
        sqlite_server.store.delete(key)
    monkeypatch.setitem(faces._OPENED, "new", replace(pack, name="new", embedder_sha256="e" * 64))
    report = tmp_path / "failed.csv"

    assert run(["server", "re-enrol", "--pack", "new", "--report", str(report)]) == 1
    told = capsys.readouterr().out
    assert "photos without: 1" in told and "文件无法读取" in told
    assert "unreadable" in report.read_text(encoding="utf-8-sig")
