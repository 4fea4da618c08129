"""Rules of districts, institutions and what stands in them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from renzheng.clock import SHANGHAI
from renzheng.contracts.reasons import Words
from renzheng.ids import new_id
from server.access import Subject
from server.audit_log.service import Deed, record
from server.errors import Conflict, NotFound, Unacceptable
from server.sites import notices, repository
from server.sites.messages import (
    BedFacts,
    CameraLabel,
    DistrictName,
    InstitutionFacts,
    NewBed,
    NewCamera,
    NewInstitution,
    NewTerminal,
    SeenBy,
)
from server.sites.repository import Standing
from server.tables import Bed, Camera, District, Footfall, Institution, Terminal

_USUAL_CODE = re.compile(r"[A-Z][0-9]{11}")
UNUSUAL_CODE = Words("机构编码不是一个字母加 11 位数字", "the institution's code is not a letter and 11 digits")


def name_district(session: Session, subject: Subject, code: str, asked: DistrictName) -> District:
    """Make a district, or call it otherwise. Raises :class:`NotFound` outside the subject's own."""
    if not subject.sees(code):
        raise NotFound("there is no such district in yours")
    district = repository.seen_district(session, subject, code)
    if district is None:
        district = District(code=code, name=asked.name)
        if not repository.added(session, district):
            raise Conflict("somebody else makes this district at this moment; ask again")
    district.name = asked.name
    record(session, Deed(subject.actor, "district_named", "district", code, district_code=code))
    return district


def create_institution(session: Session, subject: Subject, asked: NewInstitution, now: datetime) -> Institution:
    """Enter an institution; settlements and stays that came before it was known become its own.

    Raises :class:`NotFound` for a district that the subject does not see, :class:`Conflict` for a code that is taken.
    """
    if repository.seen_district(session, subject, asked.district_code) is None:
        raise NotFound("there is no such district in yours", "body.district_code")
    place = Institution(
        id=new_id(), fixmedins_code=asked.fixmedins_code, district_code=asked.district_code, created_at=now
    )
    _state(place, asked)
    if not repository.added(session, place):
        raise Conflict("an institution of this code is there already", "body.fixmedins_code")
    adopted = repository.adopt_rows(session, place)
    _note(session, subject, "institution_made", "institution", place.id, place, adopted_rows=adopted)
    return place


def state_institution(session: Session, subject: Subject, institution_id: str, asked: InstitutionFacts) -> Institution:
    """Write down what an institution is like now. Raises :class:`NotFound`."""
    place = institution(session, subject, institution_id)
    _state(place, asked)
    _note(session, subject, "institution_changed", "institution", place.id, place)
    return place


def _state(place: Institution, asked: InstitutionFacts) -> None:
    if (asked.latitude is None) != (asked.longitude is None):
        raise Unacceptable("expected latitude and longitude, or neither", "body.longitude")
    place.fixmedins_name, place.fixmedins_type = asked.fixmedins_name, asked.fixmedins_type
    place.latitude, place.longitude = asked.latitude, asked.longitude
    place.hours = {day: [list(span) for span in spans] for day, spans in asked.hours.items()}
    place.closed_at = asked.closed_at


def institution(session: Session, subject: Subject, institution_id: str) -> Institution:
    """An institution that the subject sees. Raises :class:`NotFound`."""
    place = repository.seen_institution(session, subject, institution_id)
    if place is None:
        raise NotFound("there is no such institution in your district")
    return place


def warnings_of(place: Institution) -> list[Words]:
    """What is unusual about an institution and was kept all the same."""
    return [] if _USUAL_CODE.fullmatch(place.fixmedins_code) else [UNUSUAL_CODE]


def one(session: Session, kind: type[Standing], subject: Subject, its_id: str) -> Standing:
    """A terminal, camera, bed or device that the subject sees. Raises :class:`NotFound`."""
    found = repository.seen_one(session, kind, subject, its_id)
    if found is None:
        raise NotFound(f"there is no such {kind.__name__.lower()} in your district")
    return found


def add_camera(session: Session, subject: Subject, institution_id: str, asked: NewCamera) -> Camera:
    """Enter a camera. Raises :class:`NotFound` and :class:`Conflict`."""
    place = institution(session, subject, institution_id)
    camera = Camera(id=new_id(), institution_id=place.id, camera_id=asked.camera_id, label=asked.label)
    if not repository.added(session, camera):
        raise Conflict("the institution has a camera of this name", "body.camera_id")
    _note(session, subject, "camera_made", "camera", camera.id, place)
    return camera


