"""Enrolment photos and the templates made of them: through the same gate as at the counter, sealed, revocable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from renzheng.contracts import Reason, SampleQuality
from renzheng.crypto import Tampered
from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Conflict, NotFound, ServerError, TooLarge
from server.people import repository
from server.people.faces import pack_in_use
from server.people.repository import Owner
from server.people.templates import open_templates, seal_template
from server.tables import EnrolmentPhoto, FaceTemplate, InsuredPerson, Purpose
from vision.enrol import PhotoFace, Refused, face_of_photo
from vision.photo import PhotoRefused, decode_photo
from vision.track import CONFLICT_COSINE

FACE_PURPOSES = frozenset({Purpose.IDENTITY_CHECK, Purpose.AGENT_CHECK})
"""A template may be kept for one of these; each use asks for its own."""

PHOTO_MB = 1_000_000
"""Bytes to a megabyte of the settings."""

PHOTOS = "photos/"
"""What the keys of all photos begin with in the store."""

_STORED = "renzheng_stored_photos"


class PhotoDamaged(ServerError, Tampered):
    """What the store holds of a photo cannot be opened."""


@dataclass(frozen=True)
class FoundFace:
    """The one face of a photo, and which models found and described it."""

    face: PhotoFace
    pack: str
    embedder_sha256: str


@dataclass(frozen=True)
class EnrolledPhoto:
    """A photo that is kept, with its template in use. ``is_new`` is false when these bytes were there already."""

    photo: EnrolmentPhoto
    template: FaceTemplate
    is_new: bool


@dataclass(frozen=True)
class PhotoRefusedFor:
    """Why a photo was not kept; the first reason is the one to tell."""

    reasons: tuple[Reason, ...]
    quality: SampleQuality | None = None


def enrol_photo(
    session: Session, server: Server, owner: Owner, data: bytes, actor: Actor
) -> EnrolledPhoto | PhotoRefusedFor:
    """Keep a photo of somebody and the template it gives; flushed, not committed.

    Raises :class:`TooLarge`, and :class:`Conflict` where no legal basis in force allows a template.
    """
    found = face_in(server, data)
    return found if isinstance(found, PhotoRefusedFor) else keep_photo(session, server, owner, data, found, actor)


def face_in(server: Server, data: bytes, pack: str | None = None) -> FoundFace | PhotoRefusedFor:
    """The one face of a photo, as the pack of the settings (or another) sees it. Touches no database.

    Raises :class:`TooLarge`.
    """
    if len(data) > server.settings.photo_mb * PHOTO_MB:
        raise TooLarge(f"a photo may have {server.settings.photo_mb} MB", "photo")
    with pack_in_use(pack or server.settings.pack) as opened:
        try:
            looked = face_of_photo(decode_photo(data), opened)
        except PhotoRefused as refused:
            return PhotoRefusedFor((refused.reason,))
    if isinstance(looked, Refused):
        return PhotoRefusedFor(looked.reasons, looked.quality)
    return FoundFace(looked, opened.name, opened.embedder_sha256)


def keep_photo(
    session: Session, server: Server, owner: Owner, data: bytes, found: FoundFace, actor: Actor
) -> EnrolledPhoto | PhotoRefusedFor:
    """Keep a photo whose face was found, unless it shows another face than the owner's other photos.

    The same bytes are kept once. Raises :class:`Conflict` where no legal basis in force allows a template.
    """
    if not repository.lock(session, owner):
        raise NotFound("this person was erased meanwhile")
    allow_templates(session, owner)
    digest_index = server.keys.blind_index("photo", hashlib.sha256(data).hexdigest())
    there = _kept_already(session, owner, digest_index, found.embedder_sha256)
    if there is not None:
        return there
    if _differs(session, server, owner, found):
        return PhotoRefusedFor((Reason.PHOTO_DIFFERS,), found.face.quality)
    photo = EnrolmentPhoto(
        **_owner_columns(owner),
        id=new_id(),
        sha256_index=digest_index,
        quality=found.face.quality.model_dump(mode="json"),
        created_at=datetime.now(UTC),
        created_by=actor.id[:32],
    )
    photo.store_key = f"{photos_of(owner)}{photo.id}"
    session.add(photo)
    session.flush()
    _store(session, server, photo, data)
    template = add_template(session, server, photo, found)
    record(session, Deed(actor, "photo_enrolled", "photo", photo.id, district_code=district_of(owner)))
    return EnrolledPhoto(photo, template, True)


def allow_templates(session: Session, owner: Owner) -> None:
    """Raises :class:`Conflict` where nothing allows a template of this person's face."""
    if isinstance(owner, InsuredPerson):
        if not repository.purposes_in_force(session, owner.id, datetime.now(UTC)) & FACE_PURPOSES:
            raise Conflict("nothing allows keeping this face: record a legal basis for identity checks first")
    elif owner.left_at is not None:
        raise Conflict("this member of staff has left")


