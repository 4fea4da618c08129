"""SQL of settlements and what belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    RowMapping,
    Select,
    String,
    Table,
    any_,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from server.access import Subject, within
from server.errors import Unavailable
from server.tables import (
    Base,
    Institution,
    InsuredPerson,
    LineItem,
    Pairing,
    RejectedRow,
    Reversal,
    Settlement,
    SettlementImport,
    Stay,
    TraceCode,
    User,
)

_AT_ONCE: Final = 1000
"""Keys in one question; SQLite takes 32,766 values at most."""

Key = tuple[str, ...]
T = TypeVar("T")
Values = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """A table that is imported into: the columns that name a row, and those to know of a row that is there."""

    of: type[Base]
    key: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def table(self) -> Table:
        """The table itself."""
        return table_of(self.of)


def table_of(of: type[Base]) -> Table:
    """The table of an ORM class."""
    table = of.__table__
    assert isinstance(table, Table)
    return table


# --- importing -------------------------------------------------------------------------------------------------------


def places(session: Session) -> dict[str, tuple[str, str]]:
    """Every institution's id and district by ``fixmedins_code``."""
    rows = session.execute(select(Institution.fixmedins_code, Institution.id, Institution.district_code))
    return {code: (institution_id, district) for code, institution_id, district in rows}


def known_rows(session: Session, shape: Shape, keys: Collection[Key]) -> dict[Key, RowMapping]:
    """Those of the rows that are there, by key, with ``id`` and the columns of ``shape.known``."""
    columns = shape.table.c
    wanted = [columns[name] for name in dict.fromkeys(("id", *shape.key, *shape.known))]
    key_of = _tuple_getter(shape.key)
    found: dict[Key, RowMapping] = {}
    for part in parts(keys):
        if len(shape.key) > 1:
            among: ColumnElement[bool] = tuple_(*(columns[name] for name in shape.key)).in_(part)
        else:
            among = _among(session, columns[shape.key[0]], [one for (one,) in part])
        found |= {key_of(row): row for row in session.execute(select(*wanted).where(among)).mappings()}
    return found


def _among(
    session: Session, column: ColumnElement[str] | InstrumentedAttribute[str], values: list[str]
) -> ColumnElement[bool]:
    """Whether a text is one of a list, which PostgreSQL takes as one value: a thousand take it longer to read."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(values, ARRAY(String)))
    return column.in_(values)


def insert_rows(session: Session, table: Table, rows: Sequence[Values]) -> None:
    """Add rows that have the same columns each, by the way that each driver is fastest at.

    Raises :class:`Unavailable` when PostgreSQL does not answer.
    """
    if not rows:
        return
    names = tuple(rows[0])
    columns = ", ".join(f'"{table.c[name].name}"' for name in names)
    values = map(_tuple_getter(names), rows)
    if session.get_bind().dialect.name == "postgresql":
        _copy(session, f'COPY "{table.name}" ({columns}) FROM STDIN', values)
        return
    marks = ", ".join("?" * len(names))
    statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608 names of our own tables
    session.connection().exec_driver_sql(statement, list(_bound(session, table, names, values)))


def _bound(session: Session, table: Table, names: Sequence[str], rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """The values as the driver takes them; most columns need nothing done."""
    dialect = session.get_bind().dialect
    made = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    steps = [(place, one) for place, one in enumerate(made) if one is not None]
    for row in rows:
        values = list(row)
        for place, one in steps:
            if values[place] is not None:
                values[place] = one(values[place])
        yield tuple(values)


def _copy(session: Session, statement: str, rows: Iterable[Any]) -> None:
    cursor = session.connection().connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for values in rows:
                copy.write_row(values)
    except psycopg.OperationalError as error:
        raise Unavailable("the database does not answer now") from error
    finally:
        cursor.close()


def update_rows(session: Session, of: type[Base], rows: Sequence[Values]) -> None:
    """Change rows by their ``id``; all have the same columns."""
    if rows:
        session.execute(update(of), list(rows))


def place_stays(session: Session) -> None:
    """Give stays of an institution that became known since their import its id and district."""
    known = Stay.fixmedins_code == Institution.fixmedins_code
    place = {"institution_id": Institution.id, "district_code": Institution.district_code}
    session.execute(
        update(Stay).where(known, Stay.institution_id.is_(None)).values(place),
        execution_options={"synchronize_session": False},
    )


def settled(session: Session, setl_ids: Collection[str]) -> dict[str, tuple[str, str, str | None]]:
    """``psn_no``, ``fixmedins_code`` and district of the settlements that are there, by ``setl_id``."""
    found: dict[str, tuple[str, str, str | None]] = {}
    for part in parts(setl_ids):
        columns = Settlement.setl_id, Settlement.psn_no, Settlement.fixmedins_code, Settlement.district_code
        rows = session.execute(select(*columns).where(_among(session, Settlement.setl_id, part)))
        found |= {setl_id: (psn_no, code, district) for setl_id, psn_no, code, district in rows}
    return found


def delete_trace_codes(session: Session, item_ids: Sequence[int]) -> None:
    """Have no trace codes of these lines."""
    for part in parts(item_ids):
        session.execute(delete(TraceCode).where(TraceCode.item_id.in_(part)))


def user_named(session: Session, login: str) -> User | None:
    """The user who logs in so."""
    return session.scalar(select(User).where(User.login == login))


# --- what was imported -----------------------------------------------------------------------------------------------


def imports_of(session: Session, subject: Subject, after: str, limit: int) -> Sequence[SettlementImport]:
    """The newest imports first, those of the subject's district; ``after`` is the last id of the page before."""
    asked = within(select(SettlementImport), SettlementImport.district_code, subject)
    if after:
        asked = asked.where(SettlementImport.id < after)
    return session.scalars(asked.order_by(SettlementImport.id.desc()).limit(limit)).all()


