"""People, staff and templates put straight into a server, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from renzheng.ids import new_id
from server.access import Subject
from server.audit_log.service import SYSTEM
from server.context import Server
from server.people.bases import add_basis
from server.people.messages import BasisFields, PersonFields
from server.people.service import save_person
from server.people.templates import seal_template
from server.permissions import Role
from server.tables import (
    AgentApproval,
    AuditEntry,
    Base,
    BasisKind,
    EnrolmentPhoto,
    FaceTemplate,
    InsuredPerson,
    Purpose,
    StaffMember,
)
from tests.server.conftest import YUYAO
from vision.types import FloatArray

EMBEDDER = "e" * 64
VALUES = 128
CHECKED = (Purpose.IDENTITY_CHECK,)
CERTNO = "11010519491231002X"

SYSTEM_SUBJECT = Subject("user", "user", "测试", Role.ENROLLER, None)


def unit(seed: int) -> FloatArray:
    """A unit vector (128,) of its own."""
    row = np.random.default_rng(seed).standard_normal(VALUES)
    return (row / np.linalg.norm(row)).astype(np.float32)


def near(vector: FloatArray, cosine: float, seed: int = 99) -> FloatArray:
    """A unit vector at that cosine from another."""
    other = unit(seed)
    other = other - (other @ vector) * vector
    return (cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)).astype(np.float32)


def person_fields(psn_no: str = "p1", district: str = YUYAO, name: str = "张三丰", **more: str) -> PersonFields:
    """Fields of somebody."""
    return PersonFields.model_validate({"psn_no": psn_no, "insuplc_admdvs": district, "psn_name": name, **more})


def make_person(
    server: Server,
    psn_no: str = "p1",
    district: str = YUYAO,
    *,
    purposes: Iterable[Purpose] = CHECKED,
    vectors: Iterable[FloatArray] = (),
    embedder: str = EMBEDDER,
) -> str:
    """Enter somebody with templates of these vectors; returns the id."""
    with server.database.transaction() as session:
        person = save_person(session, server, person_fields(psn_no, district), SYSTEM)
        for purpose in purposes:
            fields = BasisFields(purpose=purpose, basis=BasisKind.STATUTORY_DUTY, version="2026-1")
            add_basis(session, server, person, fields, SYSTEM)
        for vector in vectors:
            photo = _photo(session_owner={"person_id": person.id})
            session.add(photo)
            session.flush()
            session.add(_template(server, photo, vector, embedder))
        return person.id


def make_member(server: Server, institution_id: str, staff_no: str, vectors: Iterable[FloatArray] = ()) -> str:
    """Enter a member of staff with templates of these vectors; returns the id."""
    staff_id = new_id()
    with server.database.transaction() as session:
        session.add(
            StaffMember(
                id=staff_id, institution_id=institution_id, staff_no=staff_no, basis_version="2026-1",
                name_sealed=server.keys.seal_text("李药师", f"staff_members.name_sealed:{staff_id}"),
                created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        session.flush()
        for vector in vectors:
            photo = _photo(session_owner={"staff_id": staff_id})
            session.add(photo)
            session.flush()
            session.add(_template(server, photo, vector, EMBEDDER))
    return staff_id


def _photo(session_owner: dict[str, str]) -> EnrolmentPhoto:
    photo_id, owner = new_id(), next(iter(session_owner.values()))
    return EnrolmentPhoto(
        id=photo_id, store_key=f"photos/{owner}/{photo_id}", sha256_index=photo_id, quality={},
        created_at=datetime.now(UTC), created_by="user", **session_owner,
    )  # fmt: skip


def _template(server: Server, photo: EnrolmentPhoto, vector: FloatArray, embedder: str) -> FaceTemplate:
    template_id = new_id()
    return FaceTemplate(
        id=template_id, person_id=photo.person_id, staff_id=photo.staff_id, photo_id=photo.id, pack="opencv-zoo",
        embedder_sha256=embedder, sealed=seal_template(server.keys, template_id, vector),
        created_at=datetime.now(UTC),
    )  # fmt: skip


def make_approval(
    server: Server,
    holder_id: str,
    agent_id: str,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
) -> str:
    """Let somebody act for a holder, from a month ago where it is not told."""
    approval_id = new_id()
    with server.database.transaction() as session:
        session.add(
            AgentApproval(
                id=approval_id, holder_id=holder_id, agent_id=agent_id, relation="女儿", valid_to=valid_to,
                valid_from=valid_from or datetime.now(UTC) - timedelta(days=30), approved_by="user",
            )
        )  # fmt: skip
    return approval_id


def rows_of(server: Server, table: type[Base]) -> int:
    """How many rows a table has."""
    with server.database.transaction(writes=False) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def the_person(server: Server, psn_no: str = "p1") -> InsuredPerson:
    """A person who is there."""
    with server.database.transaction(writes=False) as session:
        return session.scalars(select(InsuredPerson).where(InsuredPerson.psn_no == psn_no)).one()


def logged(server: Server, *actions: str) -> list[AuditEntry]:
    """Entries of the audit log with these actions, in order."""
    with server.database.transaction(writes=False) as session:
        found = select(AuditEntry).where(AuditEntry.action.in_(actions)).order_by(AuditEntry.number)
        return list(session.scalars(found))


def body(psn_no: str = "p1", **more: str) -> dict[str, str]:
    """A person as a request has them."""
    return {"psn_no": psn_no, "insuplc_admdvs": YUYAO, "psn_name": "张三丰", "certno": CERTNO, **more}


def entered(client: TestClient, psn_no: str = "p1", **more: str) -> str:
    """Enter a person by request; returns the id."""
    answer = client.post("/v1/people", json=body(psn_no, **more))
    assert answer.status_code == 201, answer.text
    person_id: str = answer.json()["id"]
    return person_id
