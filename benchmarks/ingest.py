"""How many checks a second one server takes: server, PostgreSQL and the boxes that send on one machine.

``python -m benchmarks.ingest``. The server is ``renzheng server run`` in a process of its own, over a PostgreSQL that
has what it commits on the disk. Sixteen boxes, in another process, send batches of 32 as fast as they are answered:
checks as long as those of the demo (two faces, ten samples), one in twenty with three faces and a still. What the
database holds at the end is counted.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import func, select, text

from renzheng.contracts import (
    CheckDelivery,
    Coverage,
    DeliveryBatch,
    EvidencePiece,
    FaceSample,
    IdentityCheck,
    PackReference,
    Reason,
    SampleQuality,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
    Verdict,
)
from server.access import digest_of_token
from server.database import Database
from server.key_ring import KeyRing
from server.schema import create_schema
from server.tables import Check, CheckPiece, Device, District, Institution, InstitutionType

GOAL_PER_S = 1000
BOXES = 16
BATCH = 32
SECONDS = 30.0
PICTURES_ONE_IN = 20
FACES, FACE_BYTES, STILL_BYTES = 3, 4_600, 90_000
"""As long as those of the demo's morning."""

DURABLE = "-c fsync=on -c synchronous_commit=on -c full_page_writes=on -c shared_buffers=256MB -c max_wal_size=4GB"
PLACE = "P33028100001"
NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
_NAME = "S-of-this-check"
_BOX = "id-of-this-box"


@dataclass(frozen=True)
class Figures:
    """One run. Cores are those that were busy on average."""

    seconds: float
    checks: int
    per_s: float
    batch_p50_ms: float
    batch_p95_ms: float
    server_cores: float
    database_cores: float
    boxes_cores: float
    other_cores: float
    in_database: int
    pieces: int

    @property
    def met(self) -> bool:
        """Whether the goal was met, with everything there that was answered for."""
        return self.per_s >= GOAL_PER_S and self.in_database == self.checks


def _quality() -> SampleQuality:
    names = (
        "InterEyeDistance", "HeadPoseYaw", "HeadPosePitch", "HeadPoseRoll", "Sharpness", "UnderExposurePrevention",
        "OverExposurePrevention", "DynamicRange", "CropOfTheFaceImage", "FaceOcclusionPrevention", "SingleFacePresent",
    )  # fmt: skip
    measures = (
        "inter_eye_distance_px", "yaw_deg", "pitch_deg", "roll_deg", "fine_detail_share", "dark_share", "bright_share",
        "contrast_levels", "nose_mouth_detail", "outside_share", "detector_score",
    )  # fmt: skip
    return SampleQuality(
        components=dict.fromkeys(names, 0.8049), measures=dict.fromkeys(measures, 51.0998), score=0.8049
    )


def a_check(verdict: Verdict = Verdict.MATCH) -> IdentityCheck:
    """As long as a match of the demo; with another verdict it names three faces and a still."""
    pictures = verdict is not Verdict.MATCH
    samples = tuple(
        FaceSample(
            track=number // 5, captured_at=NOON + timedelta(seconds=number), offset_s=number - 5.0,
            box_xyxy=(360.6, 313.1, 467.2, 474.4), frame_wh=(1920, 1080), quality=_quality(), assessable=True,
            similarity=0.8883, crop=f"{_NAME}/faces/{number:02d}.jpg" if pictures and number < FACES else None,
        )
        for number in range(10)
    )  # fmt: skip
    tracks = tuple(
        TrackEvidence(
            track=number, role=role, first_seen=NOON, last_seen=NOON + timedelta(seconds=9), frames_seen=48,
            in_counter_zone=True, samples=5, assessable_samples=5, independent_samples=4, concentration=0.9312,
            lowest_agreement=0.7123, holder_score=0.8883, staff_score=0.1034, staff_id="staff-1",
        )
        for number, role in enumerate((TrackRole.HOLDER, TrackRole.STAFF))
    )  # fmt: skip
    return IdentityCheck(
        swipe_id=_NAME, psn_no="33028100000000000001", fixmedins_code=PLACE, terminal_id="T01", swiped_at=NOON,
        clock_offset_s=1.5, window_start=NOON - timedelta(seconds=6), window_end=NOON + timedelta(seconds=4),
        verdict=verdict, reasons=(Reason.INDEPENDENT_SAMPLES,), score=0.8883, tracks=tracks, samples=samples,
        coverage=Coverage(recorded_share=1.0, frames_looked=48, searched_share=1.0, unexplained_presence=0.0),
        still=f"{_NAME}/still.jpg" if pictures else None,
        pack=PackReference(name="opencv-zoo", detector_sha256="d" * 64, embedder_sha256="e" * 64),
        thresholds=ThresholdValues(
            name="opencv-zoo", digest="a" * 64, accept=0.363, reject=0.25, few_samples_margin=0.1, target_fmr=1e-4,
            target_fnmr=0.01,
        ),
        reference_photos=3, agent_version="0.1.0", camera_id="counter",
    )  # fmt: skip


