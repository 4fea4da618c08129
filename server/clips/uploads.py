"""Rules of clip uploads: which may begin, and which become a clip.

All that can be known before the first byte is asked when an upload begins. At its end the bytes are compared with the
signed manifest; then they go into the object store, and the row that names them is committed last.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from renzheng.contracts import ClipManifest, SignedManifest
from renzheng.crypto import Tampered, verify
from renzheng.errors import StorageFull
from renzheng.ids import CHECK_ID_MAX, new_id
from renzheng.manifests import verify_manifest
from server.access import BoxSubject
from server.audit_log.service import Deed, record
from server.clips import repository
from server.clips.upload_folder import UploadFolder
from server.context import Server
from server.errors import Conflict, NotFound, ServerError, TooLarge, TooMany, Unacceptable, Unavailable
from server.limits import MB
from server.people.erasure import is_erased
from server.tables import ClipUpload

log = logging.getLogger(__name__)

RUNNING_MAX = 64
"""A box sends one clip at a time; those that failed wait for their next turn."""

ROOM_BYTES = 64 * MB
"""Stays free for everything else on the disk."""

KEEP = timedelta(days=7)
"""How long an upload may pause, and how long a finished one is answered for again."""

STALE_AT_ONCE = 500


class UploadDamaged(ServerError):
    """What arrived is not what its manifest says; it was thrown away and has to be sent anew."""

    status = 460


@dataclass(frozen=True)
class Announced:
    """What a box says of a clip."""

    delivery_id: str
    sha256: str
    signed: SignedManifest
    manifest: ClipManifest


def announced(metadata: Mapping[object, str]) -> Announced:
    """What ``Upload-Metadata`` says. Raises :class:`Unacceptable` that names the wrong key."""
    for key in ("filename", "filetype", "check_id", "sha256", "manifest"):
        if not metadata.get(key):
            raise Unacceptable("expected it in base64", f"Upload-Metadata.{key}")
    delivery_id = metadata["check_id"]
    if len(delivery_id) > CHECK_ID_MAX or "\0" in delivery_id:
        raise Unacceptable("expected the id of a check", "Upload-Metadata.check_id")
    field = "Upload-Metadata.manifest"
    try:
        signed = SignedManifest.model_validate_json(metadata["manifest"])
        manifest = ClipManifest.model_validate_json(signed.manifest)
    except ValidationError as error:
        raise Unacceptable("expected a signed manifest of a clip", field) from error
    if "\0" in signed.manifest:
        raise Unacceptable("expected text without the character U+0000", field)
    return Announced(delivery_id, metadata["sha256"], signed, manifest)


def begin(server: Server, folder: UploadFolder, box: BoxSubject, metadata: Mapping[object, str], size: int) -> str:
    """Let an upload begin; its id.

    Raises :class:`Unacceptable`, :class:`TooLarge`, :class:`Conflict` while the check is not there or has another clip,
    :class:`TooMany`, :class:`StorageFull`.
    """
    if size > server.settings.clip_mb * MB:
        raise TooLarge(f"expected a clip of at most {server.settings.clip_mb} MiB")
    told = announced(metadata)
    _fits(told, box, size)
    _has_room(folder, size)
    upload_id = new_id()
    with server.database.transaction() as session:
        _wanted(session, box, told)
        former = repository.unfinished_of_check(session, box.device_id, told.delivery_id)
        repository.remove_uploads(session, [one.id for one in former])
        if repository.running_of(session, box.device_id) >= RUNNING_MAX:
            raise TooMany(f"expected at most {RUNNING_MAX} uploads at once", retry_after_s=3600)
        now = datetime.now(UTC)
        session.add(ClipUpload(id=upload_id, device_id=box.device_id, delivery_id=told.delivery_id, begun_at=now))
    _forget_unnamed(server, former)  # what a killed server left of them
    for one in former:
        folder.remove(one.id)
    return upload_id


def _fits(told: Announced, box: BoxSubject, size: int) -> None:
    manifest = told.manifest
    before_enrolment = f"local-{told.signed.key_id[:16]}"  # how a box names itself until a server knows it
    for name, given, expected in (
        ("clip_id", manifest.clip_id, (told.delivery_id,)),
        ("device_id", manifest.device_id, (box.device_id, before_enrolment)),
        ("fixmedins_code", manifest.fixmedins_code, (box.fixmedins_code,)),
        ("sha256", manifest.sha256, (told.sha256,)),
        ("size_bytes", manifest.size_bytes, (size,)),
    ):
        if given not in expected:
            raise Unacceptable(f"{name}: expected that of this upload", "Upload-Metadata.manifest")


def _has_room(folder: UploadFolder, size: int) -> None:
    place = folder.folder if folder.folder.is_dir() else folder.folder.parent
    if shutil.disk_usage(place).free < size + ROOM_BYTES:
        raise StorageFull(f"{place}: no room for an upload of {size} bytes")


def _wanted(session: Session, box: BoxSubject, told: Announced) -> None:
    check = repository.check_of(session, box.device_id, told.delivery_id)
    if check is None:
        raise Conflict("the check of this clip is not here; it comes first", "Upload-Metadata.check_id")
    key = repository.key_of(session, box.device_id, told.signed.key_id)
    if key is None:
        raise Unacceptable("expected a key of this box", "Upload-Metadata.manifest.key_id")
    try:
        verify(key.public_key, told.signed.manifest.encode(), told.signed.signature)
    except Tampered as error:
        raise Unacceptable("expected the signature of the manifest", "Upload-Metadata.manifest.signature") from error
    clip = repository.clip_of(session, check.id)
    if clip is not None and clip.sha256 != told.sha256:
        raise Conflict("this check has another clip already", "Upload-Metadata.sha256")


def own_upload(server: Server, box: BoxSubject, upload_id: str) -> ClipUpload:
    """An upload of the asking box. Raises :class:`NotFound`, also for one of another box."""
    with server.database.transaction(writes=False) as session:
        upload = repository.upload_of(session, box.device_id, upload_id)
    if upload is None:
        raise NotFound("there is no such upload")
    return upload


def finish(
    server: Server, folder: UploadFolder, box: BoxSubject, upload_id: str, metadata: Mapping[object, str]
) -> None:
    """Make a clip of a whole upload; a second time, nothing.

    Raises :class:`UploadDamaged` when it was thrown away, :class:`Unavailable` and :class:`StorageFull` when it stays
    and the box may ask again.
    """
    try:
        with folder.held(upload_id):
            upload = own_upload(server, box, upload_id)
            if upload.finished_at is None:
                _finish(server, folder, box, upload, announced(metadata))
    except TimeoutError as error:
        raise Unavailable("this upload is being finished") from error


def _finish(server: Server, folder: UploadFolder, box: BoxSubject, upload: ClipUpload, told: Announced) -> None:
    path = folder.path(upload.id)
    with server.database.transaction(writes=False) as session:
        key = repository.key_of(session, box.device_id, told.signed.key_id)
    try:
        if key is None:
            raise Tampered("the key is not one of this box")
        verify_manifest(told.signed, key.public_key, path, told.delivery_id)
    except Tampered as error:
        log.warning("an upload is not what its manifest says: %s: %s", upload.id, error)
        folder.remove(upload.id)
        raise UploadDamaged("the clip is not what its manifest says; it was thrown away") from error
    store_key = store_key_of(upload)
    try:
        _store(server, store_key, path)
        with server.database.transaction() as session:
            is_new = _add(session, box, upload.id, told, store_key)
    except BaseException:
        _forget_unnamed(server, [upload])
        raise
    path.unlink(missing_ok=True)
    if not is_new:
        server.store.delete(store_key)


def store_key_of(upload: ClipUpload) -> str:
    """Where the bytes of an upload go; the same at every try."""
    return f"clips/{upload.begun_at:%Y%m%d}/{upload.id}.mp4"


def _store(server: Server, store_key: str, path: Path) -> None:
    other = _second_name(path)
    try:
        server.store.put_file(store_key, other)
    finally:
        other.unlink(missing_ok=True)


def _forget_unnamed(server: Server, those: Sequence[ClipUpload]) -> None:
    """Delete what uploads left in the store and no clip names, as far as that can be known now; the rest goes with the
    stale uploads. A commit of which nobody knows whether it happened holds the upload's row: it is waited for.
    """
    keys = [store_key_of(upload) for upload in those]
    if not keys:
        return
    try:
        with server.database.transaction() as session:
            repository.lock_uploads(session, [upload.id for upload in those])
            named = repository.in_store(session, keys)
        for key in keys:
            if key not in named:
                server.store.delete(key)
    except (Unavailable, OSError):
        log.warning("%s objects of unfinished uploads are left for later", len(keys))


def _second_name(path: Path) -> Path:
    """The same bytes under a name that a store may take away: an upload whose row is not committed keeps its own."""
    other = path.with_suffix(".done")
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:  # a file system without links
        shutil.copyfile(path, other)
    return other


def _add(session: Session, box: BoxSubject, upload_id: str, told: Announced, store_key: str) -> bool:
    """Whether the clip is kept: its check had none yet, and nobody whom it shows was erased. Else the upload is over
    and the box forgets the clip, which is all that is left of it."""
    upload = repository.upload_of(session, box.device_id, upload_id, locked=True)
    check = repository.check_of(session, box.device_id, told.delivery_id, locked=True)
    if upload is None or check is None:
        raise Conflict("upload or check were deleted meanwhile")
    upload.finished_at = now = datetime.now(UTC)
    if is_erased(check):
        return False
    clip_id = new_id()
    is_new = repository.add_clip(
        session,
        {
            "id": clip_id,
            "check_id": check.id,
            "store_key": store_key,
            "sha256": told.sha256,
            "size_bytes": told.manifest.size_bytes,
            "manifest": told.signed.manifest,
            "key_id": told.signed.key_id,
            "signature": told.signed.signature,
            "start": told.manifest.start,
            "end": told.manifest.end,
            "received_at": now,
        },
    )
    if is_new:
        detail = {"bytes": told.manifest.size_bytes, "check": str(check.id)}
        record(
            session,
            Deed(box.actor, "delivered", "clip", clip_id, district_code=box.district_code, detail=detail),
        )
    return is_new


def remove_stale(server: Server, folder: UploadFolder, now: datetime) -> int:
    """Delete uploads that nobody goes on with, finished ones that nobody asks for again, and files of neither.

    How many uploads were deleted. What a killed server left of them in the object store goes too.
    """
    with server.database.transaction() as session:
        old = repository.stale(session, now - KEEP, STALE_AT_ONCE)
        repository.remove_uploads(session, [upload.id for upload in old])
    _forget_unnamed(server, [upload for upload in old if upload.finished_at is None])
    for upload_id in [*(upload.id for upload in old), *_strangers(server, folder, now)]:
        folder.remove(upload_id)
    return len(old)


def _strangers(server: Server, folder: UploadFolder, now: datetime) -> list[str]:
    """Files, as old as that, of uploads that no row tells of."""
    old = [one for one in folder.known() if _changed_at(folder, one) < now - KEEP]
    with server.database.transaction(writes=False) as session:
        known = repository.known_uploads(session, old)
    return [one for one in old if one not in known]


def _changed_at(folder: UploadFolder, upload_id: str) -> datetime:
    times = [path.stat().st_mtime for path in folder.folder.glob(f"{upload_id}*")]
    return datetime.fromtimestamp(max(times, default=0.0), UTC)
