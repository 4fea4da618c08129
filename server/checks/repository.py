"""SQL over checks and their pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Select, Text, bindparam, cast, delete, func, or_, select
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from renzheng.contracts import Verdict
from server.access import Subject, within
from server.tables import Check, CheckPiece, Clip, Device, InsuredPerson


@dataclass(frozen=True)
class CheckFilter:
    """Which checks a list shows; ``None`` is any."""

    institution_id: str | None = None
    verdict: str | None = None
    kind: str | None = None
    setl_id: str | None = None
    psn_no: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def digests(session: Session, device_id: str, delivery_ids: Sequence[str]) -> dict[str, str]:
    """Digests of the checks that are there, by delivery."""
    statement = select(Check.delivery_id, Check.body_sha256).where(
        Check.device_id == device_id, Check.delivery_id.in_(delivery_ids)
    )
    return dict(session.execute(statement).all())


_TABLE: Any = Check.__table__
_OF_A_ROW: Final = (
    "device_id", "delivery_id", "body_sha256", "kind", "setl_id", "institution_id", "district_code", "terminal_id",
    "bed_id", "camera_id", "psn_no", "happened_at", "clock_offset_s", "verdict", "reasons", "score", "clip_due",
    "finished_at", "received_at", "body",
)  # fmt: skip


def add_new(session: Session, rows: list[dict[str, Any]], bodies: list[str]) -> dict[str, int]:
    """Insert checks of one device, ``bodies`` as JSON; ids by delivery of those that were not there."""
    if not rows:
        return {}
    if session.get_bind().dialect.name == "sqlite":
        whole = [row | {"body": json.loads(body)} for row, body in zip(rows, bodies, strict=True)]
        statement = sqlite.insert(_TABLE).on_conflict_do_nothing(index_elements=["device_id", "delivery_id"])
        return dict(session.execute(statement.returning(Check.delivery_id, Check.id), whole).all())
    return dict(session.execute(_from_one_text(), {"rows": _one_text(rows, bodies)}).all())


def _one_text(rows: list[dict[str, Any]], bodies: list[str]) -> str:
    """All rows as one JSON array. Twenty values of each row, bound alone, cost more than all else that a batch does."""
    heads = (to_json(row).decode()[:-1] for row in rows)
    whole = (f'{head},"body":{body}}}' for head, body in zip(heads, bodies, strict=True))
    return f"[{','.join(whole)}]"


@cache
def _from_one_text() -> Any:
    columns = [sql_column(name, _TABLE.c[name].type) for name in _OF_A_ROW]
    rows = func.jsonb_to_recordset(cast(bindparam("rows", type_=Text), JSONB))
    given = rows.table_valued(*columns, name="given").render_derived(with_types=True)
    return (
        postgresql.insert(_TABLE)
        .from_select(list(_OF_A_ROW), select(*(given.c[name] for name in _OF_A_ROW)))
        .on_conflict_do_nothing(index_elements=["device_id", "delivery_id"])
        .returning(Check.delivery_id, Check.id)
    )


def body_of(session: Session, device_id: str, delivery_id: str) -> dict[str, Any] | None:
    """What a device delivered under that id."""
    statement = select(Check.body).where(Check.device_id == device_id, Check.delivery_id == delivery_id)
    return session.scalars(statement).one_or_none()


def add_pieces(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert pieces of checks."""
    if rows:
        session.execute(CheckPiece.__table__.insert(), rows)  # type: ignore[attr-defined]


def device_unheard_of(session: Session, device_id: str, since: datetime) -> Device | None:
    """The device, locked, unless it was noted since then that it was heard of."""
    unheard = or_(Device.last_seen_at.is_(None), Device.last_seen_at < since)
    statement = select(Device).where(Device.id == device_id, unheard).with_for_update(of=Device)
    return session.scalars(statement).one_or_none()


def waiting(session: Session, limit: int, tried_before: datetime) -> list[int]:
    """Ids of checks that wait for the server's decision, those that were not tried before others."""
    statement = (
        select(Check.id)
        .where(
            Check.verdict == Verdict.PENDING_REFERENCE.value,
            or_(Check.decided_at.is_(None), Check.decided_at < tried_before),
        )
        .order_by(Check.decided_at.is_not(None), Check.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def one_waiting(session: Session, check_id: int, *, locked: bool = False) -> Check | None:
    """A check that waits for the server's decision; locked, nobody else decides it in the meantime."""
    statement = select(Check).where(Check.id == check_id, Check.verdict == Verdict.PENDING_REFERENCE.value)
    if locked:
        statement = statement.with_for_update(of=Check)
    return session.scalars(statement).one_or_none()


def readable(subject: Subject) -> Select[Check]:
    """The checks that somebody may see."""
    return within(select(Check), Check.district_code, subject)


def listed(session: Session, subject: Subject, wanted: CheckFilter, after: int | None, limit: int) -> list[Check]:
    """A page of checks, those that arrived last first."""
    statement = readable(subject)
    for column, value in (
        (Check.institution_id, wanted.institution_id),
        (Check.verdict, wanted.verdict),
        (Check.kind, wanted.kind),
        (Check.setl_id, wanted.setl_id),
        (Check.psn_no, wanted.psn_no),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(Check.happened_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(Check.happened_at < wanted.until)
    if after is not None:
        statement = statement.where(Check.id < after)
    return list(session.scalars(statement.order_by(Check.id.desc()).limit(limit)))


def one(session: Session, subject: Subject, check_id: int) -> Check | None:
    """A check that somebody may see."""
    return session.scalars(readable(subject).where(Check.id == check_id)).one_or_none()


def pieces_of(session: Session, check_id: int) -> list[CheckPiece]:
    """The pieces of a check, by name."""
    return list(session.scalars(select(CheckPiece).where(CheckPiece.check_id == check_id).order_by(CheckPiece.path)))


def remove_pieces(session: Session, piece_ids: Sequence[str]) -> None:
    """Forget pieces; their objects are the caller's to delete."""
    session.execute(delete(CheckPiece).where(CheckPiece.id.in_(piece_ids)))


def keys_in_use(session: Session, store_keys: Iterable[str]) -> set[str]:
    """Those of the keys under which a check has a piece."""
    return set(session.scalars(select(CheckPiece.store_key).where(CheckPiece.store_key.in_(list(store_keys)))))


def clip_of(session: Session, check_id: int) -> Clip | None:
    """The clip of a check."""
    return session.scalars(select(Clip).where(Clip.check_id == check_id)).one_or_none()


def psn_no_of(session: Session, subject: Subject, person_id: str) -> str | None:
    """The person number of somebody whom the subject may see."""
    statement = within(select(InsuredPerson.psn_no), InsuredPerson.district_code, subject)
    return session.scalars(statement.where(InsuredPerson.id == person_id)).one_or_none()
