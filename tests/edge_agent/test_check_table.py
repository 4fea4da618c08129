"""Checks as JSON lines and as a table for a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edge_agent.check_table import CSV_FIELDS, read_checks_jsonl, write_checks_csv, write_checks_jsonl
from renzheng.contracts import Reason, Verdict
from renzheng.errors import BadInput
from tests.edge_agent.builders import a_check, a_clip
from tests.edge_agent.sample_day import sample_day


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_csv_opens_in_a_spreadsheet_with_local_times_and_chinese_words(tmp_path: Path) -> None:
    check = a_check(clip=a_clip(), reasons=(Reason.INDEPENDENT_SAMPLES, Reason.OTHERS_NOT_ASSESSABLE))
    write_checks_csv([check], tmp_path / "checks.csv")
    assert (tmp_path / "checks.csv").read_bytes().startswith(b"\xef\xbb\xbfswipe_id,")
    (row,) = _rows(tmp_path / "checks.csv")
    assert row["swiped_at"] == "2026-05-01 12:00:00"
    assert row["window_start"] == "2026-05-01 11:59:54.000"
    assert (row["verdict"], row["verdict_zh"]) == ("match", "本人")
    assert row["reasons"] == "independent_samples others_not_assessable"
    assert row["reasons_zh"] == "多张相互独立的画面一致；另有人脸不清、无法比对"
    assert (row["score"], row["samples"], row["independent_samples"]) == ("0.6120", "3", "3")
    assert row["clip"] == "clips/S0001.mp4"


def test_no_checks_give_a_header_alone(tmp_path: Path) -> None:
    write_checks_csv([], tmp_path / "checks.csv")
    assert (tmp_path / "checks.csv").read_text("utf-8-sig").splitlines() == [",".join(CSV_FIELDS)]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝"])
def test_text_that_a_spreadsheet_would_run_is_neutralised(tmp_path: Path, start: str) -> None:
    evil = f'{start}HYPERLINK("file:x")'
    check = a_check(swipe_id=evil, psn_no=evil, fixmedins_code=evil, terminal_id=evil)
    write_checks_csv([check], tmp_path / "checks.csv")
    (row,) = _rows(tmp_path / "checks.csv")
    assert {row[name] for name in ("swipe_id", "psn_no", "fixmedins_code", "terminal_id")} == {f"'{evil}"}


def test_a_negative_score_stays_a_number(tmp_path: Path) -> None:
    write_checks_csv([a_check(Verdict.MISMATCH, score=-0.05)], tmp_path / "checks.csv")
    assert _rows(tmp_path / "checks.csv")[0]["score"] == "-0.0500"


def test_what_was_written_as_lines_is_read_back_the_same(tmp_path: Path) -> None:
    checks, _ = sample_day(tmp_path)
    write_checks_jsonl(checks, tmp_path / "checks.jsonl")
    assert read_checks_jsonl(tmp_path / "checks.jsonl") == checks
    assert len((tmp_path / "checks.jsonl").read_bytes().splitlines()) == len(checks)


def test_no_lines_are_no_checks(tmp_path: Path) -> None:
    write_checks_jsonl([], tmp_path / "checks.jsonl")
    assert read_checks_jsonl(tmp_path / "checks.jsonl") == []


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"swipe_id": "S', "JSON"),
        (b'{"swipe_id": "S1"}', "psn_no"),
        (b"\xff\xfe\x00", ""),
        (b"[]", ""),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path: Path, bad: bytes, problem: str) -> None:
    path = tmp_path / "checks.jsonl"
    path.write_bytes(a_check().model_dump_json().encode() + b"\n\n" + bad + b"\n")
    with pytest.raises(BadInput, match=r"checks\.jsonl, line 3: expected an identity check") as caught:
        read_checks_jsonl(path)
    assert problem in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: cannot be read"):
        read_checks_jsonl(tmp_path / "nowhere.jsonl")
