"""Writing the audit log. Entries of a transaction are chained when it ends, and are in it or not as it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from renzheng.clock import as_utc
from server.tables.audit_log import AuditEntry, AuditHead

FIRST_DIGEST = "0" * 64
_PENDING = "renzheng_audit_entries"


@dataclass(frozen=True)
class Actor:
    """Who acts: a user, a device, or the system itself in a periodic job or on the command line."""

    kind: str
    id: str


SYSTEM = Actor("system", "server")


@dataclass(frozen=True)
class Deed:
    """What somebody did. Objects are told by the server's ids; ``detail`` holds no name, number or face."""

    actor: Actor
    action: str
    object_kind: str
    object_id: str
    purpose: str = ""
    district_code: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def record(session: Session, deed: Deed) -> None:
    """Note a deed for the log; it is written when the transaction ends, and not at all when that fails.

    Raises :class:`TypeError` for details that are neither words nor whole numbers: other values may come back from a
    database otherwise than they went in, and would look changed.
    """
    odd = [name for name, value in deed.detail.items() if not isinstance(value, str | int)]
    if odd:
        raise TypeError(f"{deed.action}: expected words or whole numbers in {', '.join(odd)}")
    session.info.setdefault(_PENDING, []).append((datetime.now(UTC), deed))


def write_pending(session: Session) -> None:
    """Chain what was noted. Called at the transaction's boundary alone."""
    pending: list[tuple[datetime, Deed]] = session.info.pop(_PENDING, [])
    if not pending:
        return
    head = session.scalars(select(AuditHead).with_for_update().execution_options(populate_existing=True)).one()
    for at, deed in pending:
        entry = AuditEntry(
            number=head.number + 1,
            at=at,
            actor_kind=deed.actor.kind,
            actor_id=deed.actor.id,
            action=deed.action,
            object_kind=deed.object_kind,
            object_id=deed.object_id,
            purpose=deed.purpose,
            district_code=deed.district_code,
            detail=deed.detail,
            previous_digest=head.digest,
        )
        entry.digest = digest_of(entry)
        session.add(entry)
        head.number, head.digest = entry.number, entry.digest


def digest_of(entry: AuditEntry) -> str:
    """SHA-256 over everything an entry says, the digest before it included, as JSON with sorted keys."""
    told = {
        "number": entry.number,
        "at": as_utc(entry.at).isoformat(timespec="microseconds"),
        "actor": [entry.actor_kind, entry.actor_id],
        "action": entry.action,
        "object": [entry.object_kind, entry.object_id],
        "purpose": entry.purpose,
        "district": entry.district_code,
        "detail": entry.detail,
        "previous": entry.previous_digest,
    }
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
