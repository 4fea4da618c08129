"""Checks as boxes deliver them, for tests."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import select

from renzheng.contracts import (
    BedCheck,
    BedOccupancy,
    BedVerdict,
    CheckDelivery,
    Coverage,
    DeliveryBatch,
    EvidencePiece,
    IdentityCheck,
    PendingFace,
    PendingSamples,
    PendingTrack,
    Reason,
    RoundKind,
    TrackRole,
    Verdict,
)
from server.context import Server
from server.tables import Check, CheckPiece
from tests.edge_agent.builders import NOON, PACK, THRESHOLDS, a_check, a_sample, a_track
from tests.server.conftest import KEYS, PHARMACY, WARD
from vision.pending import embedding_text, seal_pending
from vision.types import FloatArray

FACE, STILL = b"\xff\xd8a face", b"\xff\xd8the counter"


def swipe(name: str = "S1", verdict: Verdict = Verdict.MATCH, **given: Any) -> IdentityCheck:
    """A check of a swipe at the pharmacy of the tests."""
    check: IdentityCheck = a_check(verdict, **({"swipe_id": name, "fixmedins_code": PHARMACY} | given))
    return check


def bed(name: str = "bed-1", verdict: BedVerdict = BedVerdict.EMPTY, **given: Any) -> BedCheck:
    """A check of a bed at the hospital of the tests."""
    facts: dict[str, Any] = {
        "check_id": name,
        "round_kind": RoundKind.NIGHT,
        "bed_id": "12",
        "psn_no": "p1",
        "fixmedins_code": WARD,
        "camera_id": "ward-1",
        "asked_at": NOON,
        "window_start": NOON,
        "window_end": NOON + timedelta(seconds=10),
        "verdict": verdict,
        "reasons": (Reason.BED_EMPTY,),
        "coverage": Coverage(recorded_share=1.0, frames_looked=24, searched_share=1.0),
        "occupancy": BedOccupancy(changed_share=0.6, moving_share=0.2),
        "pack": PACK,
        "thresholds": THRESHOLDS,
        "agent_version": "0.1.0",
    }
    return BedCheck(**(facts | given))


def piece(path: str, data: bytes) -> EvidencePiece:
    """A file that goes with a check."""
    return EvidencePiece(path=path, sha256=hashlib.sha256(data).hexdigest(), data=base64.b64encode(data).decode())


def delivery(check: IdentityCheck | BedCheck, *pieces: EvidencePiece, clip_due: bool = False) -> CheckDelivery:
    """As the outbox of a box makes it."""
    name = check.swipe_id if isinstance(check, IdentityCheck) else check.check_id
    return CheckDelivery(delivery_id=name, finished_at=NOON, clip_due=clip_due, check=check, pieces=pieces)


def flagged(name: str = "S1", **given: Any) -> CheckDelivery:
    """A mismatch with a face and a still."""
    named = {"samples": (a_sample(crop=f"{name}/0.jpg"),), "still": f"{name}/still.jpg"}
    check = swipe(name, Verdict.MISMATCH, **(named | given))
    return delivery(check, piece(f"{name}/0.jpg", FACE), piece(f"{name}/still.jpg", STILL), clip_due=True)


def post(box: TestClient, *checks: CheckDelivery, **given: Any) -> Response:
    """Send a batch as a box does; ``raw`` is sent in place of it."""
    device_id = given.pop("device_id", box.headers["X-Test-Device"])
    batch = DeliveryBatch(device_id=device_id, checks=checks, reports=given.pop("reports", ()))
    return post_raw(box, batch.model_dump_json().encode(), **given)


def post_raw(box: TestClient, text: bytes, *, packed: bool = True, **headers: str) -> Response:
    """Send any body."""
    told = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if packed else {})
    return box.post("/v1/checks", content=gzip.compress(text) if packed else text, headers=told | headers)


def changed(given: CheckDelivery, path: str, value: Any, box: TestClient) -> bytes:
    """A batch of one delivery with one value, whose path has dots, put to something else."""
    batch = DeliveryBatch(device_id=box.headers["X-Test-Device"], checks=(given,)).model_dump(mode="json")
    place: Any = batch
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(batch).encode()


def the_check(server: Server, name: str = "S1") -> Check:
    """A check that was taken."""
    with server.database.transaction(writes=False) as session:
        return session.scalars(select(Check).where(Check.delivery_id == name)).one()


def all_checks(server: Server) -> list[str]:
    """Names of the checks that were taken."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(Check.delivery_id).order_by(Check.id)))


def the_pieces(server: Server, name: str = "S1") -> dict[str, CheckPiece]:
    """Pieces of a check by their path."""
    statement = select(CheckPiece).join(Check, Check.id == CheckPiece.check_id).where(Check.delivery_id == name)
    with server.database.transaction(writes=False) as session:
        return {one.path: one for one in session.scalars(statement)}


def pending(
    vectors: Sequence[FloatArray], name: str = "S1", *, embedder: str = PACK.embedder_sha256
) -> tuple[bytes, PendingSamples]:
    """Sealed samples of one track of the same face, seen over some seconds."""
    samples = [a_sample(0, 1.2 * number - 2.4) for number in range(len(vectors))]
    facts = a_track(0, TrackRole.UNCERTAIN, samples=len(vectors), assessable_samples=len(vectors), holder_score=None)
    faces = [
        PendingFace(sample=sample.model_copy(update={"similarity": None}), embedding=embedding_text(vector))
        for sample, vector in zip(samples, vectors, strict=True)
    ]
    told = PendingSamples(
        check_id=name,
        embedder_sha256=embedder,
        faces=tuple(faces),
        stages=((PendingTrack(facts=facts, faces=tuple(range(len(vectors)))),),),
    )
    return seal_pending(told, KEYS.public_key), told


def pending_delivery(vectors: Sequence[FloatArray], name: str = "S1", psn_no: str = "p1") -> CheckDelivery:
    """A pending check with its sealed samples, a face and a still."""
    sealed, told = pending(vectors, name)
    crops = tuple(
        face.sample.model_copy(update={"crop": f"{name}/{number}.jpg"}) for number, face in enumerate(told.faces)
    )
    check = swipe(
        name,
        Verdict.PENDING_REFERENCE,
        psn_no=psn_no,
        reasons=(Reason.REFERENCE_UNREACHABLE,),
        samples=crops,
        still=f"{name}/still.jpg",
        sealed_samples=f"{name}/samples.sealed",
        coverage=Coverage(recorded_share=1.0, frames_looked=48, searched_share=1.0, unexplained_presence=0.0),
    )
    return delivery(
        check,
        piece(f"{name}/samples.sealed", sealed),
        *(piece(sample.crop, FACE) for sample in crops if sample.crop),
        piece(f"{name}/still.jpg", STILL),
    )
