"""A box that uploads clips to a server in this process."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import select

from renzheng.contracts import ClipManifest, ManifestSegment, SignedManifest
from renzheng.crypto import SigningKey
from server.context import Server
from server.tables import Clip, ClipUpload
from tests.edge_agent.builders import NOON, PACK
from tests.server.checks.making import delivery, post, swipe
from tests.server.conftest import PHARMACY, House

VIDEO = b"a clip of some seconds " * 1000
BYTES = "application/offset+octet-stream"


def manifest(device_id: str, video: bytes = VIDEO, **given: Any) -> ClipManifest:
    """Of a clip of S1."""
    facts: dict[str, Any] = {
        "clip_id": "S1",
        "device_id": device_id,
        "fixmedins_code": PHARMACY,
        "camera_id": "counter",
        "sha256": hashlib.sha256(video).hexdigest(),
        "size_bytes": len(video),
        "start": NOON - timedelta(seconds=8),
        "end": NOON + timedelta(seconds=4),
        "codec": "h264",
        "time_base": "1/90000",
        "masked": False,
        "segments": (ManifestSegment(name="a.mp4", sha256="0" * 64, start=NOON, end=NOON),),
        "clock_offset_s": 0.0,
        "pack": PACK,
        "thresholds_name": "opencv-zoo",
        "thresholds_digest": "ab" * 32,
        "agent_version": "0.1.0",
        "made_at": NOON,
    }
    return ClipManifest(**(facts | given))


def signed(told: ClipManifest, key: SigningKey) -> SignedManifest:
    """The manifest with a device's signature."""
    text = told.model_dump_json()
    return SignedManifest(manifest=text, key_id=key.key_id, signature=key.sign(text.encode()))


@dataclass
class Uploader:
    """A box whose check S1 was taken."""

    house: House
    key: SigningKey = field(default_factory=lambda: SigningKey(b"k" * 32))
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.house.box(public_key=self.key.public)
        self.client.headers["Tus-Resumable"] = "1.0.0"
        assert post(self.client, delivery(swipe(), clip_due=True)).json()["accepted"] == ["S1"]

    @property
    def device_id(self) -> str:
        return self.client.headers["X-Test-Device"]

    def metadata(self, video: bytes = VIDEO, **given: Any) -> dict[str, str]:
        """What is told of a clip; a ``manifest`` or a ``key`` may be another's."""
        key = given.pop("key", self.key)
        told = given.pop(
            "manifest", manifest(**({"device_id": self.device_id, "video": video} | given.pop("facts", {})))
        )
        facts = {
            "filename": "S1.mp4",
            "filetype": "video/mp4",
            "check_id": "S1",
            "sha256": hashlib.sha256(video).hexdigest(),
            "manifest": signed(told, key).model_dump_json() if isinstance(told, ClipManifest) else told,
        }
        return facts | given

    def begin(self, metadata: dict[str, str] | None = None, size: int = len(VIDEO), **headers: str) -> Response:
        """Begin an upload."""
        told = self.metadata() if metadata is None else metadata
        text = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
        return self.client.post("/v1/clips/", headers={"Upload-Length": str(size), "Upload-Metadata": text} | headers)

    def begun(self) -> str:
        """Address of a new upload."""
        answer = self.begin()
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    def send(self, url: str, offset: int, data: bytes, **headers: str) -> Response:
        """Send bytes."""
        told = {"Upload-Offset": str(offset), "Content-Type": BYTES}
        return self.client.patch(url, content=data, headers=told | headers)

    def offset(self, url: str) -> int | None:
        """How far the server says it is; ``None`` when it does not know the upload."""
        answer = self.client.head(url)
        return int(answer.headers["Upload-Offset"]) if answer.status_code == 200 else None

    def upload(self, video: bytes = VIDEO) -> str:
        """A whole clip; its address."""
        url = self.begun()
        assert self.send(url, 0, video).status_code == 204
        return url


def clips(server: Server) -> list[Clip]:
    """The clips that were taken."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(Clip)))


def uploads(server: Server) -> list[ClipUpload]:
    """The uploads that are known."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(ClipUpload).order_by(ClipUpload.id)))
