"""Reports as boxes make them, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from renzheng.contracts.report import AgentReport, CameraFitness, CameraReport, CameraState, HourlyFootfall
from server.access import BoxSubject
from server.context import Server
from server.sites.reports import take_report
from server.tables import Device, SiteNotice
from tests.server.conftest import PHARMACY, YUYAO, House

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
"""Noon in Shanghai, a Friday."""

PERIOD = timedelta(minutes=5)


def enrolled(house: House, fixmedins_code: str = PHARMACY) -> BoxSubject:
    """A box that is enrolled."""
    device_id = house.box(fixmedins_code).headers["X-Test-Device"]
    return BoxSubject(device_id, fixmedins_code, fixmedins_code, YUYAO)


def camera(name: str = "counter", at: datetime = NOON, **told: Any) -> CameraReport:
    """A camera that is recorded, in a report that ends at ``at``."""
    facts: dict[str, Any] = {"state": CameraState.LIVE, "packets": 100, "reconnects": 0}
    facts |= {"recorded_from": at - timedelta(days=7), "recorded_until": at}
    return CameraReport(camera_id=name, **(facts | told))


def fitness(at: datetime = NOON, **told: Any) -> CameraFitness:
    """Of a camera that sees well."""
    facts: dict[str, Any] = {"measured_at": at, "looks": 360, "faces": 100}
    facts |= {"assessable_share": 0.6, "eye_distance_px": 40.0}
    return CameraFitness(**(facts | told))


def footfall(hour: datetime, visits: int, looks: int) -> HourlyFootfall:
    """People in one hour."""
    return HourlyFootfall(hour_start=hour, visits=visits, most_at_once=2, looks=looks)


def report(box: BoxSubject, *cameras: CameraReport, at: datetime = NOON, **told: Any) -> AgentReport:
    """A report of the five minutes before ``at``."""
    facts: dict[str, Any] = {
        "report_id": f"{box.device_id}-{round(at.timestamp() * 1000)}",
        "device_id": box.device_id,
        "fixmedins_code": box.fixmedins_code,
        "agent_version": "1.2.3",
        "period_start": at - PERIOD,
        "period_end": at,
        "cameras": cameras,
        "checks_by_verdict": {"match": 3},
        "outbox_waiting": 0,
        "evidence_bytes": 10,
        "evidence_budget_bytes": 1000,
        "disk_free_bytes": 10**9,
    }
    return AgentReport(**(facts | told))


def take(house: House, box: BoxSubject, one: AgentReport, came_at: datetime | None = None) -> None:
    """The server takes a report in, in a transaction of its own, a second after its period ended unless told."""
    with house.server.database.transaction() as session:
        take_report(session, box, one, came_at or one.period_end + timedelta(seconds=1))


@contextmanager
def reading(server: Server) -> Iterator[Session]:
    """A transaction that reads."""
    with server.database.transaction(writes=False) as session:
        yield session


def device_of(house: House, box: BoxSubject) -> Device:
    """The box's row."""
    with reading(house.server) as session:
        return session.get_one(Device, box.device_id)


def open_notices(house: House) -> dict[str, dict[str, Any]]:
    """Kind to detail of the notices that are open."""
    with reading(house.server) as session:
        found = session.scalars(select(SiteNotice).where(SiteNotice.ended_at.is_(None))).all()
    assert len(found) == len({one.kind for one in found})
    return {one.kind: one.detail for one in found}