def _piece(path: str, size: int) -> EvidencePiece:
    data = os.urandom(size)
    return EvidencePiece(path=path, sha256=hashlib.sha256(data).hexdigest(), data=base64.b64encode(data).decode())


def _delivery_text(*, pictures: bool) -> str:
    check = a_check(Verdict.MISMATCH if pictures else Verdict.MATCH)
    pieces: list[EvidencePiece] = []
    if pictures:
        pieces = [_piece(sample.crop, FACE_BYTES) for sample in check.samples if sample.crop]
        pieces.append(_piece(f"{_NAME}/still.jpg", STILL_BYTES))
    given = CheckDelivery(delivery_id=_NAME, finished_at=NOON, clip_due=pictures, check=check, pieces=tuple(pieces))
    return given.model_dump_json()


def bodies(box: str, batches: int, pictures_one_in: int = PICTURES_ONE_IN) -> list[bytes]:
    """What one box sends, packed as a box packs it; each check with a name of its own."""
    plain, flagged = _delivery_text(pictures=False), _delivery_text(pictures=True)
    head, tail = DeliveryBatch(device_id=_BOX).model_dump_json().replace(_BOX, box).split('"checks":[]')
    packed = []
    for number in range(batches):
        texts = []
        for place in range(BATCH):
            count = number * BATCH + place
            text_of_one = flagged if pictures_one_in and count % pictures_one_in == 0 else plain
            texts.append(text_of_one.replace(_NAME, f"{box}-{count:09d}"))
        packed.append(gzip.compress(f'{head}"checks":[{",".join(texts)}]{tail}'.encode(), compresslevel=5))
    return packed


