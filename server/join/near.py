"""Who is near whom: the temporary tables of a step of the join, and how they are filled; part of the repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.elements import ColumnElement

from server.join.expressions import NotByIndex, seconds_apart, shifted
from server.tables import Check, CheckToJoin, Settlement
from server.tables.base import BigId

LARGEST_CLOCK_OFFSET_S: Final = 86_400.0
"""A terminal whose clock is farther off than a day is joined by number alone."""

_work = MetaData()


def _temporary(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _work, *columns, prefixes=["TEMPORARY"])


CONCERNED = _temporary(
    "join_settlements",
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("looked_round", Boolean, nullable=False),
)
CHANGED = _temporary("join_checks", Column("id", BigId, primary_key=True, autoincrement=False))
NEARBY = _temporary("join_nearby", Column("id", BigId, primary_key=True, autoincrement=False))
NEAR = _temporary(
    "join_near",
    Column("settlement_id", BigId, index=True),
    Column("check_id", BigId, index=True),
    Column("apart_s", Double),
    Column("same_terminal", Integer),
)
FOUND = _temporary(
    "join_found",
    Column("settlement_id", BigId, primary_key=True, autoincrement=False),
    Column("check_id", BigId),
    Column("method", String(40)),
    Column("confidence", Double),
    Column("apart_s", Double),
)
REASONS = _temporary(
    "join_reasons",
    Column("settlement_id", BigId, primary_key=True, autoincrement=False),
    Column("reason", String(40)),
)
_TABLES = (CONCERNED, CHANGED, NEARBY, NEAR, FOUND, REASONS)

SWIPE: ColumnElement[str] = literal_column("'swipe'")
WAITING: ColumnElement[str] = literal_column("'waiting'")
"""Written out, not bound: the planner takes the index of waiting rows for a written value alone."""


@dataclass(frozen=True)
class Taken:
    """What a step was given: how many, and the last settlement's id; the next step goes on after it."""

    settlements: int
    checks: int
    last_settlement_id: int


_ALONG_INDEXES: Final = {
    "jit": "off",
    "join_collapse_limit": "1",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "enable_seqscan": "off",
    "random_page_cost": "1.1",
}
"""For PostgreSQL's planner: a step begins with few rows and goes along indexes in the order that is written. Estimates
for temporary tables are too poor to choose another way by, and one wrong choice reads a city's checks in each step."""


def prepare(session: Session) -> None:
    """Have the temporary tables, empty."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(*(func.set_config(name, value, True) for name, value in _ALONG_INDEXES.items())))
    for table in _TABLES:
        session.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            session.execute(CreateIndex(index, if_not_exists=True))
        session.execute(delete(table))


def look_at_sizes(session: Session) -> None:
    """Have PostgreSQL's planner look at the tables after many rows came at once, which it else does minutes later."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE settlements, checks, checks_to_join, devices, box_reports"))


def take(session: Session, after: int, limit: int, *, everything: bool = False) -> Taken:
    """Give a step its settlements, in the order of their ids, and its checks."""
    waiting = select(Settlement.id).where(Settlement.id > after).order_by(Settlement.id).limit(limit)
    if not everything:
        waiting = waiting.where(Settlement.unjoined_reason == WAITING)
    session.execute(insert(CONCERNED).from_select(["id", "looked_round"], waiting.add_columns(false())))
    checks = select(CheckToJoin.check_id).order_by(CheckToJoin.check_id).limit(limit)
    session.execute(insert(CHANGED).from_select(["id"], checks))
    count, last = session.execute(select(func.count(), func.max(CONCERNED.c.id))).one()
    return Taken(count, session.scalars(select(func.count()).select_from(CHANGED)).one(), last or after)


def first(table: Table, column: str = "id") -> ColumnElement[Any]:
    """The id of a temporary table that a join is to begin with."""
    return NotByIndex(table.c[column])


def seconds(settlement: Any, check: Any) -> ColumnElement[float]:
    """Settlement minus swipe on the box's clock."""
    return seconds_apart(settlement.setl_time, check.happened_at, check.clock_offset_s)


