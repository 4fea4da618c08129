"""What every route of boxes is asked about a thing of one box, by itself, by its neighbour and by one elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from renzheng.contracts import ClipManifest, SignedManifest
from renzheng.ids import new_id
from tests.edge_agent.builders import PACK, a_check
from tests.server.conftest import PHARMACY
from tests.server.matrix import KEY, Place
from tests.server.people.making import EMBEDDER, make_person, unit

CLIP = b"as if it were a video"
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class BoxRow:
    """``ask`` gets the owner and who asks, and tells what came of it."""

    ask: Callable[[Place, TestClient, TestClient], Any]
    owner: Any
    colleague: Any
    outsider: Any


def _batch(device_id: str, check_id: str) -> dict[str, Any]:
    check = a_check(swipe_id=check_id, fixmedins_code=PHARMACY, at=datetime.now(UTC) - timedelta(minutes=1))
    delivery = {
        "delivery_id": check_id,
        "finished_at": datetime.now(UTC).isoformat(),
        "clip_due": True,
        "check": check.model_dump(mode="json"),
    }
    return {"device_id": device_id, "checks": [delivery]}


def _id(box: TestClient) -> str:
    return str(box.headers["X-Test-Device"])


def deliver_as(_place: Place, owner: TestClient, asker: TestClient) -> int:
    """A batch that says it is the owner's."""
    return asker.post("/v1/checks", json=_batch(_id(owner), new_id())).status_code


def deliver(_place: Place, _owner: TestClient, asker: TestClient) -> int:
    """How many checks of the owner's institution are taken."""
    told = asker.post("/v1/checks", json=_batch(_id(asker), new_id())).json()
    return len(told["accepted"])


def deliver_over(_place: Place, owner: TestClient, asker: TestClient) -> int:
    """How many are taken, with other content, under an id that the owner used: ids are a box's own."""
    check_id = new_id()
    assert owner.post("/v1/checks", json=_batch(_id(owner), check_id)).status_code == 200
    return len(asker.post("/v1/checks", json=_batch(_id(asker), check_id)).json()["accepted"])


def templates(place: Place, _owner: TestClient, asker: TestClient) -> bool:
    """Whether templates come of a person of the owner's district."""
    psn_no = new_id()
    make_person(place.house.server, psn_no, vectors=[unit(1)])
    question = {"psn_no": psn_no, "at": datetime.now(UTC).isoformat(), "embedder_sha256": EMBEDDER}
    return asker.post("/v1/templates", json=question).json()["holder"] is not None


def begin(owner: TestClient, asker: TestClient) -> Any:
    """The answer to who begins an upload of the clip of an owner's check."""
    check_id = new_id()
    assert owner.post("/v1/checks", json=_batch(_id(owner), check_id)).json()["accepted"] == [check_id]
    now = datetime.now(UTC)
    sha256 = hashlib.sha256(CLIP).hexdigest()
    manifest = ClipManifest(
        clip_id=check_id, device_id=_id(owner), fixmedins_code=PHARMACY, camera_id="counter", sha256=sha256,
        size_bytes=len(CLIP), start=now - timedelta(seconds=8), end=now, codec="h264", time_base="1/90000",
        masked=False, segments=(), clock_offset_s=0.0, pack=PACK, thresholds_name="opencv-zoo",
        thresholds_digest="ab" * 32, agent_version="1.0.0", made_at=now,
    ).model_dump_json()  # fmt: skip
    signed = SignedManifest(manifest=manifest, key_id=KEY.key_id, signature=KEY.sign(manifest.encode()))
    told = {
        "filename": "clip.mp4", "filetype": "video/mp4", "check_id": check_id, "sha256": sha256,
        "manifest": signed.model_dump_json(),
    }  # fmt: skip
    metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in told.items())
    return asker.post("/v1/clips/", headers=TUS | {"Upload-Length": str(len(CLIP)), "Upload-Metadata": metadata})


def begin_upload(_place: Place, owner: TestClient, asker: TestClient) -> int:
    """Begin the clip of an owner's check."""
    return int(begin(owner, asker).status_code)


def _on_upload(method: str) -> Callable[[Place, TestClient, TestClient], int]:
    def ask(_place: Place, owner: TestClient, asker: TestClient) -> int:
        address = begin(owner, owner).headers["Location"]
        return send_clip(asker, address, method, CLIP if method == "PATCH" else None).status_code

    return ask


def send_clip(asker: TestClient, address: str, method: str, content: bytes | None) -> Response:
    """Ask something of an upload."""
    headers = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    return asker.request(method, address, headers=headers, content=content)


BOX_ROWS: dict[str, list[BoxRow]] = {
    "POST /v1/checks": [
        BoxRow(deliver_as, 200, 422, 422),
        BoxRow(deliver, 1, 1, 0),
        BoxRow(deliver_over, 0, 1, 0),
    ],
    "POST /v1/templates": [BoxRow(templates, True, True, False)],
    "POST /v1/clips/": [BoxRow(begin_upload, 201, 422, 422)],
    "PATCH /v1/clips/{uuid}": [BoxRow(_on_upload("PATCH"), 204, 404, 404)],
    "DELETE /v1/clips/{uuid}": [BoxRow(_on_upload("DELETE"), 204, 404, 404)],
}
"""Of a route that a box asks: the questions, and what becomes of them."""
