"""Rules of devices: how a box becomes known, gets a new key, and is shut out.

An operator makes a device and gets a token for it; the box shows the token with its public key and is answered with a
token of its own. Until the box was heard of under that, the same token with the same key is answered the same, because
an answer may be lost.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from renzheng.contracts.device import EnrolmentAnswer, EnrolmentRequest
from renzheng.crypto import KEY_BYTES
from renzheng.ids import new_id
from server.access import Subject, digest_of_token
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.devices import repository
from server.devices.messages import DeviceLabel, DeviceState, EnrolmentToken, NewDevice
from server.errors import Forbidden, Unacceptable
from server.key_ring import KeyRing
from server.sites import notices
from server.sites import repository as sites
from server.sites import service as sites_service
from server.sites.reports import kept_version
from server.tables import BoxReport, Device, DeviceKey

TOKEN_BYTES = 32


def make_device(
    session: Session, subject: Subject, institution_id: str, asked: NewDevice, now: datetime
) -> EnrolmentToken:
    """Make a device of an institution. Raises :class:`NotFound`."""
    place = sites_service.institution(session, subject, institution_id)
    device = Device(id=new_id(), institution_id=place.id, institution=place, label=asked.label, created_at=now)
    session.add(device)
    _note(session, subject, "device_made", device)
    return _new_token(session, subject, device, asked.valid_hours, now)


def new_token(session: Session, subject: Subject, device_id: str, valid_hours: int, now: datetime) -> EnrolmentToken:
    """A token with which a box enrols anew as the same device: after its disk was lost, or after it was revoked.

    The box that is enrolled now goes on until the token is used. Raises :class:`NotFound`.
    """
    device = _locked(session, subject, device_id)
    return _new_token(session, subject, device, valid_hours, now)


def label_device(session: Session, subject: Subject, device_id: str, asked: DeviceLabel) -> Device:
    """Call a device something else. Raises :class:`NotFound`."""
    device = _locked(session, subject, device_id)
    device.label = asked.label
    _note(session, subject, "device_changed", device)
    return device


def revoke_device(session: Session, subject: Subject, device_id: str, now: datetime) -> Device:
    """Shut a box out, at once; asked twice, nothing more happens. What it sent stays. Raises :class:`NotFound`."""
    device = _locked(session, subject, device_id)
    if device.revoked_at is not None:
        return device
    device.revoked_at = now
    device.enrol_token_digest, device.enrol_token_until, device.token_sealed = None, None, None
    repository.end_keys(session, device.id, now)
    its = [device.id, *repository.ids_of_cameras(session, device.id)]
    notices.end_notices_of(session, device.institution_id, its, now)
    _note(session, subject, "device_revoked", device)
    return device


def enrol_box(session: Session, server: Server, asked: EnrolmentRequest, now: datetime) -> EnrolmentAnswer:
    """Take a box in.

    Raises :class:`Forbidden` for a token that is not known, is too old or was used, and for a key that is another
    device's; :class:`Unacceptable` for what is no key, or another institution than the token's.
    """
    public_key = _public_key(asked.public_key)
    device = repository.device_of_enrolment_token(session, digest_of_token(asked.token))
    if device is None or device.enrol_token_until is None or device.enrol_token_until <= now:
        raise Forbidden("this enrolment token is not known, was used, or is too old; ask for a new one")
    if asked.fixmedins_code != device.institution.fixmedins_code:
        raise Unacceptable("expected the institution that this token was made for", "body.fixmedins_code")
    if device.token_sealed is not None:
        return _same_answer(session, server, device, public_key)
    _take_key(session, device, public_key, now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    device.token_digest = digest_of_token(token)
    device.token_sealed = server.keys.seal_text(token, _context(device))
    device.enrolled_at, device.revoked_at = now, None
    device.last_seen_at = None
    device.agent_version = kept_version(asked.agent_version)
    place = device.institution
    deed = Deed(Actor("device", device.id), "device_enrolled", "device", device.id, district_code=place.district_code)
    record(session, deed)
    return _answer(device, token, server.keys)


def list_devices(
    session: Session, subject: Subject, institution_id: str | None, after: str, limit: int
) -> Sequence[Device]:
    """Devices that the subject sees."""
    return repository.page_of_devices(session, subject, institution_id, after, limit)


def device_with_keys(session: Session, subject: Subject, device_id: str) -> tuple[Device, Sequence[DeviceKey]]:
    """A device that the subject sees, and its keys. Raises :class:`NotFound`."""
    device = sites_service.one(session, Device, subject, device_id)
    return device, repository.keys_of(session, device.id)


def list_reports(session: Session, subject: Subject, device_id: str, after: str, limit: int) -> Sequence[BoxReport]:
    """Reports of a device, newest first. Raises :class:`NotFound`."""
    device = sites_service.one(session, Device, subject, device_id)
    return sites.page_of_reports(session, device.id, after, limit)


def state_of(device: Device) -> DeviceState:
    """Where a device stands."""
    if device.revoked_at is not None:
        return DeviceState.REVOKED
    return DeviceState.AWAITED if device.enrolled_at is None else DeviceState.ENROLLED


def _same_answer(session: Session, server: Server, device: Device, public_key: bytes) -> EnrolmentAnswer:
    """For a box whose answer was lost; nobody else has its key."""
    current = [key for key in repository.keys_of(session, device.id) if key.until is None]
    if device.token_sealed is None or [key.public_key for key in current] != [public_key]:
        raise Forbidden("this enrolment token was used by another box")
    return _answer(device, server.keys.open_text(device.token_sealed, _context(device)), server.keys)


def _take_key(session: Session, device: Device, public_key: bytes, now: datetime) -> None:
    """The key becomes the one that the device signs with."""
    key_id = hashlib.sha256(public_key).hexdigest()
    known = repository.key_of_id(session, key_id)
    if known is None:
        repository.end_keys(session, device.id, now)
        known = DeviceKey(key_id=key_id, device_id=device.id, public_key=public_key, since=now)
        if not sites.added(session, known):
            raise Forbidden("another box enrols with this key at this moment")
    elif known.device_id != device.id:
        raise Forbidden(
            f"this box is known as device {known.device_id}: ask for a token of that one, or have the box make new keys"
        )
    elif known.until is not None:
        repository.end_keys(session, device.id, now)
        known.until = None


def _public_key(told: str) -> bytes:
    try:
        key = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unacceptable("expected base64", "body.public_key") from error
    if len(key) != KEY_BYTES:
        raise Unacceptable(f"expected {KEY_BYTES} bytes of an Ed25519 key", "body.public_key")
    return key


def _new_token(session: Session, subject: Subject, device: Device, valid_hours: int, now: datetime) -> EnrolmentToken:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    until = now + timedelta(hours=valid_hours)
    device.enrol_token_digest, device.enrol_token_until = digest_of_token(token), until
    device.token_sealed = None
    _note(session, subject, "enrolment_token_made", device, valid_hours=valid_hours)
    return EnrolmentToken(device_id=device.id, enrolment_token=token, expires_at=until)


def _locked(session: Session, subject: Subject, device_id: str) -> Device:
    sites_service.one(session, Device, subject, device_id)
    return sites.locked_device(session, device_id)


def _answer(device: Device, token: str, keys: KeyRing) -> EnrolmentAnswer:
    public = base64.b64encode(keys.public_key).decode()
    return EnrolmentAnswer(device_id=device.id, device_token=token, server_public_key=public)


def _context(device: Device) -> str:
    return f"devices.token:{device.id}"


def _note(session: Session, subject: Subject, action: str, device: Device, **detail: int) -> None:
    district_code = device.institution.district_code
    deed = Deed(subject.actor, action, "device", device.id, district_code=district_code, detail=dict(detail))
    record(session, deed)
