"""What metrics and readiness ask of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, literal_column, select, text
from sqlalchemy.orm import Session

from renzheng.clock import to_seconds
from renzheng.contracts import Verdict
from server.tables import Check, CheckToJoin, Device, LoginSession, Settlement, SiteNotice


@dataclass(frozen=True)
class ServerState:
    """Counts of what waits and what is open."""

    checks_waiting: int
    checks_to_join: int
    settlements_waiting: int
    sessions: int
    boxes: int
    newest_check_s: float
    notices: dict[str, int]


def state_of(session: Session) -> ServerState:
    """The counts, each by an index."""

    def count(table: object, *where: object) -> int:
        return session.scalars(select(func.count()).select_from(table).where(*where)).one()  # type: ignore[arg-type]

    kinds = select(SiteNotice.kind, func.count()).where(SiteNotice.ended_at.is_(None)).group_by(SiteNotice.kind)
    newest = session.scalars(select(func.max(Check.received_at))).one()
    return ServerState(
        checks_waiting=count(Check, Check.verdict == Verdict.PENDING_REFERENCE.value),
        checks_to_join=count(CheckToJoin),
        settlements_waiting=count(Settlement, Settlement.unjoined_reason == literal_column("'waiting'")),
        sessions=count(LoginSession, LoginSession.expires_at > datetime.now(UTC)),
        boxes=count(Device, Device.enrolled_at.is_not(None), Device.revoked_at.is_(None)),
        newest_check_s=to_seconds(newest) if newest else 0.0,
        notices={row[0]: row[1] for row in session.execute(kinds)},
    )


def answers(session: Session) -> None:
    """Ask the database for the least; raises what it raises when it does not answer."""
    session.execute(text("SELECT 1"))
