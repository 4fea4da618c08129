"""Which settlement and which check are the same use of a credential."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Float, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base, enum_of


class PairingMethod(StrEnum):
    """How a settlement and a check were found to belong together."""

    SETL_ID = "setl_id"
    NEAREST_TIME = "nearest_time"


class UnjoinedReason(StrEnum):
    """Why a settlement has no check. ``waiting`` is also what the join has yet to look at."""

    WAITING = "waiting"
    UNKNOWN_INSTITUTION = "unknown_institution"
    NO_BOX = "no_box"
    BOX_NOT_HEARD = "box_not_heard"
    NO_CHECK_NEAR = "no_check_near"
    AMBIGUOUS = "ambiguous"
    ID_CONTRADICTED = "id_contradicted"
    NOT_AT_A_COUNTER = "not_at_a_counter"
    CHECK_EXPIRED = "check_expired"


class Pairing(Base):
    """One settlement with one check; each has one partner at most."""

    __tablename__ = "pairings"

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id", ondelete="CASCADE"), primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("checks.id", ondelete="CASCADE"), unique=True)
    method: Mapped[PairingMethod] = mapped_column(enum_of(PairingMethod))
    confidence: Mapped[float] = mapped_column(Float, comment="0 to 1")
    time_difference_s: Mapped[float] = mapped_column(Float, comment="settlement minus swipe, after clock offset")
    made_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),)


class CheckToJoin(Base):
    """A check of a swipe that the join has yet to look at: it is new, or what stood near it has changed."""

    __tablename__ = "checks_to_join"

    check_id: Mapped[int] = mapped_column(ForeignKey("checks.id", ondelete="CASCADE"), primary_key=True)
