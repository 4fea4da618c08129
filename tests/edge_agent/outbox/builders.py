"""Swipes and finished checks as the vision process hands them over, with small files on the disk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from edge_agent.live.jobs import CheckDone, EvidenceFile
from edge_agent.outbox.store import Store
from renzheng.clock import to_seconds
from renzheng.contracts import (
    AgentReport,
    BedCheck,
    BedOccupancy,
    BedVerdict,
    ClipReference,
    Coverage,
    IdentityCheck,
    Reason,
    RoundKind,
    Swipe,
    Verdict,
)
from renzheng.files import sha256_file, write_atomic
from renzheng.ids import file_stem
from tests.edge_agent.builders import NOON, PACK, THRESHOLDS, a_check, a_sample

NOON_S = to_seconds(NOON)
PSN_NO = "33028119540321000X"


def a_swipe(setl_id: str = "S1", **given: Any) -> Swipe:
    values: dict[str, Any] = {
        "setl_id": setl_id,
        "psn_no": PSN_NO,
        "fixmedins_code": "P33028100001",
        "terminal_id": "T01",
        "setl_time": NOON,
    }
    return Swipe(**(values | given))


def kept_file(kind: str, path: Path, data: bytes = b"12345") -> EvidenceFile:
    write_atomic(path, data, durable=False)
    return EvidenceFile(kind, path, len(data))


def done_swipe(
    folder: Path,
    setl_id: str = "S1",
    verdict: Verdict = Verdict.MISMATCH,
    *,
    kinds: tuple[str, ...] = ("sample", "still", "clip", "manifest"),
    clip_bytes: int = 1000,
    remarks: tuple[str, ...] = (),
    **given: Any,
) -> CheckDone:
    """A finished swipe check whose files lie in ``folder``/evidence, as a live box names them."""
    stem = file_stem(setl_id)
    root = folder / "evidence"
    files, named = [], {}
    if "sample" in kinds:
        files.append(kept_file("sample", root / stem / "samples" / "00-00.jpg", b"face"))
        named["samples"] = (a_sample(crop=f"{stem}/samples/00-00.jpg"),)
    if "still" in kinds:
        files.append(kept_file("still", root / stem / "still.jpg", b"still"))
        named["still"] = f"{stem}/still.jpg"
    if "sealed" in kinds:
        files.append(kept_file("sealed", root / stem / "samples.sealed", b"sealed"))
        named["sealed_samples"] = f"{stem}/samples.sealed"
    if "clip" in kinds:
        files.append(kept_file("clip", root / stem / "clip.mp4", setl_id.encode().ljust(clip_bytes, b".")))
        named["clip"] = clip_reference(root, f"{stem}/clip.mp4")
    if "manifest" in kinds:
        files.append(kept_file("manifest", root / stem / "manifest.json", b"{}"))
    values: dict[str, Any] = {"swipe_id": setl_id, "psn_no": PSN_NO, "reasons": (Reason.EVERY_FACE_DIFFERS,)}
    check: IdentityCheck = a_check(verdict, **(values | named | given))
    return CheckDone(f"job-{setl_id}", check, tuple(files), remarks)


def clip_reference(root: Path, name: str) -> ClipReference:
    return ClipReference(
        path=name,
        sha256=sha256_file(root / name),
        start=NOON - timedelta(seconds=8),
        end=NOON + timedelta(seconds=4),
        source=("20260501T035500.000Z.mp4",),
    )


def done_bed(check_id: str = "B1", verdict: BedVerdict = BedVerdict.EMPTY) -> CheckDone:
    check = BedCheck(
        check_id=check_id,
        round_kind=RoundKind.NIGHT,
        bed_id="12",
        psn_no=PSN_NO,
        fixmedins_code="H33028100001",
        camera_id="ward-1",
        asked_at=NOON,
        window_start=NOON,
        window_end=NOON + timedelta(seconds=10),
        verdict=verdict,
        reasons=(Reason.BED_EMPTY,),
        coverage=Coverage(recorded_share=1.0, frames_looked=24, searched_share=1.0),
        occupancy=BedOccupancy(),
        pack=PACK,
        thresholds=THRESHOLDS,
        agent_version="0.1.0",
    )
    return CheckDone(f"job-{check_id}", check)


def a_report(report_id: str = "R1") -> AgentReport:
    return AgentReport(
        report_id=report_id,
        device_id="local-1",
        fixmedins_code="P33028100001",
        agent_version="0.1.0",
        period_start=NOON,
        period_end=NOON + timedelta(minutes=5),
        cameras=(),
        checks_by_verdict={},
        outbox_waiting=0,
        evidence_bytes=0,
        evidence_budget_bytes=1,
        disk_free_bytes=1,
    )


def finish(store: Store, setl_id: str = "S1", verdict: Verdict = Verdict.MISMATCH, **given: Any) -> None:
    """Accept a swipe and finish its check, with everything allowed to leave unless told otherwise."""
    leaves, now_s = given.pop("leaves", "clip"), given.pop("now_s", NOON_S + 5)
    store.accept(a_swipe(setl_id), "http", NOON_S, clock_doubt=False)
    assert store.finish_swipe(done_swipe(store.database.path.parent, setl_id, verdict, **given), leaves, now_s)
