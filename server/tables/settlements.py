"""What the insurer recorded of the money, under the platform's names. Amounts are in fen (0.01 yuan), exact.

The context of a sealed credential is ``settlements.credential_sealed:<setl_id>``: rows are numbered by the database
after they are sealed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base, BigId, Id, Json, enum_of
from server.tables.join import UnjoinedReason


def _where(condition: str) -> dict[str, Any]:
    """An index of those rows alone, on either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class SettlementImport(Base):
    """One file that was imported, and what became of its rows."""

    __tablename__ = "settlement_imports"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), comment="settlements, reversals, stays or items")
    file_name: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    district_code: Mapped[str | None] = mapped_column(String(6), comment="of who imported it; null: all districts")
    started_by: Mapped[str] = mapped_column(Id, comment="user, or server")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(comment="null: it runs, or was cut off")
    stopped_by: Mapped[str | None] = mapped_column(String(300), comment="why the file could not be read to its end")
    rows: Mapped[int] = mapped_column(default=0)
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    warnings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, comment="warning code to count")


class RejectedRow(Base):
    """What is wrong with one field of a row that was not taken. The value is not kept: it may be somebody's number."""

    __tablename__ = "rejected_rows"

    import_id: Mapped[str] = mapped_column(ForeignKey("settlement_imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="in the order of the file")
    row: Mapped[int] = mapped_column(comment="line of the file, the head is 1; number of the object in a JSON array")
    field: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(300))


class Settlement(Base):
    """One settlement. ``setl_id`` names it; a later import of the same id corrects it."""

    __tablename__ = "settlements"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    setl_id: Mapped[str] = mapped_column(String(64), unique=True)
    medins_setl_id: Mapped[str | None] = mapped_column(String(64))
    mdtrt_id: Mapped[str | None] = mapped_column(String(64))
    psn_no: Mapped[str] = mapped_column(String(64))
    fixmedins_code: Mapped[str] = mapped_column(String(64))
    institution_id: Mapped[str | None] = mapped_column(ForeignKey("institutions.id"), comment="null: not known here")
    district_code: Mapped[str | None] = mapped_column(String(6), comment="of the institution, for scope")
    terminal_id: Mapped[str | None] = mapped_column(String(64))
    setl_time: Mapped[datetime]
    insutype: Mapped[str | None] = mapped_column(String(6))
    med_type: Mapped[str | None] = mapped_column(String(6))
    mdtrt_cert_type: Mapped[str | None] = mapped_column(String(3))
    credential_sealed: Mapped[bytes | None] = mapped_column(LargeBinary, comment="mdtrt_cert_no and card_sn, as JSON")
    credential_index: Mapped[str | None] = mapped_column(String(64), comment="blind index of the credential")
    medfee_sumamt: Mapped[int] = mapped_column(BigInteger)
    fund_pay_sumamt: Mapped[int] = mapped_column(BigInteger)
    acct_pay: Mapped[int] = mapped_column(BigInteger)
    acct_mulaid_pay: Mapped[int] = mapped_column(BigInteger)
    psn_cash_pay: Mapped[int] = mapped_column(BigInteger)
    invono: Mapped[str | None] = mapped_column(String(64))
    opter: Mapped[str | None] = mapped_column(String(64))
    import_id: Mapped[str] = mapped_column(ForeignKey("settlement_imports.id"))
    content_digest: Mapped[bytes] = mapped_column(LargeBinary(16), comment="tells a repeated row from a corrected one")
    unjoined_reason: Mapped[UnjoinedReason | None] = mapped_column(
        enum_of(UnjoinedReason),
        default=UnjoinedReason.WAITING,
        server_default=UnjoinedReason.WAITING.value,
        comment="null: joined; waiting: the join looks at it in its next run",
    )

    __table_args__ = (
        Index(None, "institution_id", "setl_time"),
        Index(None, "psn_no", "setl_time"),
        Index(None, "district_code", "setl_time"),
        Index(None, "fixmedins_code", "setl_time"),
        Index("ix_settlements_waiting", "id", **_where("unjoined_reason = 'waiting'")),
        Index("ix_settlements_of_unknown_institutions", "fixmedins_code", **_where("institution_id IS NULL")),
    )


class Reversal(Base):
    """A reversal (冲正, 2103). It may come before the settlement it reverses."""

    __tablename__ = "reversals"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    setl_id: Mapped[str] = mapped_column(String(64), unique=True, comment="of the reversal itself")
    reversed_setl_id: Mapped[str] = mapped_column(String(64), comment="init_setl_id of the platform")
    psn_no: Mapped[str] = mapped_column(String(64))
    fixmedins_code: Mapped[str] = mapped_column(String(64))
    setl_time: Mapped[datetime]
    medfee_sumamt: Mapped[int] = mapped_column(BigInteger, comment="fen, as a positive amount")
    import_id: Mapped[str] = mapped_column(ForeignKey("settlement_imports.id"))
    content_digest: Mapped[bytes] = mapped_column(LargeBinary(16))

    __table_args__ = (Index(None, "reversed_setl_id"),)


class Stay(Base):
    """An inpatient stay: admission (2401) and discharge (2402), whichever came; each adds what the other left open."""

    __tablename__ = "stays"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    mdtrt_id: Mapped[str] = mapped_column(String(64))
    ipt_no: Mapped[str | None] = mapped_column(String(64))
    psn_no: Mapped[str] = mapped_column(String(64))
    fixmedins_code: Mapped[str] = mapped_column(String(64))
    institution_id: Mapped[str | None] = mapped_column(ForeignKey("institutions.id"))
    district_code: Mapped[str | None] = mapped_column(String(6))
    begntime: Mapped[datetime | None] = mapped_column(comment="null: only the discharge has come")
    endtime: Mapped[datetime | None]
    adm_bed: Mapped[str | None] = mapped_column(String(64))
    adm_dept_codg: Mapped[str | None] = mapped_column(String(64))
    adm_dept_name: Mapped[str | None] = mapped_column(String(100))
    dscg_bed: Mapped[str | None] = mapped_column(String(64))
    dscg_way: Mapped[str | None] = mapped_column(String(6))
    die_date: Mapped[datetime | None]
    import_id: Mapped[str] = mapped_column(ForeignKey("settlement_imports.id"))
    content_digest: Mapped[bytes] = mapped_column(LargeBinary(16))

    __table_args__ = (
        UniqueConstraint("fixmedins_code", "mdtrt_id"),
        Index(None, "psn_no", "begntime"),
        Index(None, "institution_id", "begntime"),
    )


class LineItem(Base):
    """One line of a purchase (2102 ``drugdetail``)."""

    __tablename__ = "line_items"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    setl_id: Mapped[str] = mapped_column(String(64))
    feedetl_sn: Mapped[str] = mapped_column(String(64), comment="number of the line within its settlement")
    med_list_codg: Mapped[str | None] = mapped_column(String(64))
    medins_list_codg: Mapped[str | None] = mapped_column(String(64))
    cnt: Mapped[int] = mapped_column(BigInteger, comment="0.0001 units")
    pric: Mapped[int] = mapped_column(BigInteger, comment="0.0001 yuan")
    det_item_fee_sumamt: Mapped[int] = mapped_column(BigInteger, comment="fen")
    import_id: Mapped[str] = mapped_column(ForeignKey("settlement_imports.id"))
    content_digest: Mapped[bytes] = mapped_column(LargeBinary(16))

    __table_args__ = (UniqueConstraint("setl_id", "feedetl_sn"),)


class TraceCode(Base):
    """A drug trace code (追溯码, ``drug_trac_codg``) of a line; one code may be sold once."""

    __tablename__ = "trace_codes"

    item_id: Mapped[int] = mapped_column(ForeignKey("line_items.id", ondelete="CASCADE"), primary_key=True)
    drug_trac_codg: Mapped[str] = mapped_column(String(100), primary_key=True)

    __table_args__ = (Index(None, "drug_trac_codg"),)
