"""The review server itself, with faults around it: in a process of its own that is killed, and looked into afterwards.

``python -m tests.faults.review_server --folder DIR --port N --enrol-token T`` serves on SQLite with a local store.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from renzheng.contracts import SignedManifest
from renzheng.demo.town import INSTITUTION
from renzheng.ids import new_id
from server.access import digest_of_token
from server.app import create_app
from server.context import Server
from server.key_ring import KeyRing
from server.schema import create_schema
from server.settings import ServerSettings
from server.tables import Check, Clip, Device, District, Institution, InstitutionType
from tests.edge_agent.stand_in import ArrivedClip, Delivered, StandInServer
from tests.edge_agent.stand_in_faults import Fault, Faults

DISTRICT = "330281"


class ReviewServer(StandInServer):
    """The server as the campaign holds it, in place of the stand-in."""

    MODULE = "tests.faults.review_server"

    def deliveries(self) -> list[Delivered]:
        """The checks it took; one that came again with something else would have been refused, and wait on the box."""
        with self._session() as session:
            return [
                Delivered(
                    row.delivery_id, "check", {"check": {**row.body, "verdict": row.verdict}, "clip_due": row.clip_due},
                    row.device_id, 1, 0,
                )
                for row in session.scalars(select(Check).order_by(Check.id))
            ]  # fmt: skip

    def clips(self) -> list[ArrivedClip]:
        """The clips it took, each in the folder of the store."""
        with self._session() as session:
            return [
                ArrivedClip(clip.check.delivery_id, clip.sha256, _signed(clip), self.folder / "store" / clip.store_key)
                for clip in session.scalars(select(Clip).order_by(Clip.received_at))
            ]

    @contextmanager
    def _session(self) -> Iterator[Session]:
        server = opened(self.folder)
        try:
            with server.database.transaction(writes=False) as session:
                yield session
        finally:
            server.close()


def _signed(clip: Clip) -> str:
    return SignedManifest(manifest=clip.manifest, key_id=clip.key_id, signature=clip.signature).model_dump_json()


def opened(folder: Path) -> Server:
    """The server of a folder; its key ring is made with it."""
    keys = folder / "keys.json"
    if not keys.exists():
        folder.mkdir(parents=True, exist_ok=True)
        keys.write_text(KeyRing.made().text())
    return Server.opened(ServerSettings(data_dir=folder, key_ring=keys.read_text(), cookie_secure=False))


def fill(server: Server, enrol_token: str) -> None:
    """Make the tables, the institution and one box that may enrol."""
    create_schema(server.database.engine)
    now = datetime.now(UTC)
    with server.database.transaction() as session:
        session.add(District(code=DISTRICT, name="余姚市"))
        session.flush()
        session.add(
            Institution(
                id=new_id(), fixmedins_code=INSTITUTION, fixmedins_name="余姚大药房", hours={}, created_at=now,
                fixmedins_type=InstitutionType.PHARMACY, district_code=DISTRICT,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Device(
                id=new_id(), institution_id=session.scalars(select(Institution.id)).one(), label="柜台",
                enrol_token_digest=digest_of_token(enrol_token), enrol_token_until=now + timedelta(days=1),
                created_at=now,
            )
        )  # fmt: skip


def add_control(app: FastAPI, faults: Faults) -> None:
    """``PUT /control`` sets faults; ``GET`` says that it serves."""

    @app.get("/control")
    def asked() -> dict[str, int]:
        return dict(faults.requests)

    @app.put("/control")
    def control(body: Annotated[dict[str, Any], Body()]) -> None:
        faults.faults[:] = [Fault(**fault) for fault in body["faults"]]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--enrol-token", required=True)
    given = parser.parse_args()
    is_new = not (given.folder / "renzheng.sqlite").exists()
    server = opened(given.folder)
    if is_new:
        fill(server, given.enrol_token)
    app = create_app(server)
    faults = Faults(app)
    add_control(app, faults)
    uvicorn.run(faults, host="127.0.0.1", port=given.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
