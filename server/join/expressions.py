"""Arithmetic with times, in the words of either database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from server.tables.base import UtcDateTime


class SecondsApart(FunctionElement[float]):
    """``first - second - offset`` of two times and a number of seconds, to the millisecond."""

    name = "seconds_apart"
    type = Float()
    inherit_cache = True


class Shifted(FunctionElement[datetime]):
    """A time and so many seconds. Good for bounds of an index alone: SQLite keeps milliseconds, with fewer digits."""

    name = "shifted"
    type = UtcDateTime()
    inherit_cache = True


class NotByIndex(FunctionElement[int]):
    """A column by whose index SQLite is not to look; it decides by that with which table a join begins.

    PostgreSQL is told by settings (:mod:`server.join.near`).
    """

    name = "not_by_index"
    type = BigInteger()
    inherit_cache = True


def seconds_apart(first: Any, second: Any, offset_s: Any) -> ColumnElement[float]:
    """See :class:`SecondsApart`."""
    return SecondsApart(first, second, offset_s)


def shifted(time: Any, seconds: float) -> ColumnElement[datetime]:
    """See :class:`Shifted`."""
    return Shifted(time, cast(literal(seconds), Float))


def _parts(element: FunctionElement[Any], compiler: SQLCompiler, **how: Any) -> list[str]:
    return [compiler.process(part, **how) for part in element.clauses]


@compiles(SecondsApart, "postgresql")
def _apart_postgresql(element: SecondsApart, compiler: SQLCompiler, **how: Any) -> str:
    first, second, offset = _parts(element, compiler, **how)
    return f"CAST(ROUND(EXTRACT(EPOCH FROM {first} - {second}) - CAST({offset} AS NUMERIC), 3) AS DOUBLE PRECISION)"


@compiles(SecondsApart, "sqlite")
def _apart_sqlite(element: SecondsApart, compiler: SQLCompiler, **how: Any) -> str:
    first, second, offset = _parts(element, compiler, **how)
    return f"ROUND((JULIANDAY({first}) - JULIANDAY({second})) * 86400.0 - {offset}, 3)"


@compiles(Shifted, "postgresql")
def _shifted_postgresql(element: Shifted, compiler: SQLCompiler, **how: Any) -> str:
    time, seconds = _parts(element, compiler, **how)
    return f"({time} + {seconds} * INTERVAL '1 second')"


@compiles(Shifted, "sqlite")
def _shifted_sqlite(element: Shifted, compiler: SQLCompiler, **how: Any) -> str:
    time, seconds = _parts(element, compiler, **how)
    return f"STRFTIME('%Y-%m-%d %H:%M:%f', {time}, {seconds} || ' seconds')"


@compiles(NotByIndex, "postgresql")
def _plain_postgresql(element: NotByIndex, compiler: SQLCompiler, **how: Any) -> str:
    return _parts(element, compiler, **how)[0]


@compiles(NotByIndex, "sqlite")
def _unindexed_sqlite(element: NotByIndex, compiler: SQLCompiler, **how: Any) -> str:
    return f"+{_parts(element, compiler, **how)[0]}"
