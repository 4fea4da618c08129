"""What every route that changes something is asked, and what becomes of it: one row a route.

``tests/server/test_routes.py`` asks each row's question as people of every role and district. A route without a row
fails there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from renzheng.crypto import SigningKey
from renzheng.ids import new_id
from server.access import CSRF_HEADER, SESSION_COOKIE
from server.app import create_app
from server.audit_log.service import SYSTEM
from server.permissions import Role
from server.tables import FaceTemplate, Purpose
from server.users import passwords, service
from tests.server.conftest import PHARMACY, YUYAO, House, opened
from tests.server.people.making import make_approval, make_member, make_person, unit

KEY = SigningKey(b"k" * 32)
PASSWORD = "correct horse battery"
ANOTHER_PASSWORD = "staple battery horse"


@dataclass
class Place:
    """A server, and somebody of every role in every district, logged in."""

    house: House
    people: dict[tuple[Role, str | None], TestClient] = field(default_factory=dict)

    def user(self, role: Role, district_code: str | None) -> TestClient:
        """The same client each time."""
        key = (role, district_code)
        if key not in self.people:
            self.people[key] = self.house.user(role, district_code)
        return self.people[key]

    @cached_property
    def signing_box(self) -> TestClient:
        """A box of the pharmacy that signs with :data:`KEY`."""
        return self.house.box(PHARMACY, KEY.public)

    def made(self, role: Role, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What somebody of Yuyao made."""
        answer = self.user(role, YUYAO).post(path, json=body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told


@dataclass
class Asked:
    """One request. ``client`` asks it where it is not the person of the matrix."""

    path: str
    body: Any = None
    files: Any = None
    form: Any = None
    client: TestClient | None = None


@dataclass(frozen=True)
class Row:
    """How a route is asked, about a thing of Yuyao's pharmacy that is made for each asker anew.

    ``outside`` is what an asker of another district is told.
    """

    ask: Callable[[Place], Asked]
    status: int = 200
    outside: int = 404


@contextmanager
def place_over(url: str, folder: Path) -> Iterator[Place]:
    """A server with passwords that cost little."""
    server = opened(url, folder)
    costly, passwords._HASHER = passwords._HASHER, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    try:
        yield Place(House(server, create_app(server)))
    finally:
        passwords._HASHER = costly
        server.close()


def name() -> str:
    """A name that nothing else has."""
    return new_id()


def _place(kind: str, body: Callable[[], dict[str, Any]]) -> Callable[[Place], dict[str, Any]]:
    return lambda place: place.made(Role.ADMIN, f"/v1/institutions/{PHARMACY}/{kind}", body())


camera = _place("cameras", lambda: {"camera_id": name(), "label": "柜台"})
terminal = _place("terminals", lambda: {"terminal_id": name()})
bed = _place("beds", lambda: {"bed_id": name(), "ward": "内科"})
device = _place("devices", lambda: {"label": "柜台"})


def person_body(psn_no: str) -> dict[str, Any]:
    """A person of Yuyao."""
    return {"psn_no": psn_no, "insuplc_admdvs": YUYAO, "psn_name": "张三丰"}


def person(place: Place) -> str:
    """Somebody with a photo and a legal basis."""
    return make_person(place.house.server, name(), vectors=[unit(1)], purposes=[Purpose.IDENTITY_CHECK])


def member(place: Place) -> str:
    """Somebody who works at the pharmacy."""
    return make_member(place.house.server, PHARMACY, name())


def photo(place: Place) -> str:
    """A photo of somebody."""
    owner = person(place)
    with place.house.server.database.transaction() as session:
        found = session.query(FaceTemplate.photo_id).filter_by(person_id=owner).one()
    return str(found[0])


def basis(place: Place) -> str:
    """Path of a legal basis of somebody."""
    path = f"/v1/people/{person(place)}/bases"
    told = place.made(Role.ENROLLER, path, BASIS)
    return f"{path}/{told['id']}"


def approval(place: Place) -> str:
    """Path of somebody's approval to act for somebody."""
    holder, agent = person(place), person(place)
    return f"/v1/people/{holder}/agents/{make_approval(place.house.server, holder, agent)}"


BASIS = {"purpose": "identity_check", "basis": "statutory_duty", "version": "2026-1"}


def account(place: Place) -> str:
    """An account of Yuyao."""
    with place.house.server.database.transaction() as session:
        user = service.add_user(
            session, SYSTEM, name(), "王芳", Role.REVIEWER, YUYAO, passwords.hash_of(PASSWORD), expired=False
        )
    return user.id


def logged_in(place: Place) -> TestClient:
    """Somebody with a password of their own."""
    user_id = account(place)
    with place.house.server.database.transaction() as session:
        login = service.repository.user_of_id(session, user_id).login  # type: ignore[union-attr]
    client = place.house.anybody()
    told = client.post("/v1/login", json={"login": login, "password": PASSWORD})
    assert SESSION_COOKIE in client.cookies
    client.headers[CSRF_HEADER] = told.json()["csrf_token"]
    return client


def _hold_on(person_id: str) -> dict[str, Any]:
    return {"object_kind": "person", "object_id": person_id, "why": "案件 7"}


def hold(place: Place) -> str:
    """A legal hold on somebody."""
    return str(place.made(Role.CASE_OFFICER, "/v1/legal-holds", _hold_on(person(place)))["id"])


SETTLEMENTS = b"setl_id,psn_no,fixmedins_code,setl_time,medfee_sumamt\n"


def agent_of(place: Place) -> Asked:
    """An approval of somebody who is known."""
    agent, holder = name(), person(place)
    make_person(place.house.server, agent)
    body = {"agent_psn_no": agent, "relation": "女儿", "valid_from": datetime.now(UTC).isoformat()}
    return Asked(f"/v1/people/{holder}/agents", body)


ROWS: dict[str, Row] = {
    "POST /v1/users": Row(
        lambda _: Asked(
            "/v1/users",
            {"login": name(), "display_name": "王芳", "role": "reviewer", "district_code": YUYAO, "password": PASSWORD},
        ),
        201,
        outside=422,  # no such district among theirs, and nothing else is named
    ),
    "PATCH /v1/users/{user_id}": Row(lambda p: Asked(f"/v1/users/{account(p)}", {"role": "enroller"})),
    "PUT /v1/users/{user_id}/password": Row(
        lambda p: Asked(f"/v1/users/{account(p)}/password", {"password": ANOTHER_PASSWORD}), 204
    ),
    "PUT /v1/districts/{code}": Row(lambda _: Asked(f"/v1/districts/{YUYAO}", {"name": "余姚市"})),
    "POST /v1/institutions": Row(
        lambda _: Asked(
            "/v1/institutions",
            {"fixmedins_code": name(), "fixmedins_name": "药店", "fixmedins_type": "2", "district_code": YUYAO},
        ),
        201,
    ),
    "PUT /v1/institutions/{institution_id}": Row(
        lambda _: Asked(f"/v1/institutions/{PHARMACY}", {"fixmedins_name": "余姚大药房", "fixmedins_type": "2"})
    ),
    "POST /v1/institutions/{institution_id}/cameras": Row(
        lambda _: Asked(f"/v1/institutions/{PHARMACY}/cameras", {"camera_id": name(), "label": ""}), 201
    ),
    "PUT /v1/cameras/{camera_id}": Row(lambda p: Asked(f"/v1/cameras/{camera(p)['id']}", {"label": "门口"})),
    "POST /v1/cameras/{camera_id}/release": Row(lambda p: Asked(f"/v1/cameras/{camera(p)['id']}/release")),
    "POST /v1/institutions/{institution_id}/terminals": Row(
        lambda _: Asked(f"/v1/institutions/{PHARMACY}/terminals", {"terminal_id": name()}), 201
    ),
    "PUT /v1/terminals/{terminal_id}": Row(lambda p: Asked(f"/v1/terminals/{terminal(p)['id']}", {})),
    "POST /v1/institutions/{institution_id}/beds": Row(
        lambda _: Asked(f"/v1/institutions/{PHARMACY}/beds", {"bed_id": name(), "ward": "内科"}), 201
    ),
    "PUT /v1/beds/{bed_id}": Row(lambda p: Asked(f"/v1/beds/{bed(p)['id']}", {"ward": "外科"})),
    "POST /v1/institutions/{institution_id}/devices": Row(
        lambda _: Asked(f"/v1/institutions/{PHARMACY}/devices", {"label": "柜台"}), 201
    ),
    "POST /v1/devices/{device_id}/enrolment-tokens": Row(
        lambda p: Asked(f"/v1/devices/{device(p)['device_id']}/enrolment-tokens", {}), 201
    ),
    "POST /v1/devices/{device_id}/revocation": Row(lambda p: Asked(f"/v1/devices/{device(p)['device_id']}/revocation")),
    "PUT /v1/devices/{device_id}": Row(lambda p: Asked(f"/v1/devices/{device(p)['device_id']}", {"label": "门口"})),
    "POST /v1/people": Row(lambda _: Asked("/v1/people", person_body(name())), 201),
    "POST /v1/people/search": Row(
        lambda p: Asked("/v1/people/search", {"purpose": "核对", "psn_no": "nobody"}),
        outside=200,  # and nobody is found
    ),
    "PUT /v1/people/{person_id}": Row(lambda p: _changed_person(p)),
    "POST /v1/people/{person_id}/bases": Row(lambda p: Asked(f"/v1/people/{person(p)}/bases", BASIS), 201),
    "POST /v1/people/{person_id}/bases/{basis_id}/withdrawal": Row(lambda p: Asked(f"{basis(p)}/withdrawal")),
    "POST /v1/people/{person_id}/agents": Row(agent_of, 201),
    "POST /v1/people/{person_id}/agents/{approval_id}/revocation": Row(lambda p: Asked(f"{approval(p)}/revocation")),
    "POST /v1/people/{person_id}/erasure": Row(lambda p: Asked(f"/v1/people/{person(p)}/erasure", {"why": "申请 12"})),
    # no picture: read, and refused for what it is
    "POST /v1/people/{person_id}/photos": Row(
        lambda p: Asked(f"/v1/people/{person(p)}/photos", files={"photo": b"no picture"}), 422
    ),
    "POST /v1/staff/{staff_id}/photos": Row(
        lambda p: Asked(f"/v1/staff/{member(p)}/photos", files={"photo": b"no picture"}), 422
    ),
    "POST /v1/photos/{photo_id}/revocation": Row(lambda p: Asked(f"/v1/photos/{photo(p)}/revocation")),
    "DELETE /v1/photos/{photo_id}": Row(lambda p: Asked(f"/v1/photos/{photo(p)}"), 204),
    "POST /v1/institutions/{institution_id}/staff": Row(
        lambda _: Asked(
            f"/v1/institutions/{PHARMACY}/staff", {"staff_no": name(), "name": "李药师", "basis_version": "1"}
        ),
        201,
    ),
    "POST /v1/staff/{staff_id}/departure": Row(lambda p: Asked(f"/v1/staff/{member(p)}/departure")),
    "POST /v1/staff/{staff_id}/erasure": Row(lambda p: Asked(f"/v1/staff/{member(p)}/erasure", {"why": "申请 13"})),
    # no files: read, and refused for what is missing; an order is its asker's own, so nobody is outside
    "POST /v1/bulk-enrolments": Row(lambda _: Asked("/v1/bulk-enrolments", files={"more": b"x"}), 422, outside=422),
    # each row of a file has its own district: of others' institutions nothing is taken
    "POST /v1/settlement-imports": Row(
        lambda _: Asked(
            "/v1/settlement-imports", files={"file": ("settlements.csv", SETTLEMENTS)}, form={"kind": "settlements"}
        ),
        201,
        outside=201,
    ),
    "POST /v1/settlements/search": Row(
        lambda _: Asked("/v1/settlements/search", {"psn_no": "nobody"}),
        outside=200,  # and nothing is found
    ),
    "POST /v1/legal-holds": Row(lambda p: Asked("/v1/legal-holds", _hold_on(person(p))), 201),
    "POST /v1/legal-holds/{hold_id}/release": Row(lambda p: Asked(f"/v1/legal-holds/{hold(p)}/release")),
    # joins what is there in all districts, as the server does by itself
    "POST /v1/join-runs": Row(lambda _: Asked("/v1/join-runs"), outside=200),
}
"""Of a route that asks for a permission: the question, and the answer to whoever has it."""

OWN: dict[str, Row] = {
    "POST /v1/logout": Row(lambda p: Asked("/v1/logout", client=logged_in(p)), 204),
    "PUT /v1/me/password": Row(
        lambda p: Asked(
            "/v1/me/password",
            {"old_password": PASSWORD, "new_password": ANOTHER_PASSWORD},
            client=logged_in(p),
        ),
        204,
    ),
}
"""Of a route about the asker alone."""

OPEN = {
    "POST /v1/login",  # opens a session
    "POST /v1/devices/enroll",  # with a token that is good once
}
"""Routes that anybody may ask; their own tests say what they refuse."""


def _changed_person(place: Place) -> Asked:
    told = place.made(Role.ENROLLER, "/v1/people", person_body(name()))
    return Asked(f"/v1/people/{told['id']}", person_body(told["psn_no"]) | {"psn_name": "李四"})
