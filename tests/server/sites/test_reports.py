"""What boxes report: kept once, and shown as things are now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from renzheng.contracts.report import AgentEvent, CameraState
from server.errors import Unacceptable
from server.sites.reports import CAMERAS_MAX, HOURS_MAX
from server.tables import BoxReport, Camera, Device, Footfall
from tests.server.conftest import OUTSIDE, PHARMACY, House
from tests.server.sites.box_reports import (
    NOON,
    PERIOD,
    camera,
    device_of,
    enrolled,
    fitness,
    footfall,
    open_notices,
    reading,
    report,
    take,
)

HOUR = timedelta(hours=1)


def cameras_of(house: House) -> dict[str, Camera]:
    with reading(house.server) as session:
        return {one.camera_id: one for one in session.scalars(select(Camera))}


def counted(house: House) -> list[tuple[str, int, int]]:
    with reading(house.server) as session:
        found = session.scalars(select(Footfall).order_by(Footfall.camera_id, Footfall.hour_start))
        return [(one.camera_id, one.visits, one.looks) for one in found]


def test_a_report_is_kept_as_it_came_and_shows_the_box_and_its_cameras(house: House) -> None:
    box = enrolled(house)
    one = report(box, camera(fitness=fitness()), camera("door"), outbox_waiting=4, outbox_oldest_s=20.0)
    take(house, box, one)
    with reading(house.server) as session:
        kept = session.scalars(select(BoxReport)).one()
    assert type(one).model_validate(kept.body) == one
    device = device_of(house, box)
    assert (device.agent_version, device.outbox_waiting, device.outbox_oldest_s) == ("1.2.3", 4, 20.0)
    assert device.last_seen_at == NOON + timedelta(seconds=1)
    assert device.clock_offset_s == -1.0
    cameras = cameras_of(house)
    assert set(cameras) == {"counter", "door"}
    shown = cameras["counter"]
    assert (shown.device_id, shown.state, shown.recorded_until) == (box.device_id, "live", NOON)
    assert shown.fitness is not None and shown.fitness["faces"] == 100
    assert open_notices(house) == {}


def test_the_same_report_again_changes_nothing_and_another_of_its_id_is_refused(house: House) -> None:
    box = enrolled(house)
    one = report(box, camera(footfall=(footfall(NOON, 3, 10),)))
    take(house, box, one)
    take(house, box, one, NOON + HOUR)
    assert device_of(house, box).last_seen_at == NOON + timedelta(seconds=1)
    with pytest.raises(Unacceptable, match="another report"):
        take(house, box, one.model_copy(update={"outbox_waiting": 7}))
    assert device_of(house, box).outbox_waiting == 0
    assert counted(house) == [("counter", 3, 10)]


def test_two_boxes_may_have_reports_of_one_id(sqlite_house: House) -> None:
    first, second = enrolled(sqlite_house), enrolled(sqlite_house)
    take(sqlite_house, first, report(first, report_id="same"))
    take(sqlite_house, second, report(second, report_id="same"))
    with reading(sqlite_house.server) as session:
        assert session.scalar(select(func.count()).select_from(BoxReport)) == 2


def _wrong() -> list[Any]:
    return [
        ({"device_id": "another"}, "device_id"),
        ({"fixmedins_code": OUTSIDE}, "fixmedins_code"),
        ({"report_id": ""}, "report_id"),
        ({"report_id": "x" * 129}, "report_id"),
        ({"period_start": NOON + HOUR}, "period_end"),
        ({"cameras": (camera(), camera())}, "cameras"),
        ({"cameras": tuple(camera(str(n)) for n in range(CAMERAS_MAX + 1))}, "cameras"),
        ({"cameras": (camera("x" * 65),)}, "cameras.0.camera_id"),
        ({"cameras": (camera("door"), camera(""))}, "cameras.1.camera_id"),
        ({"cameras": (camera(footfall=(footfall(NOON + PERIOD, 1, 1),)),)}, "cameras.0.footfall"),
        ({"cameras": (camera(footfall=(footfall(NOON, 1, 1),) * (HOURS_MAX + 1)),)}, "cameras.0.footfall"),
        ({"events": (AgentEvent(at=NOON, kind="odd", detail="a\0b"),)}, None),
    ]


@pytest.mark.parametrize(("change", "field"), _wrong())
def test_a_report_that_is_not_the_boxs_own_or_cannot_be_kept_is_refused_and_nothing_of_it_stays(
    sqlite_house: House, change: dict[str, Any], field: str | None
) -> None:
    box = enrolled(sqlite_house)
    with pytest.raises(Unacceptable) as refused:
        take(sqlite_house, box, report(box, **({"cameras": (camera(),)} | change)))
    assert refused.value.field == field
    with reading(sqlite_house.server) as session:
        for table in (BoxReport, Camera, Footfall):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert session.get_one(Device, box.device_id).last_seen_at is None


def test_numbers_and_texts_beyond_all_bounds_are_kept_as_far_as_they_fit(house: House) -> None:
    box = enrolled(house)
    busy = camera(footfall=(footfall(NOON, 10**15, 10**15),))
    told = {"agent_version": "9" * 500 + "\n", "outbox_waiting": 10**15, "outbox_oldest_s": float("inf")}
    take(house, box, report(box, busy, events=(AgentEvent(at=NOON, kind="odd", detail="\\u0000"),), **told))
    device = device_of(house, box)
    assert (device.agent_version, device.outbox_waiting) == ("9" * 40, 2**31 - 1)
    assert counted(house) == [("counter", 2**31 - 1, 2**31 - 1)]


def test_an_old_report_is_kept_and_counted_but_shows_nothing(house: House) -> None:
    box = enrolled(house)
    take(house, box, report(box, camera(), outbox_waiting=1))
    old = NOON - HOUR
    stalled = camera(state=CameraState.STALLED, recorded_until=None, footfall=(footfall(old, 5, 9),))
    take(house, box, report(box, stalled, at=old, outbox_waiting=9), NOON + PERIOD)
    assert device_of(house, box).outbox_waiting == 1
    assert cameras_of(house)["counter"].state == "live"
    assert counted(house) == [("counter", 5, 9)]
    assert "camera_silent" not in open_notices(house)


def test_a_clock_that_was_years_ahead_does_not_keep_later_reports_from_showing(house: House) -> None:
    box = enrolled(house)
    take(house, box, report(box, at=NOON + timedelta(days=9000), outbox_waiting=1), NOON)
    take(house, box, report(box, at=NOON + PERIOD, outbox_waiting=2))
    assert device_of(house, box).outbox_waiting == 2


def test_of_two_counts_of_one_hour_the_one_from_more_looks_stays(house: House) -> None:
    box = enrolled(house)
    for minutes, visits, looks in ((5, 3, 30), (15, 6, 90), (10, 5, 60)):
        at = NOON + timedelta(minutes=minutes)
        take(house, box, report(box, camera(footfall=(footfall(NOON, visits, looks),)), at=at))
    assert counted(house) == [("counter", 6, 90)]


def test_a_camera_stays_with_the_box_that_named_it_until_that_is_revoked(house: House) -> None:
    first, second = enrolled(house), enrolled(house)
    take(house, first, report(first, camera()))
    taken = camera(state=CameraState.REFUSED, footfall=(footfall(NOON, 4, 4),))
    take(house, second, report(second, taken, camera("door")))
    cameras = cameras_of(house)
    assert (cameras["counter"].device_id, cameras["counter"].state) == (first.device_id, "live")
    assert cameras["door"].device_id == second.device_id
    assert open_notices(house) == {"camera_claimed_twice": {"cameras": ["counter"]}}
    assert counted(house) == []
    with house.server.database.transaction() as session:
        session.get_one(Device, first.device_id).revoked_at = NOON
    later = NOON + PERIOD
    take(house, second, report(second, camera(at=later), camera("door", at=later), at=later))
    assert cameras_of(house)["counter"].device_id == second.device_id
    assert open_notices(house) == {}


def test_cameras_of_one_name_at_two_institutions_are_two(sqlite_house: House) -> None:
    for code in (PHARMACY, OUTSIDE):
        box = enrolled(sqlite_house, code)
        take(sqlite_house, box, report(box, camera()))
    with reading(sqlite_house.server) as session:
        assert set(session.scalars(select(Camera.institution_id))) == {PHARMACY, OUTSIDE}