def add_template(session: Session, server: Server, photo: EnrolmentPhoto, found: FoundFace) -> FaceTemplate:
    """The template of a photo under the models that found its face; flushed, not committed."""
    template_id = new_id()
    template = FaceTemplate(
        id=template_id,
        person_id=photo.person_id,
        staff_id=photo.staff_id,
        photo_id=photo.id,
        pack=found.pack,
        embedder_sha256=found.embedder_sha256,
        sealed=seal_template(server.keys, template_id, found.face.embedding),
        created_at=datetime.now(UTC),
    )
    session.add(template)
    session.flush()
    return template


def photo_bytes(server: Server, photo: EnrolmentPhoto) -> bytes:
    """A photo as it was given. Whoever shows it writes the audit log.

    Raises :class:`server.store.NoSuchObject`, :class:`server.errors.Unavailable` and :class:`PhotoDamaged`.
    """
    try:
        return server.keys.open(server.store.get(photo.store_key), _context(photo.id))
    except Tampered as error:
        raise PhotoDamaged("this photo is damaged in the store, or its key is not in the ring") from error


def photos_of(owner: Owner) -> str:
    """What the keys of somebody's photos begin with in the store."""
    return f"{PHOTOS}{owner.id}/"


def district_of(owner: Owner) -> str:
    """The district that somebody belongs to."""
    return owner.district_code if isinstance(owner, InsuredPerson) else owner.institution.district_code


def _context(photo_id: str) -> str:
    return f"enrolment_photos.store_key:{photo_id}"


def _owner_columns(owner: Owner) -> dict[str, Any]:
    return {"person_id": owner.id} if isinstance(owner, InsuredPerson) else {"staff_id": owner.id}


def _kept_already(session: Session, owner: Owner, digest_index: str, embedder_sha256: str) -> EnrolledPhoto | None:
    for photo in repository.same_photo(session, owner, digest_index):
        for template in repository.templates_of_photo(session, photo.id):
            if template.embedder_sha256 == embedder_sha256 and template.revoked_at is None:
                return EnrolledPhoto(photo, template, False)
    return None


def _differs(session: Session, server: Server, owner: Owner, found: FoundFace) -> bool:
    """Whether the face is like none of those enrolled of the owner: photos of two people would accuse their owner."""
    others = open_templates(server.keys, repository.templates(session, owner, found.embedder_sha256))
    return bool(len(others)) and float(np.max(others @ found.face.embedding)) < CONFLICT_COSINE


def _store(session: Session, server: Server, photo: EnrolmentPhoto, data: bytes) -> None:
    """Put the photo into the store, and take it out again if the transaction does not last."""
    server.store.put(photo.store_key, server.keys.seal(data, _context(photo.id)))
    if _STORED not in session.info:
        event.listen(session, "before_commit", _leave)
        event.listen(session, "after_transaction_end", lambda ended, whole: _take_back(ended, whole, server))
    session.info.setdefault(_STORED, []).append(photo.store_key)


def _leave(session: Session) -> None:
    """Nobody knows of a commit that fails whether it happened: :func:`.removal.remove_orphans` finds out."""
    if not session.in_nested_transaction():
        session.info.pop(_STORED, None)


def _take_back(session: Session, ended: SessionTransaction, server: Server) -> None:
    if ended.parent is None:  # and not a savepoint
        for key in session.info.pop(_STORED, []):
            server.store.delete(key)
