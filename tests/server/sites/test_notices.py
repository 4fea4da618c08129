"""Notices: opened once, kept open, ended when it is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from renzheng.contracts.reasons import Reason
from renzheng.contracts.report import CameraState
from server.access import BoxSubject
from server.permissions import Role
from server.sites.notices import find_quiet_boxes
from server.sites.reports import take_report
from server.tables import Device, Institution, SiteNotice
from tests.server.conftest import HANGZHOU, NINGBO, OUTSIDE, PHARMACY, YUYAO, House
from tests.server.sites.box_reports import NOON, PERIOD, camera, enrolled, fitness, open_notices, reading, report, take


def quiet(house: House, now: datetime) -> int:
    with house.server.database.transaction() as session:
        return find_quiet_boxes(session, now, house.server.settings)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_box_that_is_not_heard_of_has_gone_quiet_once_until_it_is_heard_of_again(house: House) -> None:
    box = enrolled(house)
    take(house, box, report(box))
    assert quiet(house, after(29)) == 0
    assert [quiet(house, after(minutes)) for minutes in (31, 32)] == [1, 0]
    assert open_notices(house) == {"box_quiet": {"last_seen_at": "2026-11-20T04:00:01+00:00"}}
    take(house, box, report(box, at=after(40)))
    assert open_notices(house) == {}
    assert quiet(house, after(90)) == 1
    with reading(house.server) as session:
        spans = session.execute(select(SiteNotice.began_at, SiteNotice.ended_at).order_by(SiteNotice.id)).all()
    assert [(began, ended is None) for began, ended in spans] == [(after(31), False), (after(90), True)]


def test_a_quiet_box_is_found_by_when_it_was_enrolled_if_it_never_said_anything(house: House) -> None:
    box = enrolled(house)
    with house.server.database.transaction() as session:
        session.get_one(Device, box.device_id).enrolled_at = NOON
    assert quiet(house, after(31)) == 1
    assert open_notices(house) == {"box_quiet": {"last_seen_at": None}}


def test_nobody_waits_for_a_box_that_was_revoked_or_never_enrolled_or_whose_institution_closed(house: House) -> None:
    boxes = [enrolled(house), enrolled(house), enrolled(house, OUTSIDE)]
    for box in boxes:
        take(house, box, report(box))
    assert quiet(house, after(31)) == 3
    with house.server.database.transaction() as session:
        session.get_one(Device, boxes[0].device_id).revoked_at = after(32)
        session.get_one(Device, boxes[1].device_id).enrolled_at = None
        session.get_one(Device, boxes[1].device_id).last_seen_at = None
        session.get_one(Institution, OUTSIDE).closed_at = after(32)
    quiet(house, after(33))
    with reading(house.server) as session:
        still = session.scalars(select(SiteNotice.object_id).where(SiteNotice.ended_at.is_(None))).all()
    assert still == [boxes[1].device_id]  # it was heard of when the notice was opened, so that somebody ends it
    with house.server.database.transaction() as session:
        session.delete(session.scalars(select(SiteNotice).where(SiteNotice.ended_at.is_(None))).one())
    assert quiet(house, after(90)) == 0


def shown(house: House, box: BoxSubject, minutes: float, **told: Any) -> dict[str, dict[str, Any]]:
    """Notices after the report of a camera that is told so."""
    at = after(minutes)
    if "fitness" in told:
        told["fitness"] = fitness(at, **told["fitness"])
    take(house, box, report(box, camera(at=at, **told), at=at))
    return open_notices(house)


def test_a_camera_that_cannot_identify_anyone_is_told_until_it_can(house: House) -> None:
    box = enrolled(house)
    poor = shown(house, box, 0, fitness={"assessable_share": 0.1, "eye_distance_px": 12.0})
    assert poor == {
        "camera_unfit": {
            "causes": ["face_too_small", "few_assessable_faces"],
            "faces": 100,
            "assessable_share": 0.1,
            "eye_distance_px": 12.0,
        }
    }
    few = {"faces": 19, "assessable_share": 1.0}
    assert shown(house, box, 5, fitness=few) == poor  # too few to say that it is better
    assert shown(house, box, 10) == poor
    assert shown(house, box, 15, fitness={}) == {}


def test_few_faces_or_fair_ones_say_nothing_against_a_camera(sqlite_house: House) -> None:
    box = enrolled(sqlite_house)
    for minutes, told in enumerate(
        (
            {"faces": 19, "assessable_share": 0.0, "eye_distance_px": 5.0},
            {"faces": 0, "assessable_share": None, "eye_distance_px": None},
            {"assessable_share": 0.2, "eye_distance_px": 16.0},
        )
    ):
        assert shown(sqlite_house, box, minutes, fitness=told) == {}


def test_a_picture_with_a_fault_is_told_while_it_lasts(sqlite_house: House) -> None:
    box = enrolled(sqlite_house)
    covered = {"faces": 0, "assessable_share": None, "eye_distance_px": None, "faults": (Reason.PICTURE_FROZEN,)}
    assert shown(sqlite_house, box, 0, fitness=covered)["camera_unfit"]["causes"] == ["picture_frozen"]
    assert shown(sqlite_house, box, 5, fitness=covered | {"faults": ()}) == {}


def test_a_dark_picture_is_no_fault_while_the_institution_is_closed(sqlite_house: House) -> None:
    box = enrolled(sqlite_house)
    with sqlite_house.server.database.transaction() as session:
        session.get_one(Institution, PHARMACY).hours = {"5": [["08:00", "12:10"]]}
    dark = {"faults": (Reason.PICTURE_DARK,)}
    assert set(shown(sqlite_house, box, 5, fitness=dark)) == {"camera_unfit"}
    assert shown(sqlite_house, box, 10, fitness=dark) == {}
    dark_and_still = {"faults": (Reason.PICTURE_DARK, Reason.PICTURE_FROZEN)}
    assert shown(sqlite_house, box, 15, fitness=dark_and_still)["camera_unfit"]["causes"] == ["picture_frozen"]


def test_a_camera_of_which_nothing_is_recorded_is_silent_in_whatever_state(house: House) -> None:
    box = enrolled(house)
    stalled = shown(house, box, 0, state=CameraState.STALLED, recorded_until=NOON - timedelta(minutes=6))
    assert stalled == {"camera_silent": {"state": "stalled"}}
    assert shown(house, box, 5, recorded_until=None) == {"camera_silent": {"state": "live"}}
    assert shown(house, box, 10, state=CameraState.STALLED, recorded_until=after(6)) == {}
    gone = after(15)
    take(house, box, report(box, at=gone))
    assert open_notices(house) == {"camera_silent": {"state": "missing"}}


def test_reports_that_come_together_are_shown_in_their_turn(house: House) -> None:
    box = enrolled(house)
    shown(house, box, 0, recorded_until=None)
    with house.server.database.transaction() as session:
        for minutes, until in ((5, after(5)), (10, None)):
            one = report(box, camera(recorded_until=until), at=after(minutes))
            take_report(session, box, one, after(11))
    with reading(house.server) as session:
        spans = session.execute(select(SiteNotice.began_at, SiteNotice.ended_at).order_by(SiteNotice.began_at)).all()
    assert [tuple(span) for span in spans] == [(after(1 / 60), after(11)), (after(11), None)]


@pytest.mark.parametrize(("told", "kind"), [
    ({"outbox_oldest_s": 24 * 3600 + 1.0}, "outbox_old"),
    ({"evidence_bytes": 901}, "evidence_low"),
])  # fmt: skip
def test_what_a_box_says_of_its_store_is_told_until_it_is_over(
    sqlite_house: House, told: dict[str, Any], kind: str
) -> None:
    box = enrolled(sqlite_house)
    take(sqlite_house, box, report(box, **told))
    assert set(open_notices(sqlite_house)) == {kind}
    just_not = {"outbox_oldest_s": 24 * 3600.0, "evidence_bytes": 900}
    take(sqlite_house, box, report(box, at=NOON + PERIOD, **just_not))
    assert open_notices(sqlite_house) == {}


def clock(house: House, box: BoxSubject, arrivals: list[tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """Notices after reports that came so many minutes after noon, with a period that ended so many seconds earlier."""
    for minutes, late_s in arrivals:
        came_at = after(minutes)
        take(house, box, report(box, at=came_at - timedelta(seconds=late_s)), came_at)
    return open_notices(house)


@pytest.mark.parametrize(("arrivals", "offset_s"), [
    ([(0, -61)], 61),
    ([(0, -59)], None),
    ([(0, 600)], None),
    ([(0, 600), (5, 600)], None),
    ([(0, 600), (5, 610), (10, 605)], -600),
    ([(0, 600), (5, 1), (10, 600)], None),
    ([(0, -600), (5, 1)], None),
    ([(0, 900), (0, 600), (0, 300)], None),
])  # fmt: skip
def test_a_clock_is_off_when_ahead_once_or_behind_several_times(
    sqlite_house: House, arrivals: list[tuple[float, float]], offset_s: int | None
) -> None:
    told = clock(sqlite_house, enrolled(sqlite_house), arrivals)
    assert told == ({} if offset_s is None else {"clock_off": {"offset_s": offset_s}})


def test_notices_are_listed_with_words_to_those_who_see_the_site(house: House) -> None:
    box = enrolled(house)
    poor = {"assessable_share": 0.1, "faults": (Reason.PICTURE_BLURRED,)}
    shown(house, box, 0, fitness=poor)
    quiet(house, after(31))
    for district in (YUYAO, NINGBO, None):
        assert len(house.user(Role.REVIEWER, district).get("/v1/notices").json()["notices"]) == 2
    assert house.user(Role.REVIEWER, HANGZHOU).get("/v1/notices").json() == {"notices": []}
    reader = house.user(Role.AUDITOR)
    unfit, silent = reader.get("/v1/notices").json()["notices"]
    assert unfit["words"] == {"zh": "这台摄像机认不出人", "en": "this camera cannot identify anyone"}
    assert [cause["en"] for cause in unfit["causes"]] == ["picture blurred", "too few of the faces can be compared"]
    assert (unfit["object_kind"], unfit["label"], unfit["fixmedins_code"]) == ("camera", "counter", PHARMACY)
    assert (silent["kind"], silent["object_kind"], silent["object_id"]) == ("box_quiet", "device", box.device_id)
    page = reader.get("/v1/notices", params={"after": unfit["id"], "limit": 1}).json()["notices"]
    assert [one["id"] for one in page] == [silent["id"]]
    take(house, box, report(box, camera(at=after(40), fitness=fitness(after(40))), at=after(40)))
    assert reader.get("/v1/notices").json() == {"notices": []}
    asked = {"ended": True, "kind": "box_quiet", "institution": PHARMACY}
    (over,) = reader.get("/v1/notices", params=asked).json()["notices"]
    assert over["ended_at"] == "2026-11-20T04:40:01Z"


def test_the_notices_of_a_box_and_its_cameras_end_when_it_is_revoked(house: House) -> None:
    box, another = enrolled(house), enrolled(house)
    for one, name in ((box, "counter"), (another, "door")):
        take(house, one, report(one, camera(name, recorded_until=None), evidence_bytes=1000))
    admin = house.user(Role.ADMIN)
    assert admin.post(f"/v1/devices/{box.device_id}/revocation").status_code == 200
    still = admin.get("/v1/notices").json()["notices"]
    assert {(one["kind"], one["label"]) for one in still} == {("camera_silent", "door"), ("evidence_low", "柜台")}
    assert another.device_id in {one["object_id"] for one in still}
