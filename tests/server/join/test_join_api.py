"""The join over HTTP, and who may ask for it."""

from __future__ import annotations

import pytest

from server.permissions import Role
from tests.server.conftest import HANGZHOU, NINGBO, OUTSIDE, House
from tests.server.join.rows import NOON, Paid, Seen, add_checks, add_settlements, make_box, make_import

SINCE = {"since": NOON.isoformat(), "until": NOON.replace(hour=6).isoformat()}


@pytest.fixture
def filled(house: House) -> House:
    """One settlement joined by number, one by time, one without a check, one elsewhere, and a check left over."""
    with house.server.database.transaction() as session:
        make_import(session)
        box = make_box(session)
        add_settlements(
            session, Paid("S1"), Paid("S2", "p2"), Paid("S3", "p3"), Paid("S4", "p4", institution_id=OUTSIDE)
        )
        add_checks(session, box, Seen("S1"), Seen("c2", "p2", at_s=9), Seen("c5", "p5"))
    return house


def test_a_run_is_asked_for_and_its_figures_are_read(filled: House) -> None:
    admin = filled.user(Role.ADMIN)
    before = admin.get("/v1/join-figures", params=SINCE).json()
    assert (before["unjoined"]["waiting"], before["checks_to_look_at"], before["checks_without_settlement"]) == (
        3,
        3,
        0,
    )
    run = admin.post("/v1/join-runs")
    assert (run.status_code, run.json()["newly_joined"], run.json()["finished"]) == (200, 2, True)
    after = admin.get("/v1/join-figures", params=SINCE).json()
    assert after["joined"] == {"setl_id": 1, "nearest_time": 1}
    assert {reason: count for reason, count in after["unjoined"].items() if count} == {"box_not_heard": 1}
    assert [after[f"checks{rest}"] for rest in ("", "_with_settlement", "_without_settlement", "_to_look_at")] == [
        3, 2, 1, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(("district", "settlements", "checks"), [(NINGBO, 3, 3), (HANGZHOU, 1, 0), (None, 4, 3)])
def test_figures_are_those_of_the_askers_district(
    filled: House, district: str | None, settlements: int, checks: int
) -> None:
    told = filled.user(Role.REVIEWER, district).get("/v1/join-figures", params=SINCE).json()
    assert (told["settlements"], told["checks"]) == (settlements, checks)


def test_figures_of_another_time_are_empty_and_an_empty_time_is_refused(filled: House) -> None:
    reviewer = filled.user(Role.REVIEWER)
    later = reviewer.get("/v1/join-figures", params={"since": SINCE["until"]}).json()
    assert (later["settlements"], later["checks"]) == (0, 0)
    wrong = reviewer.get("/v1/join-figures", params={"since": SINCE["until"], "until": SINCE["since"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "query.until")


@pytest.mark.parametrize(
    ("role", "run", "figures"),
    [
        (Role.ADMIN, 200, 200),
        (Role.REVIEWER, 403, 200),
        (Role.ENROLLER, 403, 403),
        (Role.AUDITOR, 403, 403),
        (Role.INSPECTOR, 403, 403),
    ],
)
def test_who_may(sqlite_house: House, role: Role, run: int, figures: int) -> None:
    user = sqlite_house.user(role)
    assert user.post("/v1/join-runs").status_code == run
    assert user.get("/v1/join-figures").status_code == figures
    assert sqlite_house.anybody().post("/v1/join-runs").status_code == 401
