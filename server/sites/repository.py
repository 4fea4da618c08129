"""Places, what stands in them, and what boxes report of them, in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, exists, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from renzheng.contracts.report import AgentReport
from renzheng.ids import new_id
from server.access import Subject, within
from server.sites.words import NoticeKind
from server.tables import (
    Base,
    Bed,
    BoxReport,
    Camera,
    Device,
    District,
    Footfall,
    Institution,
    InstitutionType,
    Settlement,
    SiteNotice,
    Stay,
    Terminal,
    UnjoinedReason,
)

_place = aliased(Institution)
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

Standing = TypeVar("Standing", Terminal, Camera, Bed, Device)
"""What stands in an institution."""


@dataclass(frozen=True)
class InstitutionFilter:
    """Which institutions are wanted; ``None`` leaves it open. ``text`` is the beginning of a code or part of a name."""

    district_scope: str = ""
    kind: InstitutionType | None = None
    text: str = ""


@dataclass(frozen=True)
class NoticeFilter:
    """Which notices are wanted."""

    institution_id: str | None = None
    kind: NoticeKind | None = None
    open_only: bool = True


class NoticeRow(NamedTuple):
    """A notice with where it is and what it is about."""

    notice: SiteNotice
    fixmedins_code: str
    label: str | None


def added(session: Session, row: Base) -> bool:
    """Whether the row could be added; not when one of the same name is there already."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


# districts and institutions


def seen_districts(subject: Subject) -> Select[District]:
    """All districts that the subject sees."""
    return within(select(District), District.code, subject)


def page_of_districts(session: Session, subject: Subject, after: str, limit: int) -> Sequence[District]:
    """Districts after a code, in the order of codes."""
    return session.scalars(
        seen_districts(subject).where(District.code > after).order_by(District.code).limit(limit)
    ).all()


def seen_district(session: Session, subject: Subject, code: str) -> District | None:
    """A district that the subject sees."""
    return session.scalar(seen_districts(subject).where(District.code == code))


def seen_institutions(subject: Subject) -> Select[Institution]:
    """All institutions that the subject sees."""
    return within(select(Institution), Institution.district_code, subject)


def page_of_institutions(
    session: Session, subject: Subject, wanted: InstitutionFilter, after: str, limit: int
) -> Sequence[Institution]:
    """Institutions after an id, in the order of ids."""
    found = seen_institutions(subject).where(Institution.id > after)
    if wanted.district_scope:
        found = found.where(Institution.district_code.startswith(wanted.district_scope, autoescape=True))
    if wanted.kind is not None:
        found = found.where(Institution.fixmedins_type == wanted.kind)
    if wanted.text:
        by_code = Institution.fixmedins_code.startswith(wanted.text, autoescape=True)
        found = found.where(by_code | Institution.fixmedins_name.contains(wanted.text, autoescape=True))
    return session.scalars(found.order_by(Institution.id).limit(limit)).all()


def seen_institution(session: Session, subject: Subject, institution_id: str) -> Institution | None:
    """An institution that the subject sees."""
    return session.scalar(seen_institutions(subject).where(Institution.id == institution_id))


def adopt_rows(session: Session, institution: Institution) -> int:
    """Settlements and stays that came before their institution was known become its own; returns how many."""
    its: dict[str, Any] = {"institution_id": institution.id, "district_code": institution.district_code}
    of_it = (Stay.fixmedins_code == institution.fixmedins_code) & Stay.institution_id.is_(None)
    stays: Any = session.execute(update(Stay).where(of_it).values(its))
    of_it = (Settlement.fixmedins_code == institution.fixmedins_code) & Settlement.institution_id.is_(None)
    joined_next = {"unjoined_reason": UnjoinedReason.WAITING}
    settlements: Any = session.execute(update(Settlement).where(of_it).values(its | joined_next))
    return int(stays.rowcount + settlements.rowcount)


# what stands in an institution


def seen(kind: type[Standing], subject: Subject) -> Select[Standing]:
    """All of a kind that stand in institutions which the subject sees."""
    return within(select(kind).join(_place, kind.institution_id == _place.id), _place.district_code, subject)


def seen_one(session: Session, kind: type[Standing], subject: Subject, its_id: str) -> Standing | None:
    """One that stands in an institution which the subject sees."""
    return session.scalar(seen(kind, subject).where(kind.id == its_id))


