"""The audit log over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from server.messages import Message


class EntryAnswer(Message):
    """One entry: who did what to which object, and for which purpose."""

    number: int
    at: datetime
    actor_kind: str = Field(description="user, device or system")
    actor_id: str
    actor_login: str | None = Field(description="of a user, as it is today")
    action: str
    object_kind: str
    object_id: str
    purpose: str
    district_code: str | None
    detail: dict[str, Any]
    digest: str = Field(description="SHA-256 over all of the entry and the digest before it")


class EntryPage(Message):
    """Entries in the order that was asked for."""

    entries: list[EntryAnswer]
