"""JSON routes of photos."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Deed, record
from server.context import LoggedTransaction, Server, ServerOfRequest, Transaction
from server.people import answers, repository
from server.people.duplicates import DuplicateSearch, look_alikes
from server.people.messages import EnrolledPhotoAnswer, PhotoList, RevocationAnswer
from server.people.parameters import (
    CONFLICT,
    HELD,
    NOT_FOUND,
    REFUSED,
    Answers,
    Enrolling,
    Id,
    Photo,
    Seeing,
    SeeingFaces,
)
from server.people.photos import (
    PHOTO_MB,
    FoundFace,
    PhotoRefusedFor,
    allow_templates,
    district_of,
    face_in,
    keep_photo,
    photo_bytes,
)
from server.people.removal import owner_of, remove_photo, revoke_photo
from server.people.repository import Owner
from server.people.service import person_of
from server.people.staff import member_of
from server.query import Purpose
from server.tables import InsuredPerson

router = APIRouter()

MEDIA_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"RIFF": "image/webp",
    b"BM": "image/bmp",
    b"GIF8": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}
AGAIN: Answers = {200: {"model": EnrolledPhotoAnswer, "description": "these very bytes were enrolled already"}}
PICTURE: Answers = {200: {"description": "the picture as it was given", "content": {"image/*": {}}}}


@router.get("/v1/people/{person_id}/photos", summary="List a person's photos", responses=NOT_FOUND)
def list_photos(subject: Seeing, session: Transaction, person_id: Id) -> PhotoList:
    """What photos there are, how good they are, and which packs made templates of them; no picture."""
    return _photos(session, person_of(session, person_id, subject.scope))


@router.get("/v1/staff/{staff_id}/photos", summary="List a staff member's photos", responses=NOT_FOUND)
def list_staff_photos(subject: Seeing, session: Transaction, staff_id: Id) -> PhotoList:
    """As for people."""
    return _photos(session, member_of(session, staff_id, subject.scope))


@router.post(
    "/v1/people/{person_id}/photos",
    summary="Enrol a person's photo",
    status_code=201,
    response_model=EnrolledPhotoAnswer,
    responses=NOT_FOUND | CONFLICT | REFUSED | AGAIN,
)
def enrol(subject: Enrolling, server: ServerOfRequest, person_id: Id, photo: Photo) -> EnrolledPhotoAnswer | Response:
    """Takes a photo that passes the gate of the counter, makes its template, and says who else looks so.

    Needs a legal basis in force for identity or agent checks (409). The same bytes again are answered as the first
    time.
    """
    return _enrolled(server, subject, lambda session: person_of(session, person_id, subject.scope), photo)


@router.post(
    "/v1/staff/{staff_id}/photos",
    summary="Enrol a staff member's photo",
    status_code=201,
    response_model=EnrolledPhotoAnswer,
    responses=NOT_FOUND | CONFLICT | REFUSED | AGAIN,
)
def enrol_staff(
    subject: Enrolling, server: ServerOfRequest, staff_id: Id, photo: Photo
) -> EnrolledPhotoAnswer | Response:
    """As for people; nobody is searched for, since a clerk is somebody's patient as well."""
    return _enrolled(server, subject, lambda session: member_of(session, staff_id, subject.scope), photo)


@router.get("/v1/photos/{photo_id}", summary="Look at a photo", response_class=Response, responses=NOT_FOUND | PICTURE)
def read_photo(
    subject: SeeingFaces, session: LoggedTransaction, server: ServerOfRequest, photo_id: Id, purpose: Purpose
) -> Response:
    """The picture as it was given. The look is in the audit log with its purpose."""
    photo, owner = owner_of(session, photo_id, subject.scope)
    data = photo_bytes(server, photo)
    record(session, Deed(subject.actor, "photo_seen", "photo", photo.id, purpose, district_of(owner)))
    return Response(data, media_type=_media_type(data), headers={"Content-Disposition": "inline"})


@router.post("/v1/photos/{photo_id}/revocation", summary="Revoke a photo's templates", responses=NOT_FOUND)
def revoke(subject: Enrolling, session: Transaction, server: ServerOfRequest, photo_id: Id) -> RevocationAnswer:
    """Has nobody compared with this photo from now on; the photo stays."""
    photo, owner = owner_of(session, photo_id, subject.scope)
    return RevocationAnswer(templates_revoked=revoke_photo(session, server, photo, owner, subject.actor))


@router.delete("/v1/photos/{photo_id}", summary="Remove a photo", status_code=204, responses=NOT_FOUND | HELD)
def remove(subject: Enrolling, session: Transaction, server: ServerOfRequest, photo_id: Id) -> None:
    """Removes a photo with its templates, such as one that shows somebody else."""
    photo, owner = owner_of(session, photo_id, subject.scope)
    remove_photo(session, server, photo, owner, subject.actor)


def _photos(session: Session, owner: Owner) -> PhotoList:
    templates = repository.all_templates(session, owner)
    return PhotoList(photos=[answers.photo_answer(one, templates) for one in repository.photos(session, owner)])


def _enrolled(
    server: Server, subject: Subject, owner_in: Callable[[Session], Owner], photo: Photo
) -> EnrolledPhotoAnswer | Response:
    """Look first, with the database let go, since faces take longer than a transaction should; then search and keep."""
    with server.database.transaction(writes=False) as session:
        allow_templates(session, owner_in(session))
    data = photo.file.read(server.settings.photo_mb * PHOTO_MB + 1)
    found = face_in(server, data)
    if isinstance(found, PhotoRefusedFor):
        return answers.refusal(found)
    with server.database.transaction() as session:
        owner = owner_in(session)
        duplicates = _duplicates(session, server, subject, owner, found)
        kept = keep_photo(session, server, owner, data, found, subject.actor)
        if isinstance(kept, PhotoRefusedFor):
            return answers.refusal(kept)
        answer = answers.enrolled_answer(session, subject, kept, duplicates)
    return answer if kept.is_new else JSONResponse(answer.model_dump(mode="json"), 200)


def _duplicates(session: Session, server: Server, subject: Subject, owner: Owner, found: FoundFace) -> DuplicateSearch:
    if not isinstance(owner, InsuredPerson):
        return DuplicateSearch(False)
    duplicates = look_alikes(session, server, owner.id, found.face, found.pack, found.embedder_sha256)
    told = {"found": len(duplicates.found)}
    record(session, Deed(subject.actor, "duplicates_searched", "person", owner.id, "", owner.district_code, told))
    return duplicates


def _media_type(data: bytes) -> str:
    return next((kind for magic, kind in MEDIA_TYPES.items() if data.startswith(magic)), "application/octet-stream")