def import_of(session: Session, subject: Subject, import_id: str) -> SettlementImport | None:
    """One import of the subject's district."""
    asked = within(select(SettlementImport), SettlementImport.district_code, subject)
    return session.scalar(asked.where(SettlementImport.id == import_id))


def rejected_rows(session: Session, import_id: str, after: int, limit: int | None) -> Sequence[RejectedRow]:
    """Problems of an import in the order of its file."""
    asked = select(RejectedRow).where(RejectedRow.import_id == import_id, RejectedRow.number > after)
    return session.scalars(asked.order_by(RejectedRow.number).limit(limit)).all()


@dataclass(frozen=True)
class Wanted:
    """Which settlements are asked for; what is ``None`` does not matter."""

    psn_no: str | None = None
    institution_id: str | None = None
    setl_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def settlements_of(
    session: Session, subject: Subject, wanted: Wanted, after: int | None, limit: int
) -> Sequence[tuple[Settlement, int | None, str | None]]:
    """Settlements, the newest first, each with its check and its reversal; ``after`` is an id of the page before."""
    asked = _seen_settlements(subject).where(*_conditions(wanted))
    if after is not None:
        last = select(Settlement.setl_time, Settlement.id).where(Settlement.id == after).subquery()
        place = tuple_(Settlement.setl_time, Settlement.id)
        asked = asked.where(place < select(last.c.setl_time, last.c.id).scalar_subquery())
    asked = asked.order_by(Settlement.setl_time.desc(), Settlement.id.desc()).limit(limit)
    return [(one, check_id, reversal) for one, check_id, reversal in session.execute(asked)]


def settlement_of(
    session: Session, subject: Subject, settlement_id: int
) -> tuple[Settlement, int | None, str | None] | None:
    """One settlement, with its check and its reversal."""
    row = session.execute(_seen_settlements(subject).where(Settlement.id == settlement_id)).first()
    return (row[0], row[1], row[2]) if row is not None else None


def _seen_settlements(subject: Subject) -> Select[Any]:
    """A reversal counts when it is of the same institution."""
    reversal = (
        select(func.min(Reversal.setl_id))
        .where(Reversal.reversed_setl_id == Settlement.setl_id, Reversal.fixmedins_code == Settlement.fixmedins_code)
        .scalar_subquery()
    )
    asked = select(Settlement, Pairing.check_id, reversal).outerjoin(Pairing, Pairing.settlement_id == Settlement.id)
    return within(asked, Settlement.district_code, subject)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.psn_no is not None:
        yield Settlement.psn_no == wanted.psn_no
    if wanted.institution_id is not None:
        yield Settlement.institution_id == wanted.institution_id
    if wanted.setl_id is not None:
        yield Settlement.setl_id == wanted.setl_id
    if wanted.since is not None:
        yield Settlement.setl_time >= wanted.since
    if wanted.until is not None:
        yield Settlement.setl_time < wanted.until


def items_of(session: Session, setl_id: str) -> Sequence[tuple[LineItem, list[str]]]:
    """Lines of a settlement with their trace codes."""
    items = session.scalars(select(LineItem).where(LineItem.setl_id == setl_id).order_by(LineItem.id)).all()
    rows = session.execute(
        select(TraceCode.item_id, TraceCode.drug_trac_codg)
        .where(TraceCode.item_id.in_([item.id for item in items]))
        .order_by(TraceCode.drug_trac_codg)
    )
    codes: dict[int, list[str]] = {}
    for item_id, code in rows:
        codes.setdefault(item_id, []).append(code)
    return [(item, codes.get(item.id, [])) for item in items]


def person_of(session: Session, subject: Subject, person_id: str) -> InsuredPerson | None:
    """An enrolled person of the subject's district."""
    asked = within(select(InsuredPerson), InsuredPerson.district_code, subject)
    return session.scalar(asked.where(InsuredPerson.id == person_id))


def _tuple_getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    name = names[0]
    return lambda row: (row[name],)


def parts(values: Collection[T]) -> Iterator[list[T]]:
    """The values in lists that one question takes."""
    rest = iter(values)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
