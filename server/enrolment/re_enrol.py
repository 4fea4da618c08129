"""Everybody enrolled anew when the model pack changes: new templates from kept photos, beside the old ones.

The old templates stay in use until :func:`retire_old`, so boxes go on whichever pack they run. It is done photo by
photo; whoever breaks it off begins again where it stood, because a photo with a template is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from renzheng.contracts import Reason
from renzheng.crypto import Tampered
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.enrolment import repository
from server.errors import Conflict
from server.people.faces import embedder_of
from server.people.photos import PhotoRefusedFor, add_template, face_in, photo_bytes
from server.store import NoSuchObject
from server.tables import EnrolmentPhoto

BLOCK = 200
SHOWN_MAX = 20


@dataclass(frozen=True)
class PhotoAnew:
    """What became of a photo; ``reasons`` say why it gave no template. The owner is told by the server's id."""

    photo_id: str
    owner_id: str
    reasons: tuple[Reason, ...] = ()


def photos_left(server: Server, pack: str) -> int:
    """How many photos in use have no template of this pack yet."""
    embedder = embedder_of(pack)
    with server.database.transaction(writes=False) as session:
        return repository.count_of_photos_to_do(session, embedder)


def enrol_anew(server: Server, pack: str, actor: Actor) -> Iterator[PhotoAnew]:
    """Make a template of this pack of every photo in use that has none, each in a transaction of its own.

    Raises as :func:`vision.pack.open_pack`, :class:`server.errors.Unavailable`.
    """
    embedder, after, made, failed = embedder_of(pack), "", 0, 0
    while photos := _block(server, embedder, after):
        for photo in photos:
            done = _one_anew(server, photo, pack)
            failed += bool(done.reasons)
            made += not done.reasons
            yield done
        after = photos[-1].id
    with server.database.transaction() as session:
        told = {"pack": pack, "templates_made": made, "photos_failed": failed}
        record(session, Deed(actor, "enrolled_anew", "pack", pack, detail=told))


def _block(server: Server, embedder: str, after: str) -> Sequence[EnrolmentPhoto]:
    with server.database.transaction(writes=False) as session:
        return repository.photos_to_do(session, embedder, after, BLOCK)


def _one_anew(server: Server, photo: EnrolmentPhoto, pack: str) -> PhotoAnew:
    owner_id = photo.person_id or photo.staff_id or ""
    try:
        found = face_in(server, photo_bytes(server, photo), pack)
    except (NoSuchObject, Tampered):
        return PhotoAnew(photo.id, owner_id, (Reason.UNREADABLE,))
    if isinstance(found, PhotoRefusedFor):
        return PhotoAnew(photo.id, owner_id, found.reasons)
    try:
        with server.database.transaction() as session:
            if repository.is_to_do(session, photo.id, found.embedder_sha256):
                add_template(session, server, photo, found)
    except Conflict:  # somebody else made it at the same time
        pass
    return PhotoAnew(photo.id, owner_id)


def retire_old(server: Server, pack: str, actor: Actor) -> int:
    """Revoke the templates of every other embedder; how many they were.

    Raises :class:`Conflict` while somebody would be left without any, or while new photos are enrolled
    with another pack.
    """
    if server.settings.pack != pack:
        raise Conflict(f"new photos are still enrolled with {server.settings.pack}: set the pack to {pack} first")
    embedder = embedder_of(pack)
    with server.database.transaction() as session:
        behind = repository.left_behind(session, embedder)
        if behind:
            shown = ", ".join(behind[:SHOWN_MAX]) + (", …" if len(behind) > SHOWN_MAX else "")
            raise Conflict(f"{len(behind)} people have no template of {pack} yet; photograph them anew: {shown}")
        retired = repository.retire_others(session, embedder, datetime.now(UTC))
        told = {"pack": pack, "templates_revoked": retired}
        record(session, Deed(actor, "old_templates_retired", "pack", pack, detail=told))
    return retired
