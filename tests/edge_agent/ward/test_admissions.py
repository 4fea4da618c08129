"""Who is in which bed at a time, and that doubt about it names nobody."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.ward.admissions import CurrentAdmissions, Patient, read_admissions
from renzheng.clock import SHANGHAI
from renzheng.errors import BadInput

HEADER = "ipt_no,psn_no,adm_bed,begntime,endtime\n"
ROWS = (
    "I1,3302810001,301-1,2026-04-20 09:00:00,2026-04-28 10:30:00\n"
    "I2,3302810002,301-1,2026-04-28 14:00:00,\n"
    "I3,3302810003,301-2,2026/4/30 8:05:00,\n"
)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, minute, tzinfo=SHANGHAI)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "admissions.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("bed_id", "moment", "patient"),
    [
        ("301-1", at(20, 9), Patient("3302810001", "I1")),
        ("301-1", at(28, 10, 29), Patient("3302810001", "I1")),
        ("301-1", at(28, 10, 30), None),
        ("301-1", at(28, 14), Patient("3302810002", "I2")),
        ("301-2", at(30, 8, 4), None),
        ("301-2", at(30, 8, 5), Patient("3302810003", "I3")),
        ("301-9", at(30, 8, 5), None),
    ],
)
def test_a_bed_holds_its_patient_from_admission_until_discharge(
    table: Path, bed_id: str, moment: datetime, patient: Patient | None
) -> None:
    assert read_admissions(table).patient_in(bed_id, moment) == patient


def test_a_bed_that_two_are_admitted_to_names_nobody(table: Path) -> None:
    with table.open("a", encoding="utf-8") as out:
        out.write("I4,3302810004,301-2,2026-04-30 12:00:00,\n")
    assert read_admissions(table).patient_in("301-2", at(30, 11)) == Patient("3302810003", "I3")
    assert read_admissions(table).patient_in("301-2", at(30, 13)) is None


def test_a_patient_admitted_twice_to_one_bed_is_one_patient(table: Path) -> None:
    with table.open("a", encoding="utf-8") as out:
        out.write("I5,3302810003,301-2,2026-04-30 12:00:00,\n")
    patient = read_admissions(table).patient_in("301-2", at(30, 13))
    assert patient is not None and patient.psn_no == "3302810003"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("I9,3.30E+18,301-3,2026-04-30 12:00:00,", "psn_no: expected the number in full"),
        ("I9,33028,301-3,2026-04-30,", "begntime: expected a time with seconds"),
        ("I9,33028,,2026-04-30 12:00:00,", "adm_bed: expected a value"),
        ("I9,33028,301-3,2026-04-30 12:00:00,2026-04-30 12:00:00", "endtime: expected a time after"),
    ],
)
def test_a_bad_row_is_named_and_no_list_is_used_without_it(table: Path, row: str, said: str) -> None:
    table.write_text(HEADER + ROWS + row + "\n", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_admissions(table)
    assert f"line 5, {said}" in str(refused.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "admissions.csv"
    path.write_text("ipt_no,psn_no\nI1,P1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="missing columns adm_bed, begntime, endtime"):
        read_admissions(path)


def test_a_list_without_rows_is_a_ward_without_patients(tmp_path: Path) -> None:
    path = tmp_path / "admissions.csv"
    path.write_text(HEADER, encoding="utf-8")
    assert read_admissions(path).patient_in("301-1", at(20, 9)) is None


def renew(path: Path, text: str, age_s: int) -> None:
    """Write anew, with a time stamp of its own whatever the file system's grain."""
    path.write_text(text, encoding="utf-8")
    moment = (datetime.now() - timedelta(seconds=age_s)).timestamp()
    os.utime(path, (moment, moment))


def test_a_list_that_changes_is_read_again(table: Path) -> None:
    current = CurrentAdmissions(table)
    assert current.patient_in("301-2", at(30, 9)) == Patient("3302810003", "I3")
    renew(table, HEADER + ROWS.replace("I3,3302810003", "I3,3302810009"), 50)
    assert current.patient_in("301-2", at(30, 9)) == Patient("3302810009", "I3")


def test_while_a_list_cannot_be_used_nobody_is_named_and_no_log_holds_a_number(
    table: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current = CurrentAdmissions(table)
    assert current.patient_in("301-2", at(30, 9)) is not None
    with caplog.at_level(logging.WARNING):
        renew(table, HEADER + ROWS + "I9,3302810008,301-3,soon,\n", 40)
        assert current.patient_in("301-2", at(30, 9)) is None
        table.unlink()
        assert current.patient_in("301-2", at(30, 9)) is None
    assert len(caplog.records) == 2
    assert "33028" not in caplog.text
    renew(table, HEADER + ROWS, 30)
    assert current.patient_in("301-2", at(30, 9)) is not None
