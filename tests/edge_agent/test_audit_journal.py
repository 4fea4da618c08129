"""What an audit finished: one writer at a time, lines of these inputs only, and nothing finished that lost a file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent import audit_journal
from edge_agent.audit_files import (
    CHECKS_NAME,
    JOURNAL_NAME,
    OWNED_FOLDERS,
    RESULT_NAMES,
    clip_of,
    crop_of,
    enrolled_portrait,
    still_of,
)
from edge_agent.audit_journal import Finished, Journal
from edge_agent.audit_lock import LOCK_NAME, sole_writer
from renzheng.contracts import IdentityCheck, Reason, Verdict
from renzheng.errors import BadInput
from renzheng.files import make_private, sha256_file
from tests.edge_agent.builders import a_check, a_clip, a_sample

DIGEST, OTHER = "d" * 64, "e" * 64


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def with_files(out: Path, swipe_id: str = "S1") -> IdentityCheck:
    """A check whose face, still, clip and enrolled portrait lie in the folder."""
    sample = a_sample()
    crop, still, clip = crop_of(swipe_id, 0, sample), still_of(swipe_id), clip_of(swipe_id)
    check = a_check(Verdict.MISMATCH, swipe_id=swipe_id)
    for path in (crop, still, clip, enrolled_portrait(check.psn_no)):
        make_private((out / path).parent)
        (out / path).write_bytes(f"{swipe_id}{path.suffix}".encode())
    kept = sample.model_copy(update={"crop": crop.as_posix()})
    reference = a_clip(clip.as_posix()).model_copy(update={"sha256": sha256_file(out / clip)})
    more = {"samples": (kept,), "still": still.as_posix(), "clip": reference, "reference_photos": 1}
    return check.model_copy(update=more)


def finish(out: Path, *swipe_ids: str, digest: str = DIGEST) -> list[IdentityCheck]:
    """An audit of these swipes, over and done with."""
    journal = Journal(out, digest)
    with journal.opened(replace=False):
        checks = [with_files(out, swipe_id) for swipe_id in swipe_ids]
        for check in checks:
            journal.add(Finished(check))
    return checks


def taken_up(out: Path, digest: str = DIGEST, *, replace: bool = False) -> set[str]:
    journal = Journal(out, digest)
    with journal.opened(replace=replace):
        return set(journal.finished)


# --- one writer -----------------------------------------------------------------------------------------------------


def test_a_second_audit_of_the_same_folder_is_refused_until_the_first_ends(out: Path) -> None:
    with Journal(out, DIGEST).opened(replace=False):
        with pytest.raises(BadInput, match=r"another audit is writing to .*out"):
            taken_up(out)
        with pytest.raises(BadInput, match=r"another audit is writing to"):
            taken_up(out, OTHER, replace=True)
    assert taken_up(out) == set()


def test_another_process_is_kept_out_too(out: Path) -> None:
    make_private(out)
    code = (
        "import pathlib, sys; from edge_agent.audit_lock import sole_writer\n"
        "with sole_writer(pathlib.Path(sys.argv[1])): pass"
    )
    with sole_writer(out):
        told = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=False)
    assert "another audit is writing to" in told.stderr
    assert subprocess.run([sys.executable, "-c", code, str(out)], check=False).returncode == 0


def test_an_error_lets_go_of_the_folder(out: Path) -> None:
    with pytest.raises(RuntimeError), Journal(out, DIGEST).opened(replace=False):
        raise RuntimeError("half way")
    assert taken_up(out) == set()
    assert not (out / LOCK_NAME).exists()


def test_the_lock_that_a_killed_audit_left_keeps_nobody_out(out: Path) -> None:
    make_private(out)
    (out / LOCK_NAME).touch()
    assert taken_up(out) == set()


def test_a_refused_folder_is_left_as_it_was(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="holds no audit"):
        taken_up(out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_a_new_output_folder_is_its_owners_alone(tmp_path: Path) -> None:
    taken_up(tmp_path / "a" / "out")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/out")} == {0o700}


# --- lines of these inputs only -------------------------------------------------------------------------------------


def test_a_line_of_other_inputs_does_not_count(out: Path) -> None:
    finish(out, "S1", "S2")
    journal = out / JOURNAL_NAME
    lines = journal.read_text("utf-8").splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"inputs": OTHER})
    journal.write_text("\n".join(lines) + "\n", "utf-8")
    assert taken_up(out) == {"S2"}


def test_half_a_last_line_does_not_count(out: Path) -> None:
    finish(out, "S1", "S2")
    journal = out / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes()[:-40])
    assert taken_up(out) == {"S1"}


@pytest.mark.parametrize("first", ["", '{"inpu', "\n", '{"inputs":\n'])
def test_a_journal_without_a_whole_first_line_is_begun_anew(out: Path, first: str) -> None:
    make_private(out / "faces")
    (out / JOURNAL_NAME).write_text(first)
    assert taken_up(out) == set()
    assert json.loads((out / JOURNAL_NAME).read_text()) == {"inputs": DIGEST}


def test_finished_swipes_under_a_broken_first_line_are_not_thrown_away(out: Path) -> None:
    finish(out, "S1")
    journal = out / JOURNAL_NAME
    journal.write_text("{\n" + journal.read_text("utf-8").partition("\n")[2], "utf-8")
    with pytest.raises(BadInput, match="other inputs"):
        taken_up(out)


def test_results_beside_an_empty_journal_are_not_thrown_away(out: Path) -> None:
    make_private(out)
    (out / JOURNAL_NAME).touch()
    (out / CHECKS_NAME).write_text("{}\n")
    with pytest.raises(BadInput, match="other inputs"):
        taken_up(out)
    assert (out / CHECKS_NAME).exists()


def test_a_check_that_an_error_stopped_is_made_again(out: Path) -> None:
    journal = Journal(out, DIGEST)
    with journal.opened(replace=False):
        journal.add(Finished(a_check(Verdict.NOT_ASSESSABLE, reasons=(Reason.UNREADABLE,), swipe_id="S1")))
    assert taken_up(out) == set()


# --- files that were lost -------------------------------------------------------------------------------------------


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [remove, empty])
@pytest.mark.parametrize("kind", ["crop", "still", "clip"])
def test_a_swipe_that_lost_a_file_is_done_again(out: Path, kind: str, spoil: Callable[[Path], None]) -> None:
    check, _ = finish(out, "S1", "S2")
    assert check.clip is not None
    paths = {"crop": check.samples[0].crop, "still": check.still, "clip": check.clip.path}
    spoil(out / str(paths[kind]))
    assert taken_up(out) == {"S2"}


def test_a_lost_portrait_has_every_swipe_of_its_person_done_again(out: Path) -> None:
    check, _ = finish(out, "S1", "S2")
    (out / enrolled_portrait(check.psn_no)).unlink()
    assert taken_up(out) == set()


def test_clips_that_nobody_touched_are_not_read_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = finish(out, "S1", "S2", "S3")
    times, bytes_changed = (check.clip for check in checks[:2])
    assert times
    assert bytes_changed
    os.utime(out / times.path, (1, 1))
    (out / bytes_changed.path).write_bytes(b"S2.mpX")
    os.utime(out / bytes_changed.path, (1, 1))
    read: list[str] = []
    monkeypatch.setattr(audit_journal, "sha256_file", lambda path: read.append(path.name) or sha256_file(path))
    assert taken_up(out) == {"S1", "S3"}
    assert read == ["S1.mp4", "S2.mp4"]


def test_what_a_kill_left_half_written_is_removed(out: Path) -> None:
    finish(out, "S1")
    parts = [
        out / "clips" / ".S2.4711.part.mp4",
        out / "faces" / "S2" / ".00-01.4711.part.jpg",
        out / ".report.7.part.html",
    ]
    for part in parts:
        make_private(part.parent)
        part.write_bytes(b"half")
    hidden = out / ".keep"
    hidden.touch()
    assert taken_up(out) == {"S1"}
    assert not [part for part in parts if part.exists()]
    assert hidden.exists()


# --- replacing ------------------------------------------------------------------------------------------------------


def test_replacing_removes_the_results_before_the_files_they_name(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(out, "S1")
    for name in RESULT_NAMES:
        (out / name).write_text("old")
    seen: list[list[str]] = []

    def killed(_folder: Path) -> None:
        seen.append(sorted(path.name for path in out.iterdir() if path.name != LOCK_NAME))
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_journal.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        taken_up(out, OTHER, replace=True)
    assert seen == [sorted([*OWNED_FOLDERS, JOURNAL_NAME])]
    monkeypatch.undo()
    with pytest.raises(BadInput, match="other inputs"):
        taken_up(out, OTHER)
    assert taken_up(out, OTHER, replace=True) == set()
    assert [path.name for path in out.iterdir()] == [JOURNAL_NAME]


def test_replacing_spares_folders_that_no_audit_made(out: Path) -> None:
    make_private(out / "faces")
    (out / "faces" / "family.jpg").touch()
    assert taken_up(out, replace=True) == set()
    assert (out / "faces" / "family.jpg").exists()