def page_in(session: Session, kind: type[Standing], institution_id: str, after: str, limit: int) -> Sequence[Standing]:
    """What stands in an institution, after an id, in the order of ids."""
    found = select(kind).where(kind.institution_id == institution_id, kind.id > after)
    return session.scalars(found.order_by(kind.id).limit(limit)).all()


def camera_in(session: Session, institution_id: str, camera_id: str) -> Camera | None:
    """A camera by the server's id, if it stands in the institution."""
    return session.scalar(select(Camera).where(Camera.id == camera_id, Camera.institution_id == institution_id))


def cameras_of(session: Session, institution_id: str) -> Sequence[Camera]:
    """All cameras of an institution."""
    return session.scalars(select(Camera).where(Camera.institution_id == institution_id).order_by(Camera.id)).all()


def add_cameras(session: Session, institution_id: str, names: Iterable[str]) -> None:
    """Make the cameras of an institution that are not there yet, by the names a box gives them."""
    rows = [{"id": new_id(), "institution_id": institution_id, "camera_id": name, "label": ""} for name in names]
    if rows:
        session.execute(_insert(session)(Camera).on_conflict_do_nothing(), rows)


def footfall_between(session: Session, institution_id: str, start: datetime, end: datetime) -> Sequence[Footfall]:
    """Hours that begin from ``start`` until before ``end``, by hour and camera."""
    of_it = select(Footfall).where(
        Footfall.institution_id == institution_id, Footfall.hour_start >= start, Footfall.hour_start < end
    )
    return session.scalars(of_it.order_by(Footfall.hour_start, Footfall.camera_id)).all()


# reports


def locked_device(session: Session, device_id: str) -> Device:
    """A device, locked until the transaction ends: what it says is taken in turn."""
    found = select(Device).where(Device.id == device_id).with_for_update(of=Device)
    return session.scalars(found.execution_options(populate_existing=True)).one()


def speaking_devices(session: Session, institution_id: str) -> set[str]:
    """Ids of the devices of an institution that are not revoked."""
    of_it = (Device.institution_id == institution_id) & Device.revoked_at.is_(None)
    return set(session.scalars(select(Device.id).where(of_it)))


def add_report(session: Session, device_id: str, report: AgentReport, body: Mapping[str, Any], now: datetime) -> bool:
    """Keep a report; ``False`` when one of its id was kept before."""
    row = {
        "device_id": device_id,
        "report_id": report.report_id,
        "period_start": report.period_start,
        "period_end": report.period_end,
        "received_at": now,
        "body": body,
    }
    kept = _insert(session)(BoxReport).values(row).on_conflict_do_nothing().returning(BoxReport.report_id)
    return session.scalar(kept) is not None


def body_of_report(session: Session, device_id: str, report_id: str) -> dict[str, Any]:
    """A report as it was kept."""
    return session.get_one(BoxReport, (device_id, report_id)).body


def newer_report(session: Session, device_id: str, than: datetime) -> bool:
    """Whether a report of a later time is there. No report is of a later time than when it came: a clock may be years
    ahead."""
    later = (BoxReport.device_id == device_id) & (BoxReport.period_end > than) & (BoxReport.received_at > than)
    return bool(session.scalar(select(exists().where(later))))


def last_arrivals(session: Session, device_id: str, limit: int) -> list[tuple[datetime, datetime]]:
    """When reports came and the latest period end among those that came then, newest first."""
    found = select(BoxReport.received_at, func.max(BoxReport.period_end)).where(BoxReport.device_id == device_id)
    rows = session.execute(found.group_by(BoxReport.received_at).order_by(BoxReport.received_at.desc()).limit(limit))
    return [(received, made) for received, made in rows]


def page_of_reports(session: Session, device_id: str, after: str, limit: int) -> Sequence[BoxReport]:
    """Reports of a device, newest first, from behind the one with the id ``after``."""
    found = select(BoxReport).where(BoxReport.device_id == device_id)
    cursor = session.get(BoxReport, (device_id, after)) if after else None
    place = tuple_(BoxReport.period_end, BoxReport.report_id)
    if cursor is not None:
        found = found.where(place < tuple_(cursor.period_end, cursor.report_id))
    newest_first = found.order_by(BoxReport.period_end.desc(), BoxReport.report_id.desc())
    return session.scalars(newest_first.limit(limit)).all()


