"""Who may enter, and what they see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from fastapi import Depends
from sqlalchemy import select

from server.access import Box, LoggedIn, Needs, Subject, digest_of_token, scope_of, within
from server.audit_log.service import Deed, record
from server.context import Transaction
from server.permissions import Permission, Role
from server.tables import AuditEntry, Device, Institution, LoginSession
from tests.server.conftest import HANGZHOU, NINGBO, OUTSIDE, PHARMACY, YUYAO, House


@pytest.fixture
def open_house(house: House) -> House:
    """With routes of the tests' own."""
    app = house.app

    @app.get("/test/me")
    def me(subject: LoggedIn) -> str:
        return subject.user_id

    @app.post("/test/deed")
    def deed(
        subject: Annotated[Subject, Depends(Needs(Permission.EDIT_SITES))], session: Transaction, fails: bool = False
    ) -> str:
        record(session, Deed(subject.actor, "tested", "institution", PHARMACY))
        if fails:
            raise RuntimeError("as a test")
        return "done"

    @app.get("/test/institutions")
    def institutions(subject: LoggedIn, session: Transaction) -> list[str]:
        return list(session.scalars(within(select(Institution.fixmedins_code), Institution.district_code, subject)))

    @app.get("/test/box")
    def box(asking: Box) -> str:
        return asking.fixmedins_code

    return house


@pytest.mark.parametrize(
    ("code", "scope"), [(None, ""), ("330000", "33"), ("330200", "3302"), ("330281", "330281"), ("000000", "")]
)
def test_a_district_holds_those_below_it(code: str | None, scope: str) -> None:
    assert scope_of(code) == scope


def test_nobody_enters_without_a_session(open_house: House) -> None:
    assert open_house.anybody().get("/test/me").status_code == 401
    assert open_house.anybody().get("/test/box").status_code == 401


def test_a_user_is_known_by_the_cookie(open_house: House) -> None:
    client = open_house.user(Role.REVIEWER)
    assert client.get("/test/me").json() == client.headers["X-Test-User"]


def test_a_session_that_is_too_old_or_was_not_used_has_ended(open_house: House) -> None:
    client = open_house.user(Role.REVIEWER)
    now = datetime.now(UTC)
    for change in ({"expires_at": now}, {"expires_at": now + timedelta(hours=1), "used_at": now - timedelta(hours=1)}):
        with open_house.server.database.transaction() as session:
            for name, value in change.items():
                setattr(session.scalars(select(LoginSession)).one(), name, value)
        assert client.get("/test/me").status_code == 401


def test_what_changes_something_needs_the_role_and_the_token_of_the_session(open_house: House) -> None:
    assert open_house.user(Role.REVIEWER).post("/test/deed").status_code == 403
    admin = open_house.user(Role.ADMIN)
    assert admin.post("/test/deed").json() == "done"
    admin.headers["X-CSRF-Token"] = "another"
    assert admin.post("/test/deed").status_code == 403


def test_a_deed_is_in_the_log_when_its_transaction_was_committed_and_else_not(open_house: House) -> None:
    admin = open_house.user(Role.ADMIN)
    admin.post("/test/deed")
    assert admin.post("/test/deed", params={"fails": True}).status_code == 500
    with open_house.server.database.transaction(writes=False) as session:
        entries = session.scalars(select(AuditEntry)).all()
    assert [(entry.number, entry.action, entry.actor_id) for entry in entries] == [
        (1, "tested", admin.headers["X-Test-User"])
    ]


@pytest.mark.parametrize(("district", "outside"), [(YUYAO, False), (NINGBO, False), (HANGZHOU, True), (None, True)])
def test_everybody_sees_their_district(open_house: House, district: str | None, outside: bool) -> None:
    seen = open_house.user(Role.ADMIN, district).get("/test/institutions").json()
    assert (OUTSIDE in seen) is outside
    assert (PHARMACY in seen) is (district != HANGZHOU)


def test_a_box_is_known_by_its_token_until_that_is_revoked(open_house: House) -> None:
    box = open_house.box()
    assert box.get("/test/box").json() == PHARMACY
    with open_house.server.database.transaction() as session:
        token = box.headers["Authorization"].removeprefix("Bearer ")
        device = session.scalars(select(Device).where(Device.token_digest == digest_of_token(token))).one()
        device.revoked_at = datetime.now(UTC)
    assert box.get("/test/box").status_code == 401
