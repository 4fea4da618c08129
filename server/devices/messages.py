"""What is said of devices over the API."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from server.messages import Message
from server.sites.messages import Name


class DeviceState(StrEnum):
    """Where a device stands."""

    AWAITED = "awaited"
    ENROLLED = "enrolled"
    REVOKED = "revoked"


class DeviceLabel(Message):
    """What people call a box, such as where it stands."""

    label: Name


class TokenAsked(Message):
    """How long an enrolment token is to be good."""

    valid_hours: int = Field(72, ge=1, le=168)


class NewDevice(DeviceLabel, TokenAsked):
    """A box that is about to be installed."""


class KeyAnswer(Message):
    """A key that the box signs clips with, or did until ``until``."""

    key_id: str = Field(description="sha256 of the raw public key, hex")
    since: datetime
    until: datetime | None


class DeviceAnswer(Message):
    """A box, and how it was when last heard of."""

    id: str
    institution_id: str
    fixmedins_code: str
    label: str
    state: DeviceState
    enrolled_at: datetime | None
    revoked_at: datetime | None
    agent_version: str | None
    last_seen_at: datetime | None
    clock_offset_s: float | None = Field(description="the box's clock minus the server's")
    outbox_waiting: int | None
    outbox_oldest_s: float | None
    created_at: datetime


class DeviceWithKeys(DeviceAnswer):
    """A box with the keys it has and had."""

    keys: list[KeyAnswer]


class DevicePage(Message):
    """Devices in the order of their ids."""

    devices: list[DeviceAnswer]


class EnrolmentToken(Message):
    """What is typed into a box once. It is shown now and never again."""

    device_id: str
    enrolment_token: str
    expires_at: datetime


class ReportAnswer(Message):
    """A report of a box as it came (the AgentReport contract)."""

    report_id: str
    received_at: datetime
    report: dict[str, Any]


class ReportPage(Message):
    """Reports, newest first."""

    reports: list[ReportAnswer]
