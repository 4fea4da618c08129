"""Swipes checked over a ring: the audit's verdicts, a live box's doubts, and files that are whole."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from calibration.sets import load_set
from edge_agent import kept_files
from edge_agent.audit_counter import AuditCounter, CounterPlan
from edge_agent.edge_config import EdgeConfig
from edge_agent.live import counter_checks
from edge_agent.live.counter_checks import CounterChecks
from edge_agent.live.jobs import AheadJob, CheckDone, JobFailed, SwipeJob
from edge_agent.live.vision_box import VisionBox
from edge_agent.live.worker import Worker
from edge_agent.outbox.finished import CLIP_DROPPED
from edge_agent.outbox.manifest import read_manifest
from edge_agent.recorded import open_recording
from edge_agent.references import FolderReferences
from renzheng.contracts import FLAGGED, IdentityCheck, Reason, Verdict
from renzheng.crypto import public_of
from renzheng.files import sha256_file
from renzheng.manifests import verify_manifest
from tests.edge_agent.live.conftest import BLACK, CROWD, EMPTY, TURNED, Day, MakeBox, swipe_job
from tests.edge_agent.scene_clip import START
from vision.pending import decide_pending, open_pending
from vision.people import References
from vision.recompute import recompute

SWIPES = [("raj", EMPTY), ("sheldon", CROWD), ("howard", CROWD), ("penny", TURNED), ("unknown", CROWD), ("raj", -500.0)]
SERVER_KEY = bytes(range(32))


@pytest.fixture
def audit(make_box: MakeBox, tmp_path: Path, day: Day, thresholds: str) -> AuditCounter:
    """The audit of the same recording."""
    plan = CounterPlan(
        (open_recording(day.video, START),), day.gallery, tmp_path / "audit", "opencv-zoo", thresholds,
        before_s=3.0, after_s=3.0, usual_minutes=0.0, clips="none",
    )  # fmt: skip
    return AuditCounter(plan)


def check_of(done: CheckDone) -> IdentityCheck:
    assert isinstance(done.check, IdentityCheck)
    assert recompute(done.check).verdict is done.check.verdict
    return done.check


def test_live_and_audit_agree(make_box: MakeBox, audit: AuditCounter) -> None:
    checks = CounterChecks(make_box())
    found = set()
    for psn_no, second in SWIPES:
        job = swipe_job(psn_no, second)
        live, audited = check_of(checks.check(job)), audit.check(job.swipe).check
        assert (live.verdict, live.reasons) == (audited.verdict, audited.reasons), (psn_no, second)
        assert live.camera_id == "counter"
        found.add(live.verdict)
    assert {Verdict.MATCH, Verdict.MISMATCH, Verdict.HOLDER_ABSENT, Verdict.NOT_ENROLLED} <= found


def test_a_box_that_has_recorded_for_seconds_calls_nobody_absent_unless_told_that_it_may(make_box: MakeBox) -> None:
    box = make_box(usual_minutes=EdgeConfig.model_fields["usual_minutes"].default)
    check = check_of(CounterChecks(box).check(swipe_job("raj", EMPTY)))
    assert check.reasons == (Reason.SURROUNDINGS_UNKNOWN,)


def test_a_flagged_check_leaves_faces_still_and_a_clip_with_its_signed_manifest(make_box: MakeBox) -> None:
    box = make_box()
    done = CounterChecks(box).check(swipe_job("howard", CROWD))
    check = check_of(done)
    assert check.verdict is Verdict.MISMATCH
    assert {file.kind for file in done.files} == {"sample", "still", "clip", "manifest"}
    assert all(file.path.stat().st_size == file.size_bytes for file in done.files)
    root = box.keeper.folders.evidence
    named = [check.still, check.clip and check.clip.path, *(sample.crop for sample in check.samples)]
    assert {root / name for name in named if name} == {f.path for f in done.files if f.kind != "manifest"}
    clip = next(file.path for file in done.files if file.kind == "clip")
    assert check.clip is not None and check.clip.sha256 == sha256_file(clip)
    signed = read_manifest(next(file.path for file in done.files if file.kind == "manifest"))
    manifest = verify_manifest(signed, box.keeper.keys.signing.public, clip, "S1")
    assert (manifest.clip_id, manifest.camera_id, manifest.codec) == ("S1", "counter", "h264")
    assert [segment.name for segment in manifest.segments] == list(check.clip.source)


@pytest.mark.parametrize(("leaves", "kinds"), [("report", set()), ("samples", {"sample", "still"})])
def test_what_is_kept_is_what_may_leave(make_box: MakeBox, leaves: str, kinds: set[str]) -> None:
    box = make_box(more=f'keep.leaves.mismatch = "{leaves}"')
    done = CounterChecks(box).check(swipe_job("howard", CROWD))
    assert {file.kind for file in done.files} == kinds
    on_disk = {path for path in box.keeper.folders.evidence.rglob("*") if path.is_file()}
    assert on_disk == {file.path for file in done.files}


def test_the_holder_alone_is_kept_of_a_match(make_box: MakeBox) -> None:
    box = make_box(more='keep.leaves.match = "samples"')
    done = CounterChecks(box).check(swipe_job("sheldon", CROWD))
    check = check_of(done)
    holder = {track.track for track in check.tracks if track.role.value == "holder"}
    assert {sample.track for sample in check.samples if sample.crop} == holder
    assert check.still is None


def test_an_opinion_leaves_nothing(make_box: MakeBox) -> None:
    box = make_box()
    done = CounterChecks(box).check(swipe_job("howard", CROWD, final=False))
    assert check_of(done).verdict is Verdict.MISMATCH
    assert done.files == ()
    assert not box.keeper.folders.evidence.exists()


def test_a_check_done_again_begins_with_an_empty_folder(make_box: MakeBox) -> None:
    box = make_box()
    checks = CounterChecks(box)
    first = checks.check(swipe_job("howard", CROWD))
    stray = box.keeper.folders.evidence_of("S1") / "samples" / "left-by-a-kill.jpg"
    stray.write_bytes(b"x")
    again = checks.check(swipe_job("howard", CROWD))
    assert not stray.exists()
    clips = [next(f.path for f in done.files if f.kind == "clip") for done in (first, again)]
    assert clips[0] == clips[1]
    assert check_of(first) == check_of(again)


# --- doubts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told_by", ["job", "ring"])
@pytest.mark.parametrize(("psn_no", "verdict"), [("howard", Verdict.NOT_ASSESSABLE), ("sheldon", Verdict.MATCH)])
def test_a_clock_in_doubt_accuses_nobody_and_takes_nothing_from_a_match(
    make_box: MakeBox, monkeypatch: pytest.MonkeyPatch, told_by: str, psn_no: str, verdict: Verdict
) -> None:
    box = make_box()
    if told_by == "ring":
        monkeypatch.setattr(box.places["counter"].ring, "clock_unclear", lambda _window: True)
    check = check_of(CounterChecks(box).check(swipe_job(psn_no, CROWD, clock_doubt=told_by == "job")))
    assert check.verdict is verdict
    assert (Reason.CLOCK_UNCLEAR in check.reasons) == (verdict is Verdict.NOT_ASSESSABLE)


def test_nobody_there_under_a_clock_in_doubt_is_not_absence(make_box: MakeBox) -> None:
    check = check_of(CounterChecks(make_box()).check(swipe_job("raj", EMPTY, clock_doubt=True)))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.CLOCK_UNCLEAR,))


@pytest.mark.parametrize(("ahead_s", "reason"), [(3600.0, Reason.SWIPE_TIME_IMPLAUSIBLE), (30.0, Reason.NO_FOOTAGE)])
def test_a_swipe_far_in_the_future_is_told_as_such(make_box: MakeBox, ahead_s: float, reason: Reason) -> None:
    check = check_of(CounterChecks(make_box()).check(swipe_job("raj", 48.0 + ahead_s)))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (reason,))


def test_a_camera_gone_black_is_named(make_box: MakeBox) -> None:
    check = check_of(CounterChecks(make_box()).check(swipe_job("raj", BLACK)))
    assert check.verdict is Verdict.NOT_ASSESSABLE
    assert check.reasons[-1] is Reason.CAMERA_UNFIT
    assert recompute(check).reasons == check.reasons


# --- templates that cannot be reached --------------------------------------------------------------------------------


class Unreachable:
    def references_for(self, psn_no: str, at: object) -> References:
        return References(None, reachable=False)

    def staff_people(self) -> None:
        return None


def without_templates(box: VisionBox, key: bytes | None) -> VisionBox:
    keeper = replace(box.keeper, keys=replace(box.keeper.keys, server_public_key=key))
    return replace(box, references=Unreachable(), keeper=keeper)  # type: ignore[arg-type]


@pytest.mark.parametrize("leaves", ["clip", "report"])
@pytest.mark.parametrize(
    ("psn_no", "second"), [("sheldon", CROWD), ("howard", CROWD), ("raj", EMPTY), ("penny", TURNED)]
)
def test_a_check_without_templates_waits_and_is_decided_as_it_would_have_been(
    make_box: MakeBox, leaves: str, psn_no: str, second: float
) -> None:
    box = make_box(more=f'keep.leaves.pending_reference = "{leaves}"')
    job = swipe_job(psn_no, second)
    at_once = check_of(CounterChecks(box).check(job))
    done = CounterChecks(without_templates(box, public_of(SERVER_KEY))).check(job)
    check = check_of(done)
    assert (check.verdict, check.reasons) == (Verdict.PENDING_REFERENCE, (Reason.REFERENCE_UNREACHABLE,))
    sealed = next(file.path for file in done.files if file.kind == "sealed")
    assert sealed == box.keeper.folders.evidence / (check.sealed_samples or "")
    assert leaves == "clip" or len(done.files) == 1
    later = decide_pending(
        check, open_pending(SERVER_KEY, sealed.read_bytes(), "S1"), box.references.references_for(psn_no, START)
    )
    assert (later.verdict, later.reasons) == (at_once.verdict, at_once.reasons)


class Stale:
    """Templates as they were known a while ago."""

    def __init__(self, box: VisionBox) -> None:
        self._references = box.references

    def references_for(self, psn_no: str, at: datetime) -> References:
        return replace(self._references.references_for(psn_no, at), stale=True)


def with_stale_templates(box: VisionBox, key: bytes | None) -> VisionBox:
    keeper = replace(box.keeper, keys=replace(box.keeper.keys, server_public_key=key))
    return replace(box, references=Stale(box), keeper=keeper)  # type: ignore[arg-type]


STALE = [
    ("howard", CROWD, Verdict.MISMATCH),
    ("raj", EMPTY, Verdict.HOLDER_ABSENT),
    ("sheldon", CROWD, Verdict.MATCH),
    ("penny", TURNED, Verdict.NOT_ASSESSABLE),
]


@pytest.mark.parametrize(("psn_no", "second", "verdict"), STALE)
def test_stale_templates_accuse_nobody_and_the_server_decides_as_the_box_would_have(
    make_box: MakeBox, psn_no: str, second: float, verdict: Verdict
) -> None:
    box = make_box()
    job = swipe_job(psn_no, second)
    at_once = check_of(CounterChecks(box).check(job))
    assert at_once.verdict is verdict
    done = CounterChecks(with_stale_templates(box, public_of(SERVER_KEY))).check(job)
    check = check_of(done)
    if verdict not in FLAGGED:
        assert (check.verdict, check.reasons) == (at_once.verdict, at_once.reasons)
        return
    assert (check.verdict, check.reasons) == (Verdict.PENDING_REFERENCE, (Reason.REFERENCE_UNREACHABLE,))
    assert all(track.holder_score is None and track.agent_score is None for track in check.tracks)
    assert {"sealed", "clip"} <= {file.kind for file in done.files}
    sealed = next(file.path for file in done.files if file.kind == "sealed")
    known = box.references.references_for(psn_no, START)
    later = decide_pending(check, open_pending(SERVER_KEY, sealed.read_bytes(), "S1"), known)
    assert (later.verdict, later.reasons) == (at_once.verdict, at_once.reasons)


def test_an_agent_approved_since_the_box_last_asked_is_not_called_a_stranger(make_box: MakeBox) -> None:
    box = make_box()
    done = CounterChecks(with_stale_templates(box, public_of(SERVER_KEY))).check(swipe_job("howard", CROWD))
    sealed = next(file.path for file in done.files if file.kind == "sealed")
    agent = box.references.references_for("sheldon", START).holder
    assert agent is not None
    known = replace(box.references.references_for("howard", START), agents=(agent,))
    later = decide_pending(check_of(done), open_pending(SERVER_KEY, sealed.read_bytes(), "S1"), known)
    assert later.verdict is Verdict.PROXY_MATCH


@pytest.mark.parametrize("key", [None, public_of(SERVER_KEY)])
def test_an_opinion_on_stale_templates_accuses_nobody_either(make_box: MakeBox, key: bytes | None) -> None:
    box = make_box()
    done = CounterChecks(with_stale_templates(box, key)).check(swipe_job("howard", CROWD, final=False))
    verdict = Verdict.NOT_ASSESSABLE if key is None else Verdict.PENDING_REFERENCE
    assert (done.check.verdict, done.check.reasons) == (verdict, (Reason.REFERENCE_UNREACHABLE,))
    assert done.files == ()


def test_stale_templates_without_a_server_accuse_nobody(make_box: MakeBox) -> None:
    done = CounterChecks(with_stale_templates(make_box(), None)).check(swipe_job("howard", CROWD))
    check = check_of(done)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.REFERENCE_UNREACHABLE,))


def test_a_check_made_again_for_stale_templates_looks_at_no_picture_twice(
    make_box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_box()
    place = box.places["counter"]
    looked: list[object] = []
    look = place.ring.look
    monkeypatch.setattr(place.ring, "look", lambda *given: (looked.append(given[0]), look(*given))[1])
    CounterChecks(with_stale_templates(box, public_of(SERVER_KEY))).check(swipe_job("howard", CROWD))
    assert len(looked) == len(set(looked)) > 0
    assert not place.memory._windows


def test_a_check_after_a_first_look_says_the_same_and_decodes_nothing(
    make_box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = swipe_job("howard", CROWD)
    alone = check_of(CounterChecks(make_box()).check(job))
    box = make_box()
    place, looked = box.places["counter"], list[object]()
    look = place.ring.look
    monkeypatch.setattr(place.ring, "look", lambda *given: (looked.append(given[0]), look(*given))[1])
    checks = CounterChecks(box)
    while checks.look_ahead(AheadJob("ahead", job.swipe)).more:
        assert len(looked) == 1
        looked.clear()
    looked.clear()
    check = check_of(checks.check(job))
    for part in ("verdict", "reasons", "score", "tracks", "samples", "coverage"):
        assert getattr(check, part) == getattr(alone, part)
    assert not looked


def test_a_first_look_that_comes_after_the_check_is_not_taken(make_box: MakeBox) -> None:
    box = make_box()
    checks, job = CounterChecks(box), swipe_job("howard", CROWD)
    checks.check(job)
    checks.look_ahead(AheadJob("ahead", job.swipe))
    assert not box.places["counter"].memory._windows


def test_without_templates_and_without_a_server_nothing_is_sealed_and_nobody_accused(make_box: MakeBox) -> None:
    done = CounterChecks(without_templates(make_box(), None)).check(swipe_job("howard", CROWD))
    check = check_of(done)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.REFERENCE_UNREACHABLE,))
    assert "sealed" not in {file.kind for file in done.files}


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_an_error_of_one_swipe_makes_it_not_assessable(make_box: MakeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(counter_checks, "check_swipe", broken)
    done = CounterChecks(make_box()).check(swipe_job("howard", CROWD))
    assert (done.check.verdict, done.check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.UNREADABLE,))
    assert "ValueError: odd" in done.remarks[0]
    assert "clip" in {file.kind for file in done.files}


def test_a_swipe_that_is_given_up_is_not_looked_at(make_box: MakeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    box = make_box()
    monkeypatch.setattr(box.places["counter"].ring, "stretches", pytest.fail)
    monkeypatch.setattr(box.places["counter"].ring, "cut", pytest.fail)
    done = CounterChecks(box).check(swipe_job("howard", CROWD, give_up=True))
    assert (done.check.verdict, done.check.reasons, done.files) == (
        Verdict.NOT_ASSESSABLE, (Reason.UNREADABLE,), (),
    )  # fmt: skip


@pytest.mark.parametrize("where", ["jpeg", "clip"])
def test_a_full_disk_fails_the_job_and_leaves_nothing_half_done(
    make_box: MakeBox, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    box = make_box()
    if where == "jpeg":
        monkeypatch.setattr(kept_files, "write_atomic", full)
    else:
        monkeypatch.setattr(box.places["counter"].ring, "cut", full)
    answer = Worker(box).answer(swipe_job("howard", CROWD))
    assert isinstance(answer, JobFailed) and answer.storage_full
    assert not box.keeper.folders.evidence_of("S1").exists()
    monkeypatch.undo()
    assert isinstance(Worker(box).answer(swipe_job("howard", CROWD)), CheckDone)


def test_a_clip_that_cannot_be_cut_costs_the_clip_alone(make_box: MakeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    box = make_box()
    monkeypatch.setattr(box.places["counter"].ring, "cut", broken)
    done = CounterChecks(box).check(swipe_job("howard", CROWD))
    assert check_of(done).verdict is Verdict.MISMATCH
    assert done.remarks[0].startswith("no clip: OSError")
    assert {file.kind for file in done.files} == {"sample", "still"}


def test_evidence_over_its_budget_costs_the_clips_of_those_not_accused(make_box: MakeBox) -> None:
    box = make_box()
    tight = replace(box, keeper=replace(box.keeper, may_keep=lambda verdict: verdict in FLAGGED))
    flagged = CounterChecks(tight).check(swipe_job("howard", CROWD))
    unclear = CounterChecks(tight).check(swipe_job("penny", TURNED, "S2"))
    assert "clip" in {file.kind for file in flagged.files}
    assert "clip" not in {file.kind for file in unclear.files}
    assert unclear.remarks == (CLIP_DROPPED,)


def test_a_terminal_that_is_not_configured_fails_the_job_without_naming_anybody(make_box: MakeBox) -> None:
    job = swipe_job("howard", CROWD)
    strange = SwipeJob("job", job.swipe.model_copy(update={"terminal_id": "T9"}), final=True)
    answer = Worker(make_box()).answer(strange)
    assert isinstance(answer, JobFailed)
    assert "howard" not in answer.why


# --- private zones ---------------------------------------------------------------------------------------------------


@pytest.fixture
def half_private(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "zones.toml"
    path.write_text(
        '[[zone]]\nkind = "private"\nname = "left"\npolygon = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]\n',
        encoding="utf-8",
    )
    yield f'zones = "{path}"'


def test_nothing_of_a_private_zone_leaves(make_box: MakeBox, half_private: str) -> None:
    import av
    import cv2

    done = CounterChecks(make_box(camera=half_private)).check(swipe_job("raj", EMPTY))
    check = check_of(done)
    assert check.clip is not None and check.clip.masked
    still = cv2.imread(str(next(file.path for file in done.files if file.kind == "still")))
    with av.open(str(next(file.path for file in done.files if file.kind == "clip"))) as clip:
        shown = [frame.to_ndarray(format="bgr24") for frame in clip.decode(video=0)]
    for picture in (still, shown[0], shown[-1]):
        assert int(np.asarray(picture)[:, : picture.shape[1] // 2 - 8].max()) < 30
        assert int(np.asarray(picture).max()) > 100


def test_thresholds_of_another_pack_are_refused(make_box: MakeBox, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    _, digest = load_set("opencv-zoo")
    shipped = Path(load_set.__code__.co_filename).parent / "sets" / "opencv-zoo.toml"
    other.write_text(shipped.read_text("utf-8").replace('pack = "opencv-zoo"', 'pack = "another"'), encoding="utf-8")
    with pytest.raises(Exception, match="made for the pack another"):
        make_box(more=f'thresholds = "{other}"')
    assert digest


def test_references_are_asked_at_each_swipe(make_box: MakeBox) -> None:
    box = make_box()
    assert isinstance(box.references, FolderReferences)
    assert box.references.references_for("nobody", START).holder is None
