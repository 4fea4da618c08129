"""Cells as values: numbers and codes of the platform, times and days as the platform or a spreadsheet writes them.

Every parser takes the text of a cell and raises ``ValueError`` that says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from renzheng.clock import as_utc
from renzheng.tables.rows import BadRow, Row, quoted

ID_CHARS_MAX = 64
TIME_EXPECTED = "expected a time with seconds as yyyy-MM-dd HH:mm:ss, yyyy/M/d H:mm:ss or ISO 8601"
"""A check looks at some ten seconds: a time to the minute would look where the customer is not yet, or no more."""
DAY_EXPECTED = "expected a date as yyyy-MM-dd"

_PLATFORM_TIME = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})[ T]+(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,6})0*)?", re.ASCII
)
_ISO_TIME = re.compile(r"\d{4}-?\d{2}-?\d{2}[ T]\d{2}:?\d{2}:?\d{2}.*", re.ASCII)
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[ T]0{1,2}:00(?::00)?)?", re.ASCII)


def parse_time(text: str) -> datetime:
    """A time as the platform, a spreadsheet or ISO 8601 writes it, in UTC; without zone it is Asia/Shanghai.

    It must say the second. Raises ``ValueError`` that says what was expected.
    """
    try:
        if parts := _PLATFORM_TIME.fullmatch(text):
            year, _, month, day, hour, minute, second, fraction = parts.groups()
            y, mo, d, h, mi, s = (int(part) for part in (year, month, day, hour, minute, second))
            return as_utc(datetime(y, mo, d, h, mi, s, int((fraction or "").ljust(6, "0"))))
        if _ISO_TIME.fullmatch(text):
            return as_utc(datetime.fromisoformat(re.sub(r" +(?=[+-]\d)", "", text)))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{TIME_EXPECTED}, found {quoted(text)}: {error}") from error
    raise ValueError(f"{TIME_EXPECTED}, found {quoted(text)}")


def parse_day(text: str) -> date:
    """A day as ``yyyy-MM-dd`` or ``yyyy/M/d`` (midnight may follow). Raises ``ValueError`` that says so."""
    parts = _DAY.fullmatch(text)
    try:
        if parts:
            return date(int(parts[1]), int(parts[3]), int(parts[4]))
    except ValueError as error:
        raise ValueError(f"{DAY_EXPECTED}, found {quoted(text)}: {error}") from error
    raise ValueError(f"{DAY_EXPECTED}, found {quoted(text)}")


def parse_id(text: str) -> str:
    """A number or code of the platform as given. Raises ``ValueError`` that says what was expected."""
    if not text:
        raise ValueError("expected a value, found none")
    if len(text) > ID_CHARS_MAX:
        raise ValueError(f"expected at most {ID_CHARS_MAX} characters, found {len(text)}")
    if not text.isprintable():
        raise ValueError(f"expected characters that can be printed, found {quoted(text)}")
    if _ROUNDED.fullmatch(text):
        raise ValueError(
            f"expected the number in full, found {quoted(text)}: a spreadsheet has rounded it; keep it as text"
        )
    return text


def parse_row(row: Row, parsers: Mapping[str, Callable[[str], Any]]) -> tuple[dict[str, Any], list[BadRow]]:
    """The named cells parsed, and everything that is wrong with them."""
    values: dict[str, Any] = {}
    wrong = []
    for name, parse in parsers.items():
        if doubt := row.cells[name].doubt:
            wrong.append(BadRow(row.line, name, doubt))
            continue
        try:
            values[name] = parse(row.text(name))
        except ValueError as error:
            wrong.append(BadRow(row.line, name, str(error)))
    return values, wrong