def add_footfall(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep hours of footfall; of an hour that is there the count from more looks stays."""
    if not rows:
        return
    adding = _insert(session)(Footfall)
    new = adding.excluded
    counts = {"visits": new.visits, "most_at_once": new.most_at_once, "looks": new.looks}
    keys = [Footfall.institution_id, Footfall.camera_id, Footfall.hour_start]
    more = adding.on_conflict_do_update(index_elements=keys, set_=counts, where=new.looks >= Footfall.looks)
    session.execute(more, list(rows))


# notices


def open_notices(session: Session, object_ids: Sequence[str]) -> Sequence[SiteNotice]:
    """The open notices of some objects."""
    of_them = SiteNotice.object_id.in_(object_ids) & SiteNotice.ended_at.is_(None)
    return session.scalars(select(SiteNotice).where(of_them)).all()


def open_notice(
    session: Session, institution_id: str, kind: NoticeKind, object_id: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Open a notice, unless another server opened the same meanwhile."""
    row = {
        "id": new_id(),
        "institution_id": institution_id,
        "kind": kind.value,
        "object_id": object_id,
        "detail": dict(detail),
        "began_at": now,
    }
    session.execute(_insert(session)(SiteNotice).values(row).on_conflict_do_nothing())


def newly_quiet(session: Session, heard_since: datetime, now: datetime) -> Sequence[Device]:
    """Devices that ought to speak, were not heard of since then, and have no notice of it."""
    told = exists().where(
        SiteNotice.kind == NoticeKind.BOX_QUIET.value,
        SiteNotice.object_id == Device.id,
        SiteNotice.ended_at.is_(None),
    )
    heard_at = func.coalesce(Device.last_seen_at, Device.enrolled_at)
    found = select(Device).join(_place, Device.institution_id == _place.id)
    return session.scalars(found.where(_ought_to_speak(now), heard_at < heard_since, ~told)).all()


def end_quiet_notices(session: Session, heard_since: datetime, now: datetime) -> None:
    """End the notices of devices that were heard of since then, or need not speak any more."""
    heard_at = func.coalesce(Device.last_seen_at, Device.enrolled_at)
    over = select(Device.id).join(_place, Device.institution_id == _place.id)
    ended = update(SiteNotice).where(
        SiteNotice.kind == NoticeKind.BOX_QUIET.value,
        SiteNotice.ended_at.is_(None),
        SiteNotice.object_id.in_(over.where(~_ought_to_speak(now) | (heard_at >= heard_since))),
    )
    session.execute(ended.values(ended_at=now).execution_options(synchronize_session=False))


def _ought_to_speak(now: datetime) -> ColumnElement[bool]:
    """Not of a box that was revoked, or whose institution has closed."""
    return Device.revoked_at.is_(None) & (func.coalesce(_place.closed_at, _FAR) > now)


def page_of_notices(
    session: Session, subject: Subject, wanted: NoticeFilter, after: str, limit: int
) -> list[NoticeRow]:
    """Notices after an id, in the order of ids, which is that of time."""
    label = func.coalesce(Device.label, Camera.camera_id)
    found = (
        select(SiteNotice, Institution.fixmedins_code, label)
        .join(Institution, SiteNotice.institution_id == Institution.id)
        .outerjoin(Device, SiteNotice.object_id == Device.id)
        .outerjoin(Camera, SiteNotice.object_id == Camera.id)
        .where(SiteNotice.id > after)
    )
    if wanted.institution_id is not None:
        found = found.where(SiteNotice.institution_id == wanted.institution_id)
    if wanted.kind is not None:
        found = found.where(SiteNotice.kind == wanted.kind.value)
    if wanted.open_only:
        found = found.where(SiteNotice.ended_at.is_(None))
    rows = session.execute(within(found, Institution.district_code, subject).order_by(SiteNotice.id).limit(limit))
    return [NoticeRow(notice, code, its_label) for notice, code, its_label in rows]


def _insert(session: Session) -> Any:
    """The INSERT of the session's database; both can pass over what is there, each in its own class."""
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
