"""The audit as a whole: real people in real video, the real pack, every file it leaves behind."""

from __future__ import annotations

import csv
import errno
import json
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from edge_agent import audit_counter
from edge_agent.audit import AuditResult, run_audit
from edge_agent.audit_inputs import AuditOptions
from edge_agent.audit_journal import JOURNAL_NAME
from edge_agent.check_table import read_checks_jsonl
from edge_agent.counter import CheckedSwipe, check_swipe
from edge_agent.kept_files import KeptFiles
from edge_agent.recorded import RecordedTimeline
from renzheng.cli import run
from renzheng.clock import local_text
from renzheng.contracts import FLAGGED, IdentityCheck, Reason, Swipe, TrackRole, Verdict
from renzheng.errors import BadInput, StorageFull
from renzheng.files import sha256_file
from tests.edge_agent.scene_clip import CLIP_NAME, START, Act, Coding, blurred, compose, middles
from vision.recompute import recompute

ACTS = (Act(), Act("bbt4"), Act(), Act("turned away"), Act("bbt4", spoil=blurred(6)), Act())
EMPTY, CROWD, _, TURNED, BLURRED, _ = middles(ACTS)
HEADER = ["setl_id", "psn_no", "fixmedins_code", "terminal_id", "setl_time"]
SWIPES = [
    ("S6", "unknown", CROWD + 0.5),
    ("S1", "raj", EMPTY),
    ("S2", "sheldon", CROWD),
    ("S3", "howard", CROWD + 0.1),
    ("S4", "penny", TURNED),
    ("S5", "amy", BLURRED),
    ("S7", "raj", 500.0),
]
TRUTH = {
    "S1": (Verdict.HOLDER_ABSENT, Reason.NOBODY_SEEN),
    "S2": (Verdict.MATCH, Reason.INDEPENDENT_SAMPLES),
    "S3": (Verdict.MISMATCH, Reason.EVERY_FACE_DIFFERS),
    "S4": (Verdict.NOT_ASSESSABLE, Reason.SOMEONE_WITHOUT_FACE),
    "S5": (Verdict.NOT_ASSESSABLE, None),
    "S6": (Verdict.NOT_ENROLLED, Reason.PERSON_UNKNOWN),
    "S7": (Verdict.NOT_ASSESSABLE, Reason.NO_FOOTAGE),
}
RESULTS = ("checks.jsonl", "checks.csv", "report.html")


def write_swipes(path: Path, swipes: Sequence[tuple[str, str, float]], start: datetime = START) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(HEADER)
        for setl_id, psn_no, second in swipes:
            moment = local_text(start + timedelta(seconds=second), milliseconds=True)
            table.writerow([setl_id, psn_no, "P33028100001", "T01", moment])
    return path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, faces_dir: Path, thresholds: str) -> AuditOptions:
    """One recording, its swipes, and photos of whom they name, two of them useless."""
    folder = tmp_path_factory.mktemp("day")
    compose(folder / CLIP_NAME, ACTS, faces_dir / "scenes")
    for person in ("raj", "sheldon", "howard", "penny", "amy"):
        shutil.copytree(faces_dir / "bbt" / person, folder / "gallery" / person)
    (folder / "gallery" / "raj" / "notes.jpg").write_text("not a picture", encoding="utf-8")
    shutil.copyfile(faces_dir / "scenes" / "bbt4.jpg", folder / "gallery" / "raj" / "group.jpg")
    swipes = write_swipes(folder / "swipes.csv", SWIPES)
    return AuditOptions(
        recordings=[folder / CLIP_NAME],
        swipes=swipes,
        gallery=folder / "gallery",
        out=folder / "out",
        before_s=3.0,
        after_s=3.0,
        usual_minutes=0.0,
        thresholds=thresholds,
    )


@pytest.fixture(scope="module")
def done(day: AuditOptions) -> AuditResult:
    """The day, audited once."""
    return run_audit(day)


def files_of(out: Path) -> dict[str, str]:
    """Digest of everything that must not differ from run to run."""
    paths = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(out)): sha256_file(path) for path in paths if path.name not in ("run.json", JOURNAL_NAME)
    }


