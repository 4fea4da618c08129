"""Taking in what boxes report of themselves: kept as it came, and turned into what a site shows now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from renzheng.clock import to_seconds
from renzheng.contracts.report import AgentReport, CameraReport
from server.access import BoxSubject
from server.errors import Unacceptable
from server.sites import judgements, repository
from server.sites.notices import Noticeboard
from server.sites.words import NoticeKind
from server.tables import Camera, Device

CAMERAS_MAX = 256
REPORT_ID_MAX = 128
NAME_MAX = 64
HOURS_MAX = 24 * 31
COUNT_MAX = 2**31 - 1
OLDEST_MAX_S = 1e9
VERSION_MAX = 40
MISSING = "missing"
"""State of a camera that its box does not report any more."""


def take_report(session: Session, box: BoxSubject, report: AgentReport, now: datetime) -> None:
    """Keep one report of a box and show what it says. Taken once: the same report again changes nothing.

    A report that is older than the newest is kept and counted, but shows nothing of how things are. Raises
    :class:`Unacceptable` for a report that is not this box's, cannot be kept, or differs from one of the same id.
    """
    body = _checked(box, report)
    device = repository.locked_device(session, box.device_id)
    if not repository.add_report(session, device.id, report, body, now):
        if repository.body_of_report(session, device.id, report.report_id) != body:
            raise Unacceptable("another report was taken under this id", "report_id")
        return
    note_seen(session, device, now)
    cameras, claimed = _cameras_of(session, device, report)
    _add_footfall(session, box, report, set(claimed))
    if not repository.newer_report(session, device.id, report.period_end):
        _show_box(session, device, report, now, claimed)
        _show_cameras(session, device, report, now, cameras)


def note_seen(session: Session, device: Device, now: datetime) -> None:
    """The box was heard of. The answer to its enrolment has then reached it, and is not kept for another time."""
    device.last_seen_at = now
    if device.token_sealed is not None:
        device.token_sealed, device.enrol_token_digest, device.enrol_token_until = None, None, None
    Noticeboard(session, device.institution_id, [device.id], now).show(NoticeKind.BOX_QUIET, device.id, None)


def kept_version(told: str) -> str:
    """A version as it is kept and shown, whatever a box says."""
    return "".join(c if c.isprintable() else "?" for c in told)[:VERSION_MAX]


def _checked(box: BoxSubject, report: AgentReport) -> dict[str, Any]:
    """The report as it is kept."""
    if report.device_id != box.device_id:
        raise Unacceptable("expected the id of the box that sends it", "device_id")
    if report.fixmedins_code != box.fixmedins_code:
        raise Unacceptable("expected the institution of the box that sends it", "fixmedins_code")
    if not 1 <= len(report.report_id) <= REPORT_ID_MAX:
        raise Unacceptable(f"expected 1 to {REPORT_ID_MAX} characters", "report_id")
    if report.period_end < report.period_start:
        raise Unacceptable("expected an end that is not before the start", "period_end")
    _check_cameras(report.cameras)
    text = report.model_dump_json()
    if "\\u0000" in text.replace("\\\\", ""):  # PostgreSQL cannot keep it
        raise Unacceptable("expected texts without the character 0")
    body: dict[str, Any] = json.loads(text)
    return body


def _check_cameras(cameras: Sequence[CameraReport]) -> None:
    if len(cameras) > CAMERAS_MAX:
        raise Unacceptable(f"expected at most {CAMERAS_MAX} cameras", "cameras")
    if len({camera.camera_id for camera in cameras}) < len(cameras):
        raise Unacceptable("expected each camera once", "cameras")
    for number, camera in enumerate(cameras):
        if not 1 <= len(camera.camera_id) <= NAME_MAX:
            raise Unacceptable(f"expected 1 to {NAME_MAX} characters", f"cameras.{number}.camera_id")
        if len(camera.footfall) > HOURS_MAX:
            raise Unacceptable(f"expected at most {HOURS_MAX} hours", f"cameras.{number}.footfall")
        if any(to_seconds(hour.hour_start) % 3600 for hour in camera.footfall):
            raise Unacceptable("expected the beginnings of hours", f"cameras.{number}.footfall")


def _show_box(session: Session, device: Device, report: AgentReport, now: datetime, claimed: list[str]) -> None:
    device.agent_version = kept_version(report.agent_version)
    device.outbox_waiting = min(report.outbox_waiting, COUNT_MAX)
    device.outbox_oldest_s = None if report.outbox_oldest_s is None else min(report.outbox_oldest_s, OLDEST_MAX_S)
    board = Noticeboard(session, device.institution_id, [device.id], now)
    _show_clock(session, device, board)
    old, low = judgements.outbox_is_old(report), judgements.evidence_is_low(report)
    board.show(NoticeKind.OUTBOX_OLD, device.id, {"oldest_s": device.outbox_oldest_s} if old else None)
    board.show(NoticeKind.EVIDENCE_LOW, device.id, {} if low else None)
    board.show(NoticeKind.CAMERA_CLAIMED_TWICE, device.id, {"cameras": claimed} if claimed else None)


def _show_clock(session: Session, device: Device, board: Noticeboard) -> None:
    arrivals = repository.last_arrivals(session, device.id, judgements.ARRIVALS_JUDGED)
    offset_s = judgements.clock_offset_s(arrivals)
    if offset_s is None:
        return
    device.clock_offset_s = round(offset_s, 1)
    off = judgements.clock_is_off(offset_s, len(arrivals))
    board.show(NoticeKind.CLOCK_OFF, device.id, {"offset_s": round(offset_s)} if off else None)


def _cameras_of(session: Session, device: Device, report: AgentReport) -> tuple[list[Camera], list[str]]:
    """The cameras that are this box's, those it names no more included, and the names that another box has.

    A camera stays with the box that named it first, until that is revoked or somebody takes the camera from it.
    """
    names = {camera.camera_id for camera in report.cameras}
    repository.add_cameras(session, device.institution_id, sorted(names))
    others = repository.speaking_devices(session, device.institution_id) - {device.id}
    own, claimed = [], []
    for camera in repository.cameras_of(session, device.institution_id):
        if camera.camera_id in names and camera.device_id in others:
            claimed.append(camera.camera_id)
        elif camera.camera_id in names or camera.device_id == device.id:
            own.append(camera)
    return own, claimed


def _show_cameras(
    session: Session, device: Device, report: AgentReport, now: datetime, cameras: Sequence[Camera]
) -> None:
    board = Noticeboard(session, device.institution_id, [camera.id for camera in cameras], now)
    told = {camera.camera_id: camera for camera in report.cameras}
    for camera in cameras:
        _show_camera(camera, told.get(camera.camera_id), device, report.period_end, board)


def _show_camera(camera: Camera, told: CameraReport | None, device: Device, at: datetime, board: Noticeboard) -> None:
    camera.device_id = device.id
    if told is None:
        camera.state = MISSING
        board.show(NoticeKind.CAMERA_SILENT, camera.id, {"state": MISSING})
        return
    camera.state, camera.recorded_from, camera.recorded_until = (
        told.state.value,
        told.recorded_from,
        told.recorded_until,
    )
    if told.fitness is not None:
        camera.fitness = told.fitness.model_dump(mode="json")
    silent = judgements.is_silent(told.recorded_until, at)
    board.show(NoticeKind.CAMERA_SILENT, camera.id, {"state": camera.state} if silent else None)
    before = board.told(NoticeKind.CAMERA_UNFIT, camera.id)
    unfit = judgements.fitness_told(told.fitness, device.institution.hours, at, before)
    board.show(NoticeKind.CAMERA_UNFIT, camera.id, unfit)


def _add_footfall(session: Session, box: BoxSubject, report: AgentReport, without: set[str]) -> None:
    """Hours as the box counted them so far; of an hour told twice the count from more looks stays."""
    cameras = [camera for camera in report.cameras if camera.camera_id not in without]
    hours = {(camera.camera_id, hour.hour_start): hour for camera in cameras for hour in camera.footfall}
    repository.add_footfall(
        session,
        [
            {
                "institution_id": box.institution_id,
                "camera_id": camera_id,
                "hour_start": hour_start,
                "visits": min(hour.visits, COUNT_MAX),
                "most_at_once": min(hour.most_at_once, COUNT_MAX),
                "looks": min(hour.looks, COUNT_MAX),
            }
            for (camera_id, hour_start), hour in hours.items()
        ],
    )
