"""Districts, institutions, what stands in them, and what somebody should see to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from renzheng.contracts.reasons import Words
from server.access import Needs, Subject, scope_of
from server.context import Transaction
from server.permissions import Permission
from server.problems import Problem
from server.sites import notices, repository, service
from server.sites.messages import (
    BedAnswer,
    BedFacts,
    BedPage,
    CameraAnswer,
    CameraLabel,
    CameraPage,
    DistrictAnswer,
    DistrictCode,
    DistrictName,
    DistrictPage,
    FootfallDay,
    FootfallHour,
    InstitutionAnswer,
    InstitutionFacts,
    InstitutionPage,
    NewBed,
    NewCamera,
    NewInstitution,
    NewTerminal,
    NoticeAnswer,
    NoticePage,
    Said,
    SeenBy,
    ServerId,
    TerminalAnswer,
    TerminalPage,
)
from server.sites.repository import InstitutionFilter, NoticeFilter, NoticeRow
from server.sites.words import NOTICE_WORDS, OF_A_CAMERA, NoticeKind, words_of_causes
from server.tables import Bed, Camera, Footfall, Institution, InstitutionType, Terminal

router = APIRouter(tags=["sites"])

Viewer = Annotated[Subject, Depends(Needs(Permission.SEE_SITES))]
Editor = Annotated[Subject, Depends(Needs(Permission.EDIT_SITES))]
After = Annotated[str, Query(description="id of the last one of the page before", pattern=r"^[0-9A-Za-z]{0,32}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Id = Annotated[ServerId, Path()]
Code = Annotated[DistrictCode, Path()]

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such one in your district"}}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "the name is taken"}}


@router.get("/v1/districts", summary="List districts")
def list_districts(
    subject: Viewer,
    session: Transaction,
    after: Annotated[str, Query(description="code of the last one before", pattern="^[0-9]{0,6}$")] = "",
    limit: Limit = 100,
) -> DistrictPage:
    """The districts you see, in the order of their codes."""
    found = repository.page_of_districts(session, subject, after, limit)
    return DistrictPage(districts=[DistrictAnswer(code=one.code, name=one.name) for one in found])


@router.put("/v1/districts/{code}", summary="Name a district", responses=_NOT_FOUND | _CONFLICT)
def name_district(code: Code, asked: DistrictName, subject: Editor, session: Transaction) -> DistrictAnswer:
    """Makes a district inside your own, or calls one otherwise."""
    district = service.name_district(session, subject, code, asked)
    return DistrictAnswer(code=district.code, name=district.name)


@router.get("/v1/institutions", summary="List institutions")
def list_institutions(
    subject: Viewer,
    session: Transaction,
    district: Annotated[DistrictCode | None, Query(description="of it and those below it")] = None,
    kind: Annotated[InstitutionType | None, Query(description="1 medical institution, 2 retail pharmacy")] = None,
    text: Annotated[
        str, Query(description="beginning of the code, or part of the name", max_length=64, pattern=r"^[^\x00]*$")
    ] = "",
    after: After = "",
    limit: Limit = 100,
) -> InstitutionPage:
    """The institutions you see."""
    wanted = InstitutionFilter(scope_of(district), kind, text)
    found = repository.page_of_institutions(session, subject, wanted, after, limit)
    return InstitutionPage(institutions=[_institution(one) for one in found])


@router.post("/v1/institutions", summary="Enter an institution", status_code=201, responses=_NOT_FOUND | _CONFLICT)
def create_institution(asked: NewInstitution, subject: Editor, session: Transaction) -> InstitutionAnswer:
    """Enters a designated institution. Settlements and stays that came before become its own."""
    return _institution(service.create_institution(session, subject, asked, datetime.now(UTC)))


@router.get("/v1/institutions/{institution_id}", summary="See an institution", responses=_NOT_FOUND)
def see_institution(institution_id: Id, subject: Viewer, session: Transaction) -> InstitutionAnswer:
    """One institution."""
    return _institution(service.institution(session, subject, institution_id))


@router.put("/v1/institutions/{institution_id}", summary="Change an institution", responses=_NOT_FOUND)
def state_institution(
    institution_id: Id, asked: InstitutionFacts, subject: Editor, session: Transaction
) -> InstitutionAnswer:
    """Writes down what an institution is like now; what is left out is not known any more."""
    return _institution(service.state_institution(session, subject, institution_id, asked))


@router.get("/v1/institutions/{institution_id}/footfall", summary="See footfall", responses=_NOT_FOUND)
def see_footfall(
    institution_id: Id,
    subject: Viewer,
    session: Transaction,
    day: Annotated[date, Query(ge=date(2000, 1, 1), le=date(2199, 12, 31), description="of Asia/Shanghai")],
) -> FootfallDay:
    """People at the counters of an institution, hour by hour, as its boxes counted them."""
    hours = service.footfall_of(session, subject, institution_id, day)
    return FootfallDay(day=day, hours=[_footfall(hour) for hour in hours])


@router.get("/v1/institutions/{institution_id}/cameras", summary="List cameras", responses=_NOT_FOUND)
def list_cameras(
    institution_id: Id, subject: Viewer, session: Transaction, after: After = "", limit: Limit = 100
) -> CameraPage:
    """Cameras of an institution with what their box last said of them."""
    place = service.institution(session, subject, institution_id)
    return CameraPage(cameras=[_camera(one) for one in repository.page_in(session, Camera, place.id, after, limit)])


@router.post(
    "/v1/institutions/{institution_id}/cameras",
    summary="Enter a camera",
    status_code=201,
    responses=_NOT_FOUND | _CONFLICT,
)
def add_camera(institution_id: Id, asked: NewCamera, subject: Editor, session: Transaction) -> CameraAnswer:
    """Enters a camera before its box reports it. A camera that a box reports need not be entered."""
    return _camera(service.add_camera(session, subject, institution_id, asked))


@router.put("/v1/cameras/{camera_id}", summary="Label a camera", responses=_NOT_FOUND)
def label_camera(camera_id: Id, asked: CameraLabel, subject: Editor, session: Transaction) -> CameraAnswer:
    """Says what people call a camera."""
    return _camera(service.label_camera(session, subject, camera_id, asked))


@router.post("/v1/cameras/{camera_id}/release", summary="Take a camera from its box", responses=_NOT_FOUND)
def release_camera(camera_id: Id, subject: Editor, session: Transaction) -> CameraAnswer:
    """For a camera that was taken down or moved: its notices end, and the next box that names it has it."""
    return _camera(service.release_camera(session, subject, camera_id, datetime.now(UTC)))


@router.get("/v1/institutions/{institution_id}/terminals", summary="List terminals", responses=_NOT_FOUND)
def list_terminals(
    institution_id: Id, subject: Viewer, session: Transaction, after: After = "", limit: Limit = 100
) -> TerminalPage:
    """Terminals of an institution."""
    place = service.institution(session, subject, institution_id)
    found = repository.page_in(session, Terminal, place.id, after, limit)
    return TerminalPage(terminals=[_terminal(one) for one in found])


@router.post(
    "/v1/institutions/{institution_id}/terminals",
    summary="Enter a terminal",
    status_code=201,
    responses=_NOT_FOUND | _CONFLICT,
)
def add_terminal(institution_id: Id, asked: NewTerminal, subject: Editor, session: Transaction) -> TerminalAnswer:
    """Enters a terminal at which credentials are used."""
    return _terminal(service.add_terminal(session, subject, institution_id, asked))


@router.put("/v1/terminals/{terminal_id}", summary="Change a terminal", responses=_NOT_FOUND)
def change_terminal(terminal_id: Id, asked: SeenBy, subject: Editor, session: Transaction) -> TerminalAnswer:
    """Says which camera sees a terminal."""
    return _terminal(service.change_terminal(session, subject, terminal_id, asked))


@router.get("/v1/institutions/{institution_id}/beds", summary="List beds", responses=_NOT_FOUND)
def list_beds(
    institution_id: Id, subject: Viewer, session: Transaction, after: After = "", limit: Limit = 100
) -> BedPage:
    """Beds of an institution."""
    place = service.institution(session, subject, institution_id)
    return BedPage(beds=[_bed(one) for one in repository.page_in(session, Bed, place.id, after, limit)])


@router.post(
    "/v1/institutions/{institution_id}/beds",
    summary="Enter a bed",
    status_code=201,
    responses=_NOT_FOUND | _CONFLICT,
)
def add_bed(institution_id: Id, asked: NewBed, subject: Editor, session: Transaction) -> BedAnswer:
    """Enters a bed of a ward."""
    return _bed(service.add_bed(session, subject, institution_id, asked))


@router.put("/v1/beds/{bed_id}", summary="Change a bed", responses=_NOT_FOUND)
def change_bed(bed_id: Id, asked: BedFacts, subject: Editor, session: Transaction) -> BedAnswer:
    """Says in which ward a bed stands and which camera sees it."""
    return _bed(service.change_bed(session, subject, bed_id, asked))


@router.get("/v1/notices", summary="List what to see to")
def list_notices(
    subject: Viewer,
    session: Transaction,
    institution: Annotated[ServerId | None, Query(description="id of one institution")] = None,
    kind: NoticeKind | None = None,
    ended: Annotated[bool, Query(description="also those that are over")] = False,
    after: After = "",
    limit: Limit = 100,
) -> NoticePage:
    """Boxes that have gone quiet, cameras that cannot identify anyone, clocks that are off, and the like."""
    wanted = NoticeFilter(institution, kind, not ended)
    found = notices.list_notices(session, subject, wanted, after, limit)
    return NoticePage(notices=[_notice(row) for row in found])


def _said(words: Words) -> Said:
    return Said(zh=words.zh, en=words.en)


def _institution(place: Institution) -> InstitutionAnswer:
    return InstitutionAnswer(
        id=place.id,
        fixmedins_code=place.fixmedins_code,
        fixmedins_name=place.fixmedins_name,
        fixmedins_type=place.fixmedins_type,
        district_code=place.district_code,
        latitude=place.latitude,
        longitude=place.longitude,
        hours=place.hours,
        closed_at=place.closed_at,
        created_at=place.created_at,
        warnings=[_said(words) for words in service.warnings_of(place)],
    )


def _camera(camera: Camera) -> CameraAnswer:
    return CameraAnswer(
        id=camera.id,
        institution_id=camera.institution_id,
        camera_id=camera.camera_id,
        device_id=camera.device_id,
        label=camera.label,
        state=camera.state,
        recorded_from=camera.recorded_from,
        recorded_until=camera.recorded_until,
        fitness=camera.fitness,
    )


def _terminal(one: Terminal) -> TerminalAnswer:
    return TerminalAnswer(
        id=one.id, institution_id=one.institution_id, terminal_id=one.terminal_id, camera_id=one.camera_id
    )


def _bed(one: Bed) -> BedAnswer:
    return BedAnswer(
        id=one.id, institution_id=one.institution_id, ward=one.ward, bed_id=one.bed_id, camera_id=one.camera_id
    )


def _footfall(hour: Footfall) -> FootfallHour:
    return FootfallHour(
        camera_id=hour.camera_id,
        hour_start=hour.hour_start,
        visits=hour.visits,
        most_at_once=hour.most_at_once,
        looks=hour.looks,
    )


def _notice(row: NoticeRow) -> NoticeAnswer:
    notice, kind = row.notice, NoticeKind(row.notice.kind)
    return NoticeAnswer(
        id=notice.id,
        kind=kind,
        words=_said(NOTICE_WORDS[kind]),
        causes=[_said(words) for words in words_of_causes(notice.detail.get("causes", ()))],
        institution_id=notice.institution_id,
        fixmedins_code=row.fixmedins_code,
        object_kind="camera" if kind in OF_A_CAMERA else "device",
        object_id=notice.object_id,
        label=row.label,
        detail=notice.detail,
        began_at=notice.began_at,
        ended_at=notice.ended_at,
    )