def by_id(result: AuditResult) -> dict[str, IdentityCheck]:
    return {check.swipe_id: check for check in result.checks}


def fewer(day: AuditOptions, folder: Path, *swipe_ids: str) -> AuditOptions:
    """The same audit of some of the swipes, into a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    swipes = write_swipes(folder / "swipes.csv", [swipe for swipe in SWIPES if swipe[0] in swipe_ids])
    return replace(day, swipes=swipes, out=folder / "out")


# --- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swipe_id", TRUTH)
def test_each_swipe_gets_its_true_verdict(done: AuditResult, swipe_id: str) -> None:
    check, (verdict, reason) = by_id(done)[swipe_id], TRUTH[swipe_id]
    assert check.verdict is verdict, (check.reasons, check.tracks)
    assert reason is None or reason in check.reasons


def test_checks_are_in_order_of_swipe_time_whatever_the_order_of_the_list(day: AuditOptions, done: AuditResult) -> None:
    stored = list(read_checks_jsonl(day.out / "checks.jsonl"))
    assert [check.swipe_id for check in stored] == ["S1", "S2", "S3", "S6", "S4", "S5", "S7"]
    assert stored == list(done.checks)
    assert [json.loads(line)["swipe_id"] for line in (day.out / "checks.jsonl").read_text("utf-8").splitlines()] == [
        check.swipe_id for check in stored
    ]


def test_every_stored_check_gives_its_verdict_again(done: AuditResult) -> None:
    for check in done.checks:
        again = recompute(check)
        assert (again.verdict, again.reasons) == (check.verdict, check.reasons)


@pytest.mark.parametrize("swipe_id", TRUTH)
def test_explain_agrees_with_every_check(
    day: AuditOptions, done: AuditResult, swipe_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", str(day.out / "checks.jsonl"), swipe_id, "--lang", "en"]) == 0
    assert "Recomputed: agrees" in capsys.readouterr().out


def test_a_swipe_that_goes_well_costs_less_than_one_in_doubt(done: AuditResult) -> None:
    checks = by_id(done)
    assert checks["S2"].coverage.frames_looked < checks["S3"].coverage.frames_looked
    assert checks["S3"].coverage.searched_share > 0.95
    assert checks["S6"].coverage.frames_looked == 0


def test_an_exhaustive_audit_agrees(day: AuditOptions, done: AuditResult, tmp_path: Path) -> None:
    options = replace(fewer(day, tmp_path, "S1", "S2", "S3"), exhaustive=True, clips="none")
    result = run_audit(options)
    assert {c.swipe_id: c.verdict for c in result.checks} == {n: by_id(done)[n].verdict for n in ("S1", "S2", "S3")}
    assert all(check.coverage.searched_share > 0.95 for check in result.checks)


# --- what lies in the output folder ----------------------------------------------------------------------------------


def test_clips_have_the_digests_their_checks_say(day: AuditOptions, done: AuditResult) -> None:
    for check in done.checks:
        if check.swipe_id == "S7":
            assert check.clip is None
            continue
        assert check.clip is not None, check.swipe_id
        assert sha256_file(day.out / check.clip.path) == check.clip.sha256
        assert check.clip.start <= check.window_start
        assert check.clip.end >= check.window_end - timedelta(seconds=0.2)
        assert check.clip.source == (CLIP_NAME,)


def test_only_faces_that_the_verdict_rests_on_keep_their_picture(day: AuditOptions, done: AuditResult) -> None:
    kept: set[Path] = set()
    for check in done.checks:
        found = check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH)
        roles = {track.track: track.role for track in check.tracks}
        for sample in check.samples:
            role = roles[sample.track]
            wanted = role in (TrackRole.HOLDER, TrackRole.AGENT) if found else role is not TrackRole.OUTSIDE
            assert (sample.crop is not None) == wanted, (check.swipe_id, role)
            kept |= {day.out / sample.crop} if sample.crop else set()
    faces = {path for path in (day.out / "faces").rglob("*.jpg") if path.parent.name != "enrolled"}
    assert kept == faces
    assert any(sample.crop is None for sample in by_id(done)["S2"].samples)


def test_nobody_but_the_owner_enters_the_output(day: AuditOptions, done: AuditResult) -> None:
    folders = [day.out, *(path for path in day.out.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert not list(day.out.rglob(".*"))


def test_refused_photos_show_up_in_the_report(day: AuditOptions, done: AuditResult) -> None:
    report = done.report.read_text(encoding="utf-8")
    assert "notes.jpg" in report
    assert "group.jpg" in report
    assert by_id(done)["S1"].reference_photos == 5


def test_another_folder_gets_the_same_bytes(day: AuditOptions, done: AuditResult, tmp_path: Path) -> None:
    run_audit(replace(day, out=tmp_path / "elsewhere"))
    assert files_of(tmp_path / "elsewhere") == files_of(day.out)


def test_two_workers_give_the_same_bytes(day: AuditOptions, done: AuditResult, tmp_path: Path) -> None:
    run_audit(replace(day, out=tmp_path / "out", jobs=2))
    assert files_of(tmp_path / "out") == files_of(day.out)


@pytest.mark.parametrize("clips", ["flagged", "none"])
def test_only_the_clips_that_were_asked_for_are_kept(
    day: AuditOptions, tmp_path: Path, clips: str, done: AuditResult
) -> None:
    options = replace(fewer(day, tmp_path, "S1", "S2"), clips=clips)
    result = run_audit(options)
    kept = {check.swipe_id for check in result.checks if check.clip}
    assert kept == {check.swipe_id for check in result.checks if clips == "flagged" and check.verdict in FLAGGED}
    assert {path.stem for path in (options.out / "clips").glob("*")} == kept


# --- again, and after a kill -----------------------------------------------------------------------------------------


def test_a_finished_audit_is_taken_up_whole(day: AuditOptions, tmp_path: Path, done: AuditResult) -> None:
    options = fewer(day, tmp_path, "S2", "S6", "S7")
    first = run_audit(options)
    before = files_of(options.out)
    seen: list[tuple[int, int]] = []
    second = run_audit(options, lambda count, total: seen.append((count, total)))
    assert (first.resumed, second.resumed) == (0, 3)
    assert seen == [(3, 3)]
    assert second.checks == first.checks
    assert files_of(options.out) == before


def test_a_killed_audit_goes_on_where_it_stopped(day: AuditOptions, done: AuditResult, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "renzheng", *command_line(replace(day, out=out))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = out / JOURNAL_NAME
    wait_for(lambda: (journal.is_file() and journal.read_bytes().count(b"\n") >= 2) or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the audit was over before it could be killed"
    kept = journal.read_bytes().rpartition(b"\n")[0]
    with journal.open("ab") as stream:
        stream.write(b'{"check": {"half a li')
    result = run_audit(replace(day, out=out))
    assert result.resumed == kept.count(b"\n")
    assert journal.read_bytes().startswith(kept)
    assert files_of(out) == files_of(day.out)


def test_a_finished_swipe_whose_clip_was_lost_is_checked_again(
    day: AuditOptions, tmp_path: Path, done: AuditResult
) -> None:
    options = fewer(day, tmp_path, "S2", "S6")
    first = run_audit(options)
    told = by_id(first)["S2"].clip
    assert told is not None
    clip = options.out / told.path
    clip.write_bytes(b"")
    again = run_audit(options)
    assert again.resumed == 1
    assert by_id(again)["S2"] == by_id(first)["S2"]
    assert clip.stat().st_size > 0


def test_results_of_other_inputs_are_not_overwritten_unasked(
    day: AuditOptions, tmp_path: Path, done: AuditResult
) -> None:
    options = fewer(day, tmp_path, "S6")
    run_audit(options)
    with pytest.raises(BadInput, match=r"other inputs.*--replace"):
        run_audit(replace(options, before_s=2.0))
    assert run_audit(replace(options, before_s=2.0, replace=True)).resumed == 0


def test_a_folder_that_holds_something_else_is_left_alone(day: AuditOptions, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(BadInput, match="holds no audit"):
        run_audit(replace(day, out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_loses_nothing_that_was_finished(
    day: AuditOptions, done: AuditResult, tmp_path: Path, small_disk: Callable[[str], Path]
) -> None:
    options = fewer(day, tmp_path, "S1", "S2", "S3")
    clip_bytes = (day.out / "clips" / "S1.mp4").stat().st_size
    disk = small_disk(f"{(clip_bytes * 3 // 2 + 200_000) // 1024}k")
    with pytest.raises(StorageFull, match=str(disk)) as caught:
        run_audit(replace(options, out=disk / "out"))
    assert caught.value.exit_code == 4
    kept = (disk / "out" / JOURNAL_NAME).read_bytes()
    assert kept.count(b"\n") == 2
    assert not list((disk / "out").rglob("*.part*"))
    small_disk("64m")
    result = run_audit(replace(options, out=disk / "out"))
    assert result.resumed == 1
    assert {c.swipe_id: c.clip for c in result.checks} == {n: by_id(done)[n].clip for n in ("S1", "S2", "S3")}
    assert result.checks == tuple(by_id(done)[check.swipe_id] for check in result.checks)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of the given size; asked again, the same disk with another size."""
    place = tmp_path / "disk"

    def sized(size: str) -> Path:
        how = "remount," if place.exists() else ""
        place.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "renzheng-test", str(place)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a small disk cannot be mounted here: {error}")
        return place

    yield sized
    subprocess.run(["umount", str(place)], check=False, capture_output=True)


