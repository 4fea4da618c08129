"""The lists an inspector brings: swipes, and who may act for whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from renzheng.clock import SHANGHAI, as_utc
from renzheng.contracts import Swipe
from renzheng.errors import BadInput
from renzheng.tables.rows import BadRow, Row, RowFile, quoted, read_rows, refuse_bad_rows
from renzheng.tables.values import parse_day, parse_id, parse_row, parse_time

SWIPE_COLUMNS = ("setl_id", "psn_no", "fixmedins_code", "terminal_id", "setl_time")
AGENT_COLUMNS = ("psn_no", "agent_psn_no", "valid_from", "valid_to")
SKIP_ADVICE = "Put the rows right, or go on without them with --skip-bad-rows."
AGENTS_ADVICE = "Put the rows right: without them an approved agent would count as a stranger."

_INSTITUTION = re.compile(r"[HP][0-9]{11}")


@dataclass(frozen=True)
class SwipeTable:
    """Swipes in order of time (then ``setl_id``), the rows left out, and what is odd but no reason to leave out."""

    swipes: tuple[Swipe, ...]
    bad_rows: tuple[BadRow, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agency:
    """``agent_psn_no`` may act for ``psn_no`` from and to these days of Asia/Shanghai, both included."""

    psn_no: str
    agent_psn_no: str
    valid_from: date
    valid_to: date | None

    def covers(self, day: date) -> bool:
        """Whether the day lies in the validity."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class AgentTable:
    """Who may act for whom, and when."""

    agencies: tuple[Agency, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def _by_holder(self) -> dict[str, list[Agency]]:
        by_holder: dict[str, list[Agency]] = {}
        for agency in self.agencies:
            by_holder.setdefault(agency.psn_no, []).append(agency)
        return by_holder

    def agents_of(self, psn_no: str, at: datetime) -> tuple[str, ...]:
        """The approved agents of the holder on the day of ``at`` in Asia/Shanghai, sorted, each once."""
        day = as_utc(at).astimezone(SHANGHAI).date()
        return tuple(sorted({a.agent_psn_no for a in self._by_holder.get(psn_no, ()) if a.covers(day)}))


def read_swipes(path: Path, *, skip_bad_rows: bool = False) -> SwipeTable:
    """Read the swipes of a CSV or .xlsx file; columns beyond the required ones go to ``platform_fields`` as given.

    Raises :class:`BadInput` that lists every bad row, unless ``skip_bad_rows``; also when no swipe is left. A row
    repeated word for word is kept once with a warning; one that repeats a ``setl_id`` and says something else is bad.
    """
    table = read_rows(path, SWIPE_COLUMNS)
    bad_rows, warnings = list(table.bad_rows), list(table.warnings)
    first_by_id: dict[str, tuple[int, Swipe]] = {}
    for row in table.rows:
        values, wrong = parse_row(row, _SWIPE_PARSERS)
        bad_rows += wrong
        if wrong:
            continue
        swipe = Swipe(**values, platform_fields=_platform_fields(row))
        line, first = first_by_id.setdefault(swipe.setl_id, (row.line, swipe))
        if first != swipe:
            bad_rows.append(BadRow(row.line, "setl_id", _differing(swipe, line, first)))
        elif line != row.line:
            warnings.append(f"{path}: line {row.line} repeats line {line} word for word; kept once")
    swipes = tuple(sorted((s for _, s in first_by_id.values()), key=lambda s: (s.setl_time, s.setl_id)))
    _refuse(path, bad_rows, skip_bad_rows, nothing_left=None if swipes else "no swipes")
    warnings += _institution_warnings(path, list(first_by_id.values())) + _doubt_warnings(path, table)
    return SwipeTable(swipes, tuple(sorted(bad_rows)), tuple(warnings))


def read_agents(path: Path) -> AgentTable:
    """Read who may act for whom; a table without rows is one without agents.

    Raises :class:`BadInput` that lists every bad row: without one of them a legal purchase would look like a
    stranger's, so none can be left out.
    """
    table = read_rows(path, AGENT_COLUMNS)
    bad_rows = list(table.bad_rows)
    agencies = []
    for row in table.rows:
        values, wrong = parse_row(row, _AGENT_PARSERS)
        if not wrong:
            agency = Agency(**values)
            wrong = _agency_problems(row.line, agency)
            if not wrong:
                agencies.append(agency)
        bad_rows += wrong
    if bad_rows:
        raise refuse_bad_rows(path, sorted(bad_rows), AGENTS_ADVICE)
    return AgentTable(tuple(agencies), table.warnings)


_SWIPE_PARSERS: dict[str, Callable[[str], Any]] = dict.fromkeys(SWIPE_COLUMNS, parse_id) | {"setl_time": parse_time}
_AGENT_PARSERS: dict[str, Callable[[str], Any]] = {
    "psn_no": parse_id,
    "agent_psn_no": parse_id,
    "valid_from": parse_day,
    "valid_to": lambda text: parse_day(text) if text else None,
}


def _platform_fields(row: Row) -> dict[str, str]:
    return {name: cell.text for name, cell in row.cells.items() if name not in SWIPE_COLUMNS}


def _differing(swipe: Swipe, line: int, first: Swipe) -> str:
    mine, theirs = ({**s.model_dump(exclude={"platform_fields"}), **s.platform_fields} for s in (swipe, first))
    names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    return f"{quoted(swipe.setl_id)} was used on line {line} already, there with another {', '.join(names)}"


def _agency_problems(line: int, agency: Agency) -> list[BadRow]:
    if agency.agent_psn_no == agency.psn_no:
        return [BadRow(line, "agent_psn_no", f"expected somebody other than the holder, found {quoted(agency.psn_no)}")]
    if agency.valid_to is not None and agency.valid_to < agency.valid_from:
        return [
            BadRow(line, "valid_to", f"expected {agency.valid_from} (valid_from) or later, found {agency.valid_to}")
        ]
    return []


def _refuse(path: Path, bad_rows: list[BadRow], skip_bad_rows: bool, nothing_left: str | None = None) -> None:
    if bad_rows and (nothing_left or not skip_bad_rows):
        raise refuse_bad_rows(path, sorted(bad_rows), nothing_left or SKIP_ADVICE)
    if nothing_left:
        raise BadInput(f"{path}: {nothing_left}; the table has a header and no rows")


def _institution_warnings(path: Path, swipes: Sequence[tuple[int, Swipe]]) -> list[str]:
    """One warning for each code that is not of the platform's form."""
    odd: dict[str, int] = {}
    for line, swipe in swipes:
        if not _INSTITUTION.fullmatch(swipe.fixmedins_code):
            odd.setdefault(swipe.fixmedins_code, line)
    return [
        f"{path}: line {line}, fixmedins_code: expected H or P and 11 digits, found {quoted(code)}; kept as given"
        for code, line in odd.items()
    ]


def _doubt_warnings(path: Path, table: RowFile) -> list[str]:
    """One warning for each platform field in which a cell may not be what was meant."""
    first: dict[tuple[str, str], int] = {}
    for row in table.rows:
        for name, cell in row.cells.items():
            if cell.doubt and name not in SWIPE_COLUMNS:
                first.setdefault((name, cell.doubt), row.line)
    return [f"{path}: line {line}, {name}: {doubt}; kept as given" for (name, doubt), line in first.items()]
