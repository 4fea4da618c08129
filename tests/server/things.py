"""Things of Yuyao's pharmacy that addresses name, one of each kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import select

from renzheng.contracts import SampleQuality
from renzheng.ids import new_id
from server.permissions import Role
from server.tables import BulkEnrolment, BulkState, Check, CheckPiece, Clip, EnrolmentPhoto, Settlement
from tests.server import matrix
from tests.server.boxes import CLIP, begin, send_clip
from tests.server.checks.making import flagged, post
from tests.server.conftest import PHARMACY, YUYAO
from tests.server.matrix import Asked, Place
from tests.server.settlements.files import settlement

Named = dict[str, str]


def _photo(place: Place) -> Named:
    photo_id = matrix.photo(place)
    server = place.house.server
    with server.database.transaction() as session:
        photo = session.get_one(EnrolmentPhoto, photo_id)
        photo.quality = SampleQuality(components={}, measures={}, score=0.8).model_dump(mode="json")
    server.store.put(photo.store_key, server.keys.seal(b"\xff\xd8\xff", f"enrolment_photos.store_key:{photo_id}"))
    return {"photo_id": photo_id, "person_id": str(photo.person_id)}


def _basis(place: Place) -> Named:
    _, _, _, person_id, _, basis_id = matrix.basis(place).split("/")
    return {"person_id": person_id, "basis_id": basis_id}


def _approval(place: Place) -> Named:
    _, _, _, person_id, _, approval_id = matrix.approval(place).split("/")
    return {"person_id": person_id, "approval_id": approval_id}


def _check(place: Place) -> Named:
    name = new_id()
    assert post(place.house.box(), flagged(name)).json()["accepted"] == [name]
    with place.house.server.database.transaction(writes=False) as session:
        check_id = session.scalars(select(Check.id).where(Check.delivery_id == name)).one()
        piece_id = session.scalars(select(CheckPiece.id).where(CheckPiece.check_id == check_id)).first()
    return {"check_id": str(check_id), "piece_id": str(piece_id)}


def _clip(place: Place) -> Named:
    box = place.signing_box
    assert send_clip(box, begin(box, box).headers["Location"], "PATCH", CLIP).status_code == 204
    with place.house.server.database.transaction(writes=False) as session:
        return {"clip_id": session.scalars(select(Clip.id).order_by(Clip.id.desc())).first() or ""}


def _import(place: Place) -> Named:
    row = settlement(setl_id=new_id())
    text = ",".join(row) + "\n" + ",".join(row.values()) + "\n" + "," * (len(row) - 1) + "\n"
    asked = Asked("", files={"file": ("settlements.csv", text.encode())}, form={"kind": "settlements"})
    client = place.user(Role.ADMIN, YUYAO)
    answer = client.post("/v1/settlement-imports", files=asked.files, data=asked.form)
    assert answer.json()["added"] == 1, answer.text
    with place.house.server.database.transaction(writes=False) as session:
        found = session.scalars(select(Settlement.id).where(Settlement.setl_id == row["setl_id"])).one()
    return {"import_id": answer.json()["id"], "settlement_id": str(found)}


def _order(place: Place) -> Named:
    now, order_id = datetime.now(UTC), new_id()
    with place.house.server.database.transaction() as session:
        session.add(
            BulkEnrolment(
                id=order_id, digest=order_id, dry_run=True, state=BulkState.DONE, rows=0, photos_unused=0,
                district_code=YUYAO, started_by=order_id, started_at=now, finished_at=now,
            )
        )  # fmt: skip
    return {"order_id": order_id}


MAKERS: dict[str, Callable[[Place], Named]] = {
    "institution_id": lambda _: {"institution_id": PHARMACY},
    "code": lambda _: {"code": YUYAO},
    "user_id": lambda place: {"user_id": matrix.account(place)},
    "camera_id": lambda place: {"camera_id": str(matrix.camera(place)["id"])},
    "terminal_id": lambda place: {"terminal_id": str(matrix.terminal(place)["id"])},
    "bed_id": lambda place: {"bed_id": str(matrix.bed(place)["id"])},
    "device_id": lambda place: {"device_id": str(matrix.device(place)["device_id"])},
    "staff_id": lambda place: {"staff_id": matrix.member(place)},
    "basis_id": _basis,
    "approval_id": _approval,
    "photo_id": _photo,
    "person_id": _photo,
    "piece_id": _check,
    "check_id": _check,
    "clip_id": _clip,
    "import_id": _import,
    "settlement_id": _import,
    "order_id": _order,
    "hold_id": lambda place: {"hold_id": matrix.hold(place)},
}
"""By the parameter of the address; where two are named together, the more special one comes first."""


def named_in(place: Place, path: str) -> Named:
    """Values for the parameters of a path, of things that belong together."""
    named: Named = {}
    for name, make in MAKERS.items():
        if f"{{{name}}}" in path and name not in named:
            named |= {key: value for key, value in make(place).items() if f"{{{key}}}" in path}
    return named