def is_near(settlement: Any, check: Any, tolerance_s: float, *, from_checks: bool) -> ColumnElement[bool]:
    """Whether the two are near; ``from_checks`` says on which side the index of times is to be used."""
    reach = tolerance_s + LARGEST_CLOCK_OFFSET_S
    seek, given = (
        (settlement.setl_time, check.happened_at) if from_checks else (check.happened_at, settlement.setl_time)
    )
    return and_(
        check.psn_no == settlement.psn_no,
        seek.between(shifted(given, -reach), shifted(given, reach)),
        same_place(settlement, check),
        check.kind == SWIPE,
        or_(check.terminal_id.is_(None), settlement.terminal_id.is_(None), check.terminal_id == settlement.terminal_id),
        func.abs(seconds(settlement, check)) <= tolerance_s,
    )


def _analyze(session: Session, table: Table) -> None:
    """Tell PostgreSQL's planner how much there is; it takes a temporary table that was just filled for an empty one."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE {table.name}"))


def same_place(settlement: Any, check: Any) -> ColumnElement[bool]:
    """Whether both are of one institution; so written that no index of institutions is used, with its many rows."""
    return func.coalesce(check.institution_id, "") == func.coalesce(settlement.institution_id, "-")


def same_id(settlement: Any, check: Any) -> ColumnElement[bool]:
    return and_(check.setl_id == settlement.setl_id, check.kind == SWIPE)


def _add(session: Session, table: Table, ids: Any) -> None:
    """Add ids that are not there yet; round a settlement that is added nobody has looked yet."""
    fresh = ids.subquery()
    new = select(fresh.c.id).distinct().where(~exists().where(table.c.id == fresh.c.id))
    columns = ["id"]
    if table is CONCERNED:
        new, columns = new.add_columns(false()), ["id", "looked_round"]
    session.execute(insert(table).from_select(columns, new))


def widen(session: Session, tolerance_s: float) -> None:
    """Add every settlement that what was given concerns, and note who is near whom."""
    s, c = aliased(Settlement), aliased(Check)
    by_id = select(s.id).select_from(CHANGED).join(c, c.id == first(CHANGED)).join(s, same_id(s, c))
    _add(session, CONCERNED, by_id)
    with_id = select(c.id).select_from(CONCERNED).join(s, s.id == first(CONCERNED)).join(c, same_id(s, c))
    _add(session, CHANGED, with_id)
    near = is_near(s, c, tolerance_s, from_checks=True)
    _add(session, CONCERNED, select(s.id).select_from(CHANGED).join(c, c.id == first(CHANGED)).join(s, near))
    _analyze(session, CONCERNED)
    _note_near(session, tolerance_s)
    _add(session, CONCERNED, select(NEAR.c.settlement_id.label("id")))
    _note_near(session, tolerance_s)


def _note_near(session: Session, tolerance_s: float) -> None:
    """Find the checks near concerned settlements that were just added, and all settlements near these."""
    s, c = aliased(Settlement), aliased(Check)
    session.execute(delete(NEARBY))
    found = (
        select(c.id)
        .select_from(CONCERNED)
        .join(s, s.id == first(CONCERNED))
        .join(c, is_near(s, c, tolerance_s, from_checks=False))
        .where(CONCERNED.c.looked_round.is_(false()), ~exists().where(NEAR.c.check_id == c.id))
    )
    _add(session, NEARBY, found)
    session.execute(update(CONCERNED).values(looked_round=True).where(CONCERNED.c.looked_round.is_(false())))
    _analyze(session, NEARBY)
    same_terminal = func.coalesce(c.terminal_id == s.terminal_id, literal_column("false"))
    pairs = (
        select(s.id, c.id, seconds(s, c), same_terminal.cast(Integer))
        .select_from(NEARBY)
        .join(c, c.id == first(NEARBY))
        .join(s, is_near(s, c, tolerance_s, from_checks=True))
    )
    session.execute(insert(NEAR).from_select(["settlement_id", "check_id", "apart_s", "same_terminal"], pairs))
    _analyze(session, NEAR)
