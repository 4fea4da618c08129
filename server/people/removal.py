"""Taking faces away: templates revoked, photos removed from database and store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from renzheng.contracts import Verdict
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Conflict, NotFound
from server.keeping.service import PURGE_TURN
from server.keeping.turns import take_turn
from server.people import repository
from server.people.duplicates import forget_index
from server.people.photos import PHOTOS, district_of, photos_of
from server.people.repository import Owner
from server.tables import Check, EnrolmentPhoto, FaceTemplate, InsuredPerson, LegalHold, StaffMember

ORPHAN_AFTER = timedelta(days=1)
_LOOKED_UP_AT_ONCE = 500


def hold_on(session: Session, owner: Owner) -> LegalHold | None:
    """A legal hold in force on the person, on a check or a settlement of theirs, or on where they were checked or work.

    None is placed from here to the end of the transaction.
    """
    take_turn(session, PURGE_TURN)
    if isinstance(owner, StaffMember):
        return repository.hold_on_institution(session, owner.institution_id)
    return repository.hold_on(session, owner, checks_as_agent(session, owner))


def refuse_held(session: Session, owner: Owner) -> None:
    """Raises :class:`Conflict` that names the hold."""
    hold = hold_on(session, owner)
    if hold is not None:
        raise Conflict(f"legal hold {hold.id} on a {hold.object_kind} keeps this person's data")


def checks_as_agent(session: Session, person: InsuredPerson, *, locked: bool = False) -> list[Check]:
    """Checks of others that name this person as a possible agent, or have yet to be compared with them."""
    found = repository.checks_of_holders(session, person.id, locked=locked)
    return [check for check in found if names_agent(check, person.psn_no) or waits_for_agents(check)]


def waits_for_agents(check: Check) -> bool:
    """Whether agents are still to be compared with the samples of a check."""
    return check.kind == "swipe" and check.verdict == Verdict.PENDING_REFERENCE.value


def names_agent(check: Check, psn_no: str) -> bool:
    """Whether a check, as sent or as decided here, holds this number as an agent's."""
    return any(names_agent_in(one, psn_no) for one in (check.body, check.decided or {}))


def names_agent_in(body: dict[str, Any], psn_no: str) -> bool:
    """Whether the contract of a check holds this number as an agent's."""
    return any(track.get("agent_psn_no") == psn_no for track in body.get("tracks", []))


def revoke_templates(session: Session, templates: Iterable[FaceTemplate], now: datetime) -> int:
    """Have templates used by nobody from now on. Boxes that hold them drop them when their time is over."""
    revoked = [template for template in templates if template.revoked_at is None]
    for template in revoked:
        template.revoked_at = now
    session.flush()
    return len(revoked)


def revoke_photo(session: Session, server: Server, photo: EnrolmentPhoto, owner: Owner, actor: Actor) -> int:
    """Revoke the templates of one photo and keep the photo; returns how many were in use."""
    revoked = revoke_templates(session, repository.templates_of_photo(session, photo.id), datetime.now(UTC))
    forget_index(session, server)
    told = {"templates_revoked": revoked}
    record(session, Deed(actor, "photo_revoked", "photo", photo.id, "", district_of(owner), told))
    return revoked


def remove_photo(session: Session, server: Server, photo: EnrolmentPhoto, owner: Owner, actor: Actor) -> None:
    """Remove one photo with its templates. Raises :class:`Conflict` under a legal hold."""
    refuse_held(session, owner)
    _remove(session, server, photo)
    forget_index(session, server)
    record(session, Deed(actor, "photo_removed", "photo", photo.id, "", district_of(owner)))


def remove_photos(session: Session, server: Server, owner: Owner) -> int:
    """Remove all photos of somebody with their templates, and what uploads that were cut off left in the store.

    Bytes go before the transaction ends: should it fail, rows without bytes are left, and never bytes without a row.
    """
    photos = repository.photos(session, owner)
    for photo in photos:
        _remove(session, server, photo)
    for key in list(server.store.keys(photos_of(owner))):
        server.store.delete(key)
    forget_index(session, server)
    return len(photos)


def _remove(session: Session, server: Server, photo: EnrolmentPhoto) -> None:
    for template in repository.templates_of_photo(session, photo.id):
        session.delete(template)
    session.flush()
    session.delete(photo)
    session.flush()
    server.store.delete(photo.store_key)


def remove_orphans(server: Server, now: datetime) -> int:
    """Delete photos in the store that are a day old and that no row names, as a killed server leaves them; how many."""
    newest = f"{int((now - ORPHAN_AFTER).timestamp() * 1000):012x}"
    stored = (key for key in server.store.keys(PHOTOS) if key.rpartition("/")[2] < newest)
    removed = 0
    while keys := list(islice(stored, _LOOKED_UP_AT_ONCE)):
        with server.database.transaction(writes=False) as session:
            used = repository.photo_keys_in_use(session, keys)
        for key in set(keys) - used:
            server.store.delete(key)
            removed += 1
    return removed


def owner_of(session: Session, photo_id: str, scope: str) -> tuple[EnrolmentPhoto, Owner]:
    """A photo and whose it is. Raises :class:`NotFound`, outside the scope as well."""
    photo = repository.photo(session, photo_id)
    owner: Owner | None = None
    if photo is not None and photo.person_id is not None:
        owner = repository.person(session, photo.person_id)
    elif photo is not None and photo.staff_id is not None:
        owner = repository.staff_member(session, photo.staff_id)
    if photo is None or owner is None or not district_of(owner).startswith(scope):
        raise NotFound("there is no such photo")
    return photo, owner