# --- an error in one swipe, and a private zone ----------------------------------------------------------------------


def stop_on(monkeypatch: pytest.MonkeyPatch, psn_no: str, error: Exception) -> None:
    """Have the check of one person's swipe stopped by an error."""

    def check(swipe: Swipe, *more: Any) -> CheckedSwipe:
        if swipe.psn_no == psn_no:
            raise error
        return check_swipe(swipe, *more)

    monkeypatch.setattr(audit_counter, "check_swipe", check)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), OSError(errno.EIO, "broken"), av.error.InvalidDataError(1, "bad")]
)
def test_an_error_in_one_swipe_makes_that_one_not_assessable_and_the_audit_goes_on(
    day: AuditOptions, tmp_path: Path, done: AuditResult, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    options = fewer(day, tmp_path, "S1", "S2")
    stop_on(monkeypatch, "sheldon", error)
    result = run_audit(options)
    assert by_id(result)["S1"] == by_id(done)["S1"]
    stopped = by_id(result)["S2"]
    assert (stopped.verdict, stopped.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.UNREADABLE,))
    assert any(w.startswith("S2: not assessable") and type(error).__name__ in w for w in result.warnings)
    assert run(["explain", str(options.out / "checks.jsonl"), "S2"]) == 0
    monkeypatch.undo()
    again = run_audit(options)
    assert again.resumed == 1
    assert by_id(again)["S2"] == by_id(done)["S2"]