def label_camera(session: Session, subject: Subject, its_id: str, asked: CameraLabel) -> Camera:
    """Call a camera something else. Raises :class:`NotFound`."""
    camera = one(session, Camera, subject, its_id)
    camera.label = asked.label
    _note(session, subject, "camera_changed", "camera", camera.id, institution(session, subject, camera.institution_id))
    return camera


def release_camera(session: Session, subject: Subject, its_id: str, now: datetime) -> Camera:
    """Take a camera from its box, and its notices off the list; the next box that names it has it.

    Raises :class:`NotFound`.
    """
    camera = one(session, Camera, subject, its_id)
    place = institution(session, subject, camera.institution_id)
    camera.device_id, camera.state = None, None
    notices.end_notices_of(session, place.id, [camera.id], now)
    _note(session, subject, "camera_released", "camera", camera.id, place)
    return camera


def add_terminal(session: Session, subject: Subject, institution_id: str, asked: NewTerminal) -> Terminal:
    """Enter a terminal. Raises :class:`NotFound`, :class:`Conflict`, and :class:`Unacceptable` for another's camera."""
    place = institution(session, subject, institution_id)
    _check_camera(session, place.id, asked)
    terminal = Terminal(id=new_id(), institution_id=place.id, terminal_id=asked.terminal_id, camera_id=asked.camera_id)
    if not repository.added(session, terminal):
        raise Conflict("the institution has a terminal of this name", "body.terminal_id")
    _note(session, subject, "terminal_made", "terminal", terminal.id, place)
    return terminal


def change_terminal(session: Session, subject: Subject, its_id: str, asked: SeenBy) -> Terminal:
    """Say which camera sees a terminal. Raises :class:`NotFound` and :class:`Unacceptable`."""
    terminal = one(session, Terminal, subject, its_id)
    _check_camera(session, terminal.institution_id, asked)
    terminal.camera_id = asked.camera_id
    place = institution(session, subject, terminal.institution_id)
    _note(session, subject, "terminal_changed", "terminal", terminal.id, place)
    return terminal


def add_bed(session: Session, subject: Subject, institution_id: str, asked: NewBed) -> Bed:
    """Enter a bed. Raises :class:`NotFound`, :class:`Conflict`, and :class:`Unacceptable` for another's camera."""
    place = institution(session, subject, institution_id)
    _check_camera(session, place.id, asked)
    bed = Bed(id=new_id(), institution_id=place.id, ward=asked.ward, bed_id=asked.bed_id, camera_id=asked.camera_id)
    if not repository.added(session, bed):
        raise Conflict("the institution has a bed of this name", "body.bed_id")
    _note(session, subject, "bed_made", "bed", bed.id, place)
    return bed


def change_bed(session: Session, subject: Subject, its_id: str, asked: BedFacts) -> Bed:
    """Say in which ward a bed stands and which camera sees it. Raises :class:`NotFound` and :class:`Unacceptable`."""
    bed = one(session, Bed, subject, its_id)
    _check_camera(session, bed.institution_id, asked)
    bed.ward, bed.camera_id = asked.ward, asked.camera_id
    _note(session, subject, "bed_changed", "bed", bed.id, institution(session, subject, bed.institution_id))
    return bed


def footfall_of(session: Session, subject: Subject, institution_id: str, day: date) -> list[Footfall]:
    """Footfall of one day of Asia/Shanghai. Raises :class:`NotFound`."""
    place = institution(session, subject, institution_id)
    start = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
    return list(repository.footfall_between(session, place.id, start, start + timedelta(days=1)))


def _check_camera(session: Session, institution_id: str, asked: SeenBy) -> None:
    if asked.camera_id is not None and repository.camera_in(session, institution_id, asked.camera_id) is None:
        raise Unacceptable("expected a camera of this institution", "body.camera_id")


def _note(
    session: Session, subject: Subject, action: str, kind: str, its_id: str, place: Institution, **detail: int
) -> None:
    record(session, Deed(subject.actor, action, kind, its_id, district_code=place.district_code, detail=dict(detail)))
