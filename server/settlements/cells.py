"""Cells of the platform's files as values. What is wrong is told without a word of the cell: it may be a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from renzheng.clock import SHANGHAI, as_utc
from renzheng.tables.values import DAY_EXPECTED, TIME_EXPECTED, parse_day, parse_time

NO_VALUE: Final = frozenset({"", "-", "--", "NULL", "null", "\\N"})
"""What stands in cells that say nothing."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The pool is younger; earlier times are what a spreadsheet makes of an empty cell."""

_PAST: Final = datetime.now(UTC)
"""Has come for certain; asking the clock for every cell would take longer than to read it."""

AHEAD: Final = timedelta(days=1)
"""Nothing was settled further ahead than clocks are wrong."""

DIGITS_MAX: Final = 14
CODES_MAX: Final = 1000
CODE_CHARS_MAX: Final = 100

FORMULA_EXPECTED: Final = "expected a value, found the beginning of a formula; paste the column as values"
_FORMULA_SIGNS: Final = frozenset("=+-@")
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)
_BETWEEN_CODES = re.compile(r"[\s;,|；，、]+")
_NEARLY = Decimal("0.000001")


class Unreadable(ValueError):
    """A cell does not say what it should; the message is what was expected."""


def text(chars: int) -> Callable[[str], str]:
    """A reader of texts of at most so many characters."""

    def read(cell: str) -> str:
        if cell.isalnum() and len(cell) <= chars:  # nearly always
            return cell
        if cell[0] in _FORMULA_SIGNS:
            raise Unreadable(FORMULA_EXPECTED)
        if not cell.isprintable() or "\ufffd" in cell:
            raise Unreadable("expected characters that can be printed, in UTF-8 or GB18030")
        if cell[0] == "'":  # a spreadsheet's own mark for text
            cell = cell[1:]
        if not 0 < len(cell) <= chars:
            raise Unreadable(f"expected 1 to {chars} characters")
        if "+" in cell and _ROUNDED.fullmatch(cell):
            raise Unreadable("expected the number in full: a spreadsheet has rounded it; keep the column as text")
        return cell

    return read


def time(cell: str) -> datetime:
    """A time in UTC; without zone it is Asia/Shanghai."""
    try:
        if len(cell) == 19 and cell[10] == " ":  # as the platform writes it
            moment = datetime.fromisoformat(cell).replace(tzinfo=SHANGHAI).astimezone(UTC)
        else:
            moment = parse_time(cell)
    except (ValueError, OverflowError) as error:
        raise Unreadable(TIME_EXPECTED) from error
    return _plausible(moment)


def _plausible(moment: datetime) -> datetime:
    if EARLIEST <= moment <= _PAST or EARLIEST <= moment <= datetime.now(UTC) + AHEAD:
        return moment
    raise Unreadable(f"expected a time from {EARLIEST.year} on that has come")


def day(cell: str) -> datetime:
    """A day, as its beginning in Asia/Shanghai; a time is taken as it is."""
    try:
        found = parse_day(cell)
        moment = as_utc(datetime(found.year, found.month, found.day))
    except (ValueError, OverflowError):
        try:
            return time(cell)
        except Unreadable as error:
            raise Unreadable(DAY_EXPECTED) from error
    return _plausible(moment)


def amount(cell: str) -> int:
    """Yuan as fen, not negative."""
    if cell[-3:-2] == "." and len(cell) <= DIGITS_MAX + 3 and cell.isascii():  # nearly always
        digits = cell[:-3] + cell[-2:]
        if digits.isdigit() and len(digits) > 2:
            return int(digits)
    fen = _scaled(cell, 2)
    if fen < 0:
        raise Unreadable("expected no negative amount; reversals are imported as such")
    return fen


def unsigned_amount(cell: str) -> int:
    """Yuan as fen; a reversal writes them negative, and they are kept positive."""
    return abs(_scaled(cell, 2))


def four_decimals(cell: str) -> int:
    """A count or a price in units of 0.0001, not negative."""
    scaled = _scaled(cell, 4)
    if scaled < 0:
        raise Unreadable("expected no negative number")
    return scaled


def _scaled(cell: str, decimals: int) -> int:
    """Exact; a spreadsheet's binary fractions, off by less than a millionth, are set right."""
    if cell[0] in "=+@":
        raise Unreadable(FORMULA_EXPECTED)
    expected = f"expected a number with at most {DIGITS_MAX} digits and {decimals} decimals, such as 12.50"
    if not _NUMBER.fullmatch(cell):
        raise Unreadable(expected)
    try:
        number = Decimal(cell)
        rounded = round(number, decimals)
    except InvalidOperation as error:
        raise Unreadable(expected) from error
    if abs(number - rounded) > _NEARLY or abs(rounded) >= 10**DIGITS_MAX:
        raise Unreadable(expected)
    return int(rounded.scaleb(decimals))


def codes(cell: str) -> tuple[str, ...]:
    """Trace codes of one line, each once, in order; between them a semicolon, comma, bar or space."""
    read = text(CODE_CHARS_MAX)
    found = tuple(dict.fromkeys(read(code) for code in _BETWEEN_CODES.split(cell) if code))
    if len(found) > CODES_MAX:
        raise Unreadable(f"expected at most {CODES_MAX} codes")
    return found
