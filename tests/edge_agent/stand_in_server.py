"""A stand-in for the review server, in a process of its own that may be killed at any time.

``python -m tests.edge_agent.stand_in_server --folder DIR --port N [--device-token T] [--enrol-token T]``. It keeps
what it takes in ``DIR/stand_in.sqlite`` and ``DIR/clips``; the answer leaves after it is kept. Without a device token
it takes things from anybody. ``PUT /control`` sets faults, people and how it answers. Clips come by tuspyserver,
which offers no checksum; their digest is compared at the end, as the real server will.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Header, HTTPException, Request
from tuspyserver.router import create_tus_router
from tuspyserver.storage.local import LocalFileStorage

from renzheng.clock import from_seconds
from renzheng.contracts import DeliveryBatch, EnrolmentRequest, SignedManifest, StaffAnswer, TemplateAnswer
from renzheng.contracts.templates import TemplateQuestion
from renzheng.crypto import Tampered, public_of, read_or_make_key
from renzheng.files import sha256_file
from renzheng.ids import file_stem
from renzheng.manifests import verify_manifest
from tests.edge_agent.stand_in_faults import Fault, Faults

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    delivery_id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, device_id TEXT NOT NULL,
    position INTEGER NOT NULL, arrivals INTEGER NOT NULL DEFAULT 1, conflicts INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS uploads (uid TEXT PRIMARY KEY, check_id TEXT NOT NULL, came_before_check INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clips (
    check_id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, manifest TEXT NOT NULL, path TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS damaged (uid TEXT PRIMARY KEY, check_id TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS devices (token TEXT PRIMARY KEY, device_id TEXT NOT NULL, public_key BLOB);
CREATE TABLE IF NOT EXISTS used_tokens (enrol_token TEXT PRIMARY KEY, public_key BLOB NOT NULL, token TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (psn_no TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
_STAFF = "(staff)"
KEEP_S = 3600.0


class StandIn:
    """What the server keeps and how it was told to behave."""

    def __init__(self, folder: Path, device_token: str | None, enrol_token: str | None) -> None:
        self.folder = folder
        self.clips = folder / "clips"
        self.clips.mkdir(parents=True, exist_ok=True)
        self.uploads = folder / "uploads"
        self.key = read_or_make_key(folder / "server.key")
        self.enrol_token = enrol_token
        self.behaviour: dict[str, Any] = {}
        self.db = sqlite3.connect(folder / "stand_in.sqlite", isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(_SCHEMA)
        self.open_to_all = device_token is None and enrol_token is None
        if device_token is not None:
            self.db.execute("INSERT OR IGNORE INTO devices VALUES (?, 'box', NULL)", (device_token,))

    def device_of(self, authorization: str | None) -> tuple[str, bytes | None]:
        """Id and public key. 401 for a token that is not known, or not any more."""
        row = self.db.execute(
            "SELECT device_id, public_key FROM devices WHERE token = ?",
            ((authorization or "").removeprefix("Bearer "),),
        ).fetchone()
        if row is None and not self.open_to_all:
            raise HTTPException(401, "unknown or revoked token")
        return row or ("anybody", None)

    def take(self, kind: str, delivery_id: str, body: str, device_id: str) -> None:
        """Keep a delivery, or count that it came again."""
        self.db.execute(
            "INSERT INTO deliveries (delivery_id, kind, body, device_id, position)"
            " VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM deliveries))"
            " ON CONFLICT DO UPDATE SET arrivals = arrivals + 1, conflicts = conflicts + (body <> ?3)",
            (delivery_id, kind, body, device_id),
        )

    async def finish(self, path: str, metadata: dict[str, str]) -> None:
        """A whole upload: kept when it is what its manifest says, thrown away with 460 when it is not.

        A signature is checked where the device is known. Called again for an upload that was finished before.
        """
        upload, check_id = Path(path), metadata["check_id"]
        if self.db.execute("SELECT 1 FROM uploads WHERE uid = ?", (upload.name,)).fetchone():
            return
        try:
            signed = SignedManifest.model_validate_json(metadata["manifest"])
            keys = self.db.execute("SELECT public_key FROM used_tokens").fetchall()
            for (key,) in keys:
                if hashlib.sha256(key).hexdigest() == signed.key_id:
                    verify_manifest(signed, key, upload, check_id)
            if sha256_file(upload) != metadata["sha256"]:
                raise Tampered("the clip's digest is another")
        except ValueError as error:
            raise HTTPException(422, "the manifest cannot be read") from error
        except Tampered as tampered:
            self.db.execute("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?)", (upload.name, check_id, str(tampered)))
            await LocalFileStorage(str(self.uploads)).delete(upload.name)
            raise HTTPException(460, "the file's digest is another") from tampered
        self._keep_clip(upload, check_id, metadata)

    def _keep_clip(self, upload: Path, check_id: str, metadata: dict[str, str]) -> None:
        path = self.clips / f"{file_stem(check_id)}.mp4"
        path.unlink(missing_ok=True)
        os.link(upload, path)
        known = self.db.execute("SELECT 1 FROM deliveries WHERE delivery_id = ?", (check_id,)).fetchone()
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO uploads VALUES (?, ?, ?)", (upload.name, check_id, known is None))
        self.db.execute(
            "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)",
            (check_id, metadata["sha256"], metadata["manifest"], str(path)),
        )
        self.db.execute("COMMIT")


def make_app(stand_in: StandIn) -> FastAPI:
    """The server's routes."""
    app = FastAPI()

    @app.post("/v1/devices/enroll", status_code=201)
    def enrol(request: EnrolmentRequest) -> dict[str, str]:
        key = base64.b64decode(request.public_key)
        used = stand_in.db.execute(
            "SELECT public_key, token FROM used_tokens WHERE enrol_token = ?", (request.token,)
        ).fetchone()
        if request.token != stand_in.enrol_token or (used is not None and used[0] != key):
            raise HTTPException(403, "this enrolment token is not good, or was used for another box")
        device_id, token = f"box-{hashlib.sha256(key).hexdigest()[:8]}", used[1] if used else os.urandom(24).hex()
        stand_in.db.execute("INSERT OR IGNORE INTO used_tokens VALUES (?, ?, ?)", (request.token, key, token))
        stand_in.db.execute("INSERT OR IGNORE INTO devices VALUES (?, ?, ?)", (token, device_id, key))
        public = base64.b64encode(public_of(stand_in.key)).decode()
        return {"device_id": device_id, "device_token": token, "server_public_key": public}

    @app.post("/v1/checks")
    async def checks(request: Request, authorization: Annotated[str | None, Header()] = None) -> dict[str, Any]:
        device_id, _ = stand_in.device_of(authorization)
        batch = DeliveryBatch.model_validate_json(gzip.decompress(await request.body()))
        return _take_batch(stand_in, batch, device_id)

    @app.post("/v1/templates")
    def templates(question: TemplateQuestion, authorization: Annotated[str | None, Header()] = None) -> Any:
        stand_in.device_of(authorization)
        row = stand_in.db.execute("SELECT body FROM people WHERE psn_no = ?", (question.psn_no,)).fetchone()
        if row is not None:
            return json.loads(row[0])
        until = from_seconds(time.time() + KEEP_S)
        return TemplateAnswer(psn_no=question.psn_no, holder=None, expires_at=until).model_dump(mode="json")

    @app.get("/v1/staff")
    def staff(embedder_sha256: str, authorization: Annotated[str | None, Header()] = None) -> Any:
        stand_in.device_of(authorization)
        row = stand_in.db.execute("SELECT body FROM people WHERE psn_no = ?", (_STAFF,)).fetchone()
        until = from_seconds(time.time() + KEEP_S)
        return json.loads(row[0]) if row else StaffAnswer(staff=(), expires_at=until).model_dump(mode="json")

    def caller(authorization: Annotated[str | None, Header()] = None) -> None:
        stand_in.device_of(authorization)

    async def finish(path: str, metadata: dict[str, str]) -> None:
        await stand_in.finish(path, metadata)  # a plain function: tuspyserver deep-copies what it is given

    app.include_router(
        create_tus_router(
            prefix="v1/clips",
            files_dir=str(stand_in.uploads),
            auth=caller,
            on_upload_complete=finish,
            storage=LocalFileStorage(str(stand_in.uploads)),
        )
    )
    return app