def test_faces_written_before_an_error_do_not_stay_behind(
    day: AuditOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no still")

    monkeypatch.setattr(KeptFiles, "keep_still", broken)
    options = fewer(day, tmp_path, "S3")
    assert run_audit(options).checks[0].reasons == (Reason.UNREADABLE,)
    assert [path.name for path in (options.out / "faces").rglob("*.jpg")] == ["howard.jpg"]


def test_an_error_that_says_the_disk_is_full_stops_the_audit(
    day: AuditOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_on(monkeypatch, "sheldon", OSError(errno.ENOSPC, "full"))
    with pytest.raises(StorageFull):
        run_audit(fewer(day, tmp_path, "S2"))


def test_a_clip_that_cannot_be_cut_costs_the_clip_and_not_the_verdict(
    day: AuditOptions, tmp_path: Path, done: AuditResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(RecordedTimeline, "cut", broken)
    result = run_audit(fewer(day, tmp_path, "S2"))
    assert (result.checks[0].verdict, result.checks[0].clip) == (Verdict.MATCH, None)
    assert any(w.startswith("S2: no clip: OSError") for w in result.warnings)


def test_what_a_private_zone_hides_is_in_no_clip_face_or_still(
    day: AuditOptions, done: AuditResult, tmp_path: Path
) -> None:
    zones = tmp_path / "zones.toml"
    zones.write_text(
        '[[zone]]\nkind = "private"\nname = "toilet"\npolygon = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]\n'
    )
    options = replace(fewer(day, tmp_path, "S3"), zones=zones)
    check = run_audit(options).checks[0]
    assert check.clip is not None
    assert check.clip.masked
    assert not any(other.clip.masked for other in done.checks if other.clip)
    assert sha256_file(options.out / check.clip.path) == check.clip.sha256
    assert abs((check.clip.start - check.window_start).total_seconds()) < 0.11
    assert abs((check.clip.end - check.window_end).total_seconds()) < 0.11
    with av.open(str(options.out / check.clip.path)) as container:
        shown = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(shown) in (60, 61)
    assert max(int(picture[:, 490:].max()) for picture in shown) <= 4
    assert min(float(picture[:, :470].mean()) for picture in shown) > 40
    for sample in check.samples:
        assert sample.box_xyxy[0] < 480
    assert check.samples
    assert check.still
    still = cv2.imread(str(options.out / check.still))
    assert still is not None
    assert float(still[:, still.shape[1] * 52 // 100 :].mean()) < 2


# --- other recordings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "coding",
    [
        Coding("libx265", {"preset": "ultrafast", "crf": "24", "x265-params": "log-level=0:pools=1"}),
        Coding(rotation=90),
    ],
    ids=["h265", "rotated"],
)
def test_a_recording_of_another_kind_is_audited(
    day: AuditOptions, faces_dir: Path, tmp_path: Path, coding: Coding
) -> None:
    path = compose(tmp_path / CLIP_NAME, [Act("bbt4", 6.0)], faces_dir / "scenes", coding)
    swipes = write_swipes(tmp_path / "swipes.csv", [("S1", "sheldon", 3.0), ("S2", "howard", 3.0)])
    result = run_audit(replace(day, recordings=[path], swipes=swipes, out=tmp_path / "out"))
    assert [check.verdict for check in result.checks] == [Verdict.MATCH, Verdict.MISMATCH]
    assert all(check.clip for check in result.checks)


def test_a_window_may_reach_over_two_files(day: AuditOptions, faces_dir: Path, tmp_path: Path) -> None:
    first = compose(tmp_path / CLIP_NAME, [Act("bbt4", 4.0)], faces_dir / "scenes")
    second = compose(tmp_path / "20260501T090004+0800.mp4", [Act("bbt4", 4.0)], faces_dir / "scenes")
    swipes = write_swipes(tmp_path / "swipes.csv", [("S1", "howard", 4.0)])
    result = run_audit(replace(day, recordings=[second, first], swipes=swipes, out=tmp_path / "out"))
    check = result.checks[0]
    assert check.verdict is Verdict.MISMATCH
    assert check.coverage.recorded_share == 1.0
    assert check.coverage.searched_share > 0.95
    assert check.clip is not None
    assert check.clip.source == (first.name, second.name)


def test_all_bad_recordings_are_told_at_once(day: AuditOptions, tmp_path: Path) -> None:
    bad = bad_recordings(tmp_path)
    with pytest.raises(BadInput) as caught:
        run_audit(replace(day, recordings=[*bad, *day.recordings], out=tmp_path / "out"))
    message = str(caught.value)
    assert message.startswith("3 of 4 recordings cannot be used:")
    assert all(str(path) in message for path in bad)
    assert "no such recording" in message
    assert "is empty" in message
    assert "--skip-bad-recordings" in message
    assert not (tmp_path / "out").exists()


def test_bad_recordings_can_be_left_out_and_are_told_in_the_report(
    day: AuditOptions, done: AuditResult, tmp_path: Path
) -> None:
    bad = bad_recordings(tmp_path)
    options = fewer(day, tmp_path, "S2", "S7")
    result = run_audit(replace(options, recordings=[*bad, *day.recordings], skip_bad_recordings=True))
    assert [(c.verdict, c.reasons) for c in result.checks] == [true_of("S2"), true_of("S7")]
    report = result.report.read_text(encoding="utf-8")
    for path in bad:
        assert path.name in report
        assert any(path.name in warning for warning in result.warnings)


def test_a_file_without_a_time_is_never_shifted_by_a_bad_one_before_it(
    day: AuditOptions, done: AuditResult, tmp_path: Path
) -> None:
    nameless = tmp_path / "second.mp4"
    shutil.copyfile(day.recordings[0], nameless)
    (tmp_path / "20260501T080000+0800.mp4").write_bytes(b"")
    recordings = [tmp_path / "20260501T080000+0800.mp4", nameless]
    options = replace(fewer(day, tmp_path, "S6"), recordings=recordings, skip_bad_recordings=True)
    with pytest.raises(BadInput, match=r"second\.mp4: when does it begin\?.*follows a recording that cannot be used"):
        run_audit(options)


def test_a_run_with_only_bad_recordings_says_that_none_is_left(day: AuditOptions, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No recording is left"):
        run_audit(replace(day, recordings=bad_recordings(tmp_path), out=tmp_path / "out", skip_bad_recordings=True))


def bad_recordings(folder: Path) -> list[Path]:
    """Missing, empty, and not a video."""
    missing, empty, text = (folder / f"20260501T0{hour}0000+0800.mp4" for hour in (5, 6, 7))
    empty.write_bytes(b"")
    text.write_text("renamed", encoding="utf-8")
    return [missing, empty, text]


def true_of(swipe_id: str) -> tuple[Verdict, tuple[Reason, ...]]:
    verdict, reason = TRUTH[swipe_id]
    assert reason is not None
    return verdict, (reason,)


# --- settings that do not fit ----------------------------------------------------------------------------------------


def test_a_clock_offset_moves_the_window(day: AuditOptions, done: AuditResult, tmp_path: Path) -> None:
    swipes = write_swipes(tmp_path / "swipes.csv", [("S2", "sheldon", CROWD - 100)])
    result = run_audit(replace(day, swipes=swipes, out=tmp_path / "out", clock_offset_s=100.0))
    assert result.checks[0].verdict is Verdict.MATCH
    assert result.checks[0].samples == by_id(done)["S2"].samples


def test_a_threshold_set_of_another_pack_is_refused(day: AuditOptions, tmp_path: Path, thresholds: str) -> None:
    from calibration.sets import SHIPPED_DIR

    shipped = SHIPPED_DIR / f"{thresholds}.toml"
    text = (shipped if shipped.is_file() else Path(thresholds)).read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(text.replace('pack = "opencv-zoo"', 'pack = "insightface:x"'), encoding="utf-8")
    with pytest.raises(BadInput, match=r"made for the pack insightface:x, not for opencv-zoo"):
        run_audit(replace(day, thresholds=str(other), out=tmp_path / "out"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"before_s": -1.0},
        {"before_s": 0.0, "after_s": 0.0},
        {"after_s": 700.0},
        {"clock_offset_s": 1e6},
        {"jobs": 0},
        {"jobs": 1000},
    ],
)
def test_numbers_that_make_no_sense_are_refused(day: AuditOptions, wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=r"^--(before|clock-offset|jobs)"):
        replace(day, **wrong)  # type: ignore[arg-type]


def test_a_recording_of_seconds_calls_nobody_absent_unless_told_that_it_may(day: AuditOptions, tmp_path: Path) -> None:
    only_empty = write_swipes(tmp_path / "swipes.csv", [("S1", "raj", EMPTY)])
    usual = AuditOptions(day.recordings, only_empty, day.gallery, tmp_path / "out").usual_minutes
    result = run_audit(replace(day, swipes=only_empty, out=tmp_path / "out", usual_minutes=usual))
    assert result.checks[0].reasons == (Reason.SURROUNDINGS_UNKNOWN,)


# --- helpers ---------------------------------------------------------------------------------------------------------


def command_line(options: AuditOptions) -> list[str]:
    """The audit as words of a command line."""
    return [
        "audit", *map(str, options.recordings), "--swipes", str(options.swipes), "--gallery", str(options.gallery),
        "--out", str(options.out), "--before", str(options.before_s), "--after", str(options.after_s),
        "--usual-minutes", str(options.usual_minutes),
        *(["--thresholds", options.thresholds] if options.thresholds else []),
    ]  # fmt: skip


def wait_for(is_so: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
