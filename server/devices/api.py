"""Boxes: made by an operator, enrolled by themselves, seen, revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from renzheng.contracts.device import EnrolmentAnswer, EnrolmentRequest
from server.access import Needs, Subject
from server.context import ServerOfRequest, Transaction
from server.devices import service
from server.devices.messages import (
    DeviceAnswer,
    DeviceLabel,
    DevicePage,
    DeviceWithKeys,
    EnrolmentToken,
    KeyAnswer,
    NewDevice,
    ReportAnswer,
    ReportPage,
    TokenAsked,
)
from server.permissions import Permission
from server.problems import Problem
from server.sites.messages import ServerId
from server.tables import Device

router = APIRouter(tags=["devices"])

Viewer = Annotated[Subject, Depends(Needs(Permission.SEE_SITES))]
Editor = Annotated[Subject, Depends(Needs(Permission.EDIT_SITES))]
Id = Annotated[ServerId, Path()]
Limit = Annotated[int, Query(ge=1, le=200)]

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such one in your district"}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    403: {"model": Problem, "description": "the token is not known, too old or used, or the key is another box's"}
}


@router.post("/v1/devices/enroll", summary="Enrol a box", status_code=201, responses=_REFUSED)
def enrol_box(asked: EnrolmentRequest, server: ServerOfRequest, session: Transaction) -> EnrolmentAnswer:
    """Asked by a box, with the token an operator was given for it. The token is good for one box.

    The same token with the same key is answered the same until the box sends its first report; then it is used up.
    """
    return service.enrol_box(session, server, asked, datetime.now(UTC))


@router.post(
    "/v1/institutions/{institution_id}/devices", summary="Make a device", status_code=201, responses=_NOT_FOUND
)
def make_device(institution_id: Id, asked: NewDevice, subject: Editor, session: Transaction) -> EnrolmentToken:
    """Makes a device of an institution, and the token that its box enrols with. The token is shown this once."""
    return service.make_device(session, subject, institution_id, asked, datetime.now(UTC))


@router.post(
    "/v1/devices/{device_id}/enrolment-tokens", summary="Ask for a new token", status_code=201, responses=_NOT_FOUND
)
def new_token(device_id: Id, asked: TokenAsked, subject: Editor, session: Transaction) -> EnrolmentToken:
    """A new token for a device: the first was lost or too old, the box was set up anew, or is to speak again.

    It takes the place of the token before. The box that is enrolled now goes on until the new token is used; from
    then on its old token is not known any more, and its old key verifies old clips alone.
    """
    return service.new_token(session, subject, device_id, asked.valid_hours, datetime.now(UTC))


@router.post("/v1/devices/{device_id}/revocation", summary="Revoke a device", responses=_NOT_FOUND)
def revoke_device(device_id: Id, subject: Editor, session: Transaction) -> DeviceAnswer:
    """Shuts a box out at once. What it sent before stays, and its notices end."""
    return DeviceAnswer(**_facts(service.revoke_device(session, subject, device_id, datetime.now(UTC))))


@router.put("/v1/devices/{device_id}", summary="Label a device", responses=_NOT_FOUND)
def label_device(device_id: Id, asked: DeviceLabel, subject: Editor, session: Transaction) -> DeviceAnswer:
    """Says what people call a box."""
    return DeviceAnswer(**_facts(service.label_device(session, subject, device_id, asked)))


@router.get("/v1/devices", summary="List devices")
def list_devices(
    subject: Viewer,
    session: Transaction,
    institution: Annotated[ServerId | None, Query(description="id of one institution")] = None,
    after: Annotated[
        str, Query(description="id of the last one of the page before", pattern=r"^[0-9A-Za-z]{0,32}$")
    ] = "",
    limit: Limit = 100,
) -> DevicePage:
    """The boxes you see, and how each was when last heard of."""
    found = service.list_devices(session, subject, institution, after, limit)
    return DevicePage(devices=[DeviceAnswer(**_facts(device)) for device in found])


@router.get("/v1/devices/{device_id}", summary="See a device", responses=_NOT_FOUND)
def see_device(device_id: Id, subject: Viewer, session: Transaction) -> DeviceWithKeys:
    """One box, with the keys it signs and signed clips with."""
    device, keys = service.device_with_keys(session, subject, device_id)
    shown = [KeyAnswer(key_id=key.key_id, since=key.since, until=key.until) for key in keys]
    return DeviceWithKeys(**_facts(device), keys=shown)


@router.get("/v1/devices/{device_id}/reports", summary="List reports of a box", responses=_NOT_FOUND)
def list_reports(
    device_id: Id,
    subject: Viewer,
    session: Transaction,
    after: Annotated[
        str, Query(description="id of the last report of the page before", max_length=128, pattern=r"^[^\x00]*$")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> ReportPage:
    """What a box said of itself, newest first, as it came."""
    found = service.list_reports(session, subject, device_id, after, limit)
    shown = [ReportAnswer(report_id=one.report_id, received_at=one.received_at, report=one.body) for one in found]
    return ReportPage(reports=shown)


def _facts(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "institution_id": device.institution_id,
        "fixmedins_code": device.institution.fixmedins_code,
        "label": device.label,
        "state": service.state_of(device),
        "enrolled_at": device.enrolled_at,
        "revoked_at": device.revoked_at,
        "agent_version": device.agent_version,
        "last_seen_at": device.last_seen_at,
        "clock_offset_s": device.clock_offset_s,
        "outbox_waiting": device.outbox_waiting,
        "outbox_oldest_s": device.outbox_oldest_s,
        "created_at": device.created_at,
    }
