"""Swipes from the rows of a table that a terminal wrote. Reasons never quote a cell that may be a person's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.swipe_sources.swipe_json import REQUIRED, BadField, BadSwipe, swipe_of, without_person
from edge_agent.tables import SWIPE_COLUMNS
from renzheng.contracts import Swipe
from renzheng.tables.rows import Row, rows_of


@dataclass(frozen=True)
class SwipeRows:
    """The swipes of a table in its order, and for each row that is none its line and why."""

    swipes: tuple[Swipe, ...]
    wrong: tuple[tuple[int, str], ...]


def read_swipe_rows(path: Path, data: bytes, fixmedins_code: str) -> SwipeRows:
    """Rows of CSV (UTF-8 or GB18030) or .xlsx; ``path`` is for messages.

    Unlike an audit's table it may repeat swipes and need not name the institution. Raises :class:`BadInput` when it is
    no table with the columns of a swipe.
    """
    table = rows_of(path, data, REQUIRED)
    swipes = []
    wrong = [(bad.line, f"{bad.field}: {_without_content(bad.message)}") for bad in table.bad_rows]
    for row in table.rows:
        try:
            swipes.append(_swipe_of_row(row, fixmedins_code))
        except BadSwipe as error:
            wrong.append((row.line, str(error)))
    return SwipeRows(tuple(swipes), tuple(sorted(wrong)))


def _swipe_of_row(row: Row, fixmedins_code: str) -> Swipe:
    cells = {name.lower(): cell for name, cell in row.cells.items() if name.lower() in SWIPE_COLUMNS}
    doubts = tuple(BadField(name, without_person(name, cell.doubt)) for name, cell in cells.items() if cell.doubt)
    if doubts:
        raise BadSwipe(doubts)
    return swipe_of({name: cell.text for name, cell in cells.items()}, fixmedins_code)


def _without_content(message: str) -> str:
    """What follows "found" may be a name that stands in a wrong column."""
    return message.partition("found")[0].rstrip(";, ")