def _send(
    url: str, boxes: Sequence[tuple[str, str]], seconds: float, batches: int, one_in: int, told: Any, begin: Any
) -> None:
    """The boxes' process: make everything, say that it is there, send when told to."""
    ready = {box: bodies(box, batches, one_in) for box, _ in boxes}
    answers: list[tuple[float, float]] = []
    told.send("ready")
    begin.wait()
    until_s = time.monotonic() + seconds

    def one_box(box: str, token: str) -> None:
        headers = {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json", "Content-Encoding": "gzip",
        }  # fmt: skip
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            for body in ready[box]:
                if time.monotonic() >= until_s:
                    return
                began_s = time.monotonic()
                answer = client.post("/v1/checks", content=body)
                if answer.status_code != 200 or len(answer.json()["accepted"]) != BATCH:
                    raise SystemExit(f"the server answered {answer.status_code}: {answer.text[:300]}")
                answers.append((began_s, time.monotonic()))

    threads = [threading.Thread(target=one_box, args=box, name=box[0]) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.send(answers)


def _fill(database: Database, boxes: int) -> list[tuple[str, str]]:
    create_schema(database.engine)
    now, known = datetime.now(UTC), [(f"box-{number:02d}", os.urandom(16).hex()) for number in range(boxes)]
    with database.transaction() as session:
        session.add(District(code="330281", name="余姚市"))
        session.flush()
        session.add(
            Institution(
                id=PLACE, fixmedins_code=PLACE, fixmedins_name="余姚大药房", hours={}, created_at=now,
                fixmedins_type=InstitutionType.PHARMACY, district_code="330281",
            )
        )  # fmt: skip
        session.flush()
        for box, token in known:
            session.add(
                Device(
                    id=box, institution_id=PLACE, label="柜台", enrolled_at=now, created_at=now,
                    token_digest=digest_of_token(token),
                )
            )  # fmt: skip
    return known


def _busy_s(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def _cluster_processes(database: Database) -> list[psutil.Process]:
    with database.engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    owner = psutil.Process(backend).parent()
    return [] if owner is None else [owner, *owner.children(recursive=True)]


def measure(url: str, folder: Path, seconds: float, boxes: int, one_in: int) -> Figures:
    """One run over an empty database."""
    from tests.server.running import RunningServer

    database = Database(url)
    known = _fill(database, boxes)
    batches = int(seconds * 4 * GOAL_PER_S / BATCH / boxes) + 1
    here, there = multiprocessing.Pipe()
    begin = multiprocessing.Event()
    with RunningServer(url, folder, KeyRing.made().text()) as server:
        process = multiprocessing.Process(
            target=_send, args=(server.url, known, seconds, batches, one_in, there, begin), name="boxes"
        )
        process.start()
        here.recv()
        groups = [[psutil.Process(server.pid)], _cluster_processes(database), [psutil.Process(process.pid)]]
        before, all_before, began_s = [_busy_s(group) for group in groups], psutil.cpu_times(), time.monotonic()
        begin.set()
        answers: list[tuple[float, float]] = here.recv()
        took_s = time.monotonic() - began_s
        groups[1] = _cluster_processes(database) if not url.startswith("sqlite") else []
        after, all_after = [_busy_s(group) for group in groups], psutil.cpu_times()
        process.join()
    cores = [(late - early) / took_s for early, late in zip(before, after, strict=True)]
    busy = (all_after.user + all_after.system - all_before.user - all_before.system) / took_s
    with database.transaction(writes=False) as session:
        rows = session.scalar(select(func.count()).select_from(Check)) or 0
        pieces = session.scalar(select(func.count()).select_from(CheckPiece)) or 0
    database.close()
    took_ms = sorted(1000 * (end - start) for start, end in answers)
    checks = len(answers) * BATCH
    return Figures(
        seconds=round(took_s, 1),
        checks=checks,
        per_s=round(checks / took_s, 1),
        batch_p50_ms=round(took_ms[len(took_ms) // 2], 1),
        batch_p95_ms=round(took_ms[int(len(took_ms) * 0.95)], 1),
        server_cores=round(cores[0], 2),
        database_cores=round(cores[1], 2),
        boxes_cores=round(cores[2], 2),
        other_cores=round(max(0.0, busy - sum(cores)), 2),
        in_database=rows,
        pieces=pieces,
    )


def run(seconds: float = SECONDS, boxes: int = BOXES, one_in: int = PICTURES_ONE_IN) -> Figures:
    """On a PostgreSQL that is thrown away afterwards. Raises :class:`SystemExit` where there is none."""
    from tests.server.cluster import programs, running_cluster

    found = programs()
    if found is None:
        raise SystemExit("PostgreSQL's programs are not installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renzheng-ingest-")))
        url = stack.enter_context(running_cluster(found, DURABLE))
        return measure(f"{url}/postgres", folder, seconds, boxes, one_in)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--boxes", type=int, default=BOXES)
    parser.add_argument(
        "--pictures-one-in", type=int, default=PICTURES_ONE_IN, help="one check in so many has pictures; 0: none"
    )
    given = parser.parse_args()
    print(json.dumps(asdict(run(given.seconds, given.boxes, given.pictures_one_in)), indent=2))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