def _take_batch(stand_in: StandIn, batch: DeliveryBatch, device_id: str) -> dict[str, Any]:
    told = stand_in.behaviour
    given = [("check", one.delivery_id, one.model_dump_json()) for one in batch.checks]
    given += [("report", one.report_id, one.model_dump_json()) for one in batch.reports]
    if len(given) > told.get("batch_max", len(given)):
        raise HTTPException(413, "too many at once")
    for field, status in (("fail_over", 500), ("reject_over", 422)):
        if any(delivery_id in told.get(field, ()) for _, delivery_id, _ in given):
            raise HTTPException(status, "this batch cannot be taken")
    unwanted = {*told.get("refuse", ()), *told.get("ignore", ())}
    for kind, delivery_id, body in given:
        if delivery_id not in unwanted:
            stand_in.take(kind, delivery_id, body, device_id)
    return {
        "accepted": [delivery_id for _, delivery_id, _ in given if delivery_id not in unwanted],
        "refused": [{"delivery_id": i, "why": "never"} for _, i, _ in given if i in told.get("refuse", ())],
    }


def add_control(app: FastAPI, stand_in: StandIn, faults: Faults) -> None:
    """``GET /control`` tells what was asked; ``PUT`` changes faults, behaviour, people and tokens."""

    @app.get("/control")
    def asked() -> dict[str, int]:
        return dict(faults.requests)

    @app.put("/control")
    def control(body: Annotated[dict[str, Any], Body()]) -> None:
        if "faults" in body:
            faults.faults[:] = [Fault(**fault) for fault in body["faults"]]
        stand_in.behaviour.update(body.get("behaviour", {}))
        for psn_no, person in body.get("people", {}).items():
            stand_in.db.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (psn_no, json.dumps(person)))
        if "staff" in body:
            stand_in.db.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (_STAFF, json.dumps(body["staff"])))
        stand_in.enrol_token = body.get("enrol_token", stand_in.enrol_token)
        for device_id in body.get("revoke", ()):
            stand_in.db.execute("DELETE FROM devices WHERE device_id = ?", (device_id,))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device-token")
    parser.add_argument("--enrol-token")
    parser.add_argument("--fault", help="a kind of fault from the start, for every request")
    given = parser.parse_args()
    stand_in = StandIn(given.folder, given.device_token, given.enrol_token)
    app = make_app(stand_in)
    faults = Faults(app, [Fault(given.fault)] if given.fault else [])
    add_control(app, stand_in, faults)
    uvicorn.run(faults, host="127.0.0.1", port=given.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
