"""``renzheng server import``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from renzheng.errors import BadInput
from server.commands import app
from server.errors import Forbidden, NotFound
from server.permissions import Role
from server.settlements.commands import REJECTED
from server.tables import Settlement, SettlementImport
from tests.server.conftest import HANGZHOU, KEYS, House
from tests.server.settlements.files import csv_of, everything, settlement


@pytest.fixture(autouse=True)
def environment(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_SERVER_DATA_DIR", str(sqlite_house.server.settings.data_dir))
    monkeypatch.setenv("RENZHENG_SERVER_KEY_RING", KEYS.text())


def run(*words: str | Path) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["import", *map(str, words)])
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return told.exit_code, told.output


def test_a_file_is_imported_and_its_rejected_rows_are_told(sqlite_house: House, tmp_path: Path) -> None:
    file, report = tmp_path / "五月.csv", tmp_path / "rejected.csv"
    file.write_bytes(csv_of(settlement(), settlement(setl_id="S2", psn_no=""), encoding="gb18030"))
    status, told = run("settlements", file, "--rejected", report)
    assert status == REJECTED
    assert "五月.csv: 2 rows: 1 added, 0 changed, 0 unchanged, 1 rejected" in told
    assert "row 3, psn_no: expected a value, found none" in told
    assert report.read_text("utf-8-sig").splitlines()[1] == '3,psn_no,"expected a value, found none"'
    assert len(everything(sqlite_house.server, Settlement)) == 1
    file.write_bytes(csv_of(settlement(medfee_sumamt="31.00")))
    status, told = run("settlements", file)
    assert status == 0
    assert "1 changed" in told
    assert "1 × amounts_do_not_add_up: the parts do not make up the total 分项金额与总额不符" in told


def test_it_is_done_in_the_name_and_the_district_of_a_user(sqlite_house: House, tmp_path: Path) -> None:
    sqlite_house.user(Role.ADMIN, HANGZHOU, "li.na")
    file = tmp_path / "may.csv"
    file.write_bytes(csv_of(settlement()))
    assert run("settlements", file, "--user", "li.na")[0] == REJECTED
    (told,) = everything(sqlite_house.server, SettlementImport)
    assert (told.district_code, told.started_by != "server") == (HANGZHOU, True)


def test_who_may_not_import_may_not_here_either(sqlite_house: House, tmp_path: Path) -> None:
    sqlite_house.user(Role.REVIEWER, None, "wang.fang")
    file = tmp_path / "may.csv"
    file.write_bytes(csv_of(settlement()))
    with pytest.raises(Forbidden, match=r"wang\.fang"):
        run("settlements", file, "--user", "wang.fang")
    with pytest.raises(NotFound, match="there is no user nobody"):
        run("settlements", file, "--user", "nobody")


def test_a_file_that_is_not_there_or_no_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.csv: cannot be read"):
        run("settlements", tmp_path / "none.csv")
    file = tmp_path / "empty.csv"
    file.touch()
    with pytest.raises(BadInput, match=r"empty\.csv: the file is empty"):
        run("items", file)
