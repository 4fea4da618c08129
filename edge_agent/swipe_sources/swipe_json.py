"""One swipe as a JSON object, or as the named cells of a row.

Fields beyond the five of a swipe are dropped where they are read: they may hold names, and are neither kept nor
logged. Messages never quote a person number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.tables import SWIPE_COLUMNS
from renzheng.contracts import Swipe
from renzheng.errors import BadInput
from renzheng.tables.rows import decode_text
from renzheng.tables.values import parse_id, parse_time

REQUIRED = tuple(name for name in SWIPE_COLUMNS if name != "fixmedins_code")
"""A box stands in one institution, so a swipe need not name it."""

YEARS = range(2000, 2100)
"""In which a swipe may lie. At the edges of the calendar a window around it could not be written down."""
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_LIKE_A_TIME = re.compile(r"(?!.*[0-9]{9})[-0-9/:.T+Z ]*")

_JSON_NAMES = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}


@dataclass(frozen=True)
class BadField:
    """A field and what is wrong with it."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class BadSwipe(BadInput):
    """What was handed in is no swipe; ``problems`` names every field that is wrong."""

    def __init__(self, problems: tuple[BadField, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def whole(cls, message: str) -> BadSwipe:
        """One problem with all of it."""
        return cls((BadField("swipe", message),))


def parse_swipe(data: bytes, fixmedins_code: str) -> Swipe:
    """A swipe from the text of one JSON object, in UTF-8 or GB18030.

    ``fixmedins_code`` is used where the object has none. Raises :class:`BadSwipe`.
    """
    try:
        found = json.loads(decode_text(Path("text"), data), object_pairs_hook=_once)
    except BadSwipe:
        raise
    except BadInput as error:
        raise BadSwipe.whole(str(error)) from error
    except json.JSONDecodeError as error:
        raise BadSwipe.whole(f"expected JSON; line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a number with too many digits
        raise BadSwipe.whole("expected one flat JSON object") from error
    if not isinstance(found, dict):
        raise BadSwipe.whole(f"expected one JSON object, found {_kind(found)}")
    return swipe_of(found, fixmedins_code)


def swipe_of(fields: Mapping[str, object], fixmedins_code: str) -> Swipe:
    """A swipe from its fields by the platform's names; all else is left out. Raises :class:`BadSwipe`."""
    values: dict[str, Any] = {}
    problems = []
    for name, parse in _PARSERS.items():
        given = fields.get(name)
        if name == "fixmedins_code" and given in (None, ""):
            given = fixmedins_code
        try:
            values[name] = parse(_text(given))
        except ValueError as error:
            problems.append(BadField(name, without_person(name, str(error))))
    if problems:
        raise BadSwipe(tuple(problems))
    return Swipe(**values)


def _parse_moment(text: str) -> datetime:
    moment = parse_time(text)
    if moment.year not in YEARS:
        raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[-1]}, found {moment.year}")
    return moment


_PARSERS: dict[str, Callable[[str], Any]] = dict.fromkeys(SWIPE_COLUMNS, parse_id) | {"setl_time": _parse_moment}


def _text(given: object) -> str:
    if given is None:
        raise ValueError("expected a value, found none")
    if not isinstance(given, str):
        raise ValueError(f"expected text in quotation marks, found {_kind(given)}")
    return given.strip()


def without_person(name: str, message: str) -> str:
    """The message without what was found, where that may be a person's number or name: in the number's own field, and
    as a time, because the cells of a row may have moved by one."""
    expected, _, found = message.partition(", found")
    quoted = _QUOTED.search(found)
    moved = name == "setl_time" and quoted is not None and not _LIKE_A_TIME.fullmatch(quoted[1])
    return expected if name == "psn_no" or moved else message


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    twice = [name for name in SWIPE_COLUMNS if names.count(name) > 1]
    if twice:
        raise BadSwipe(tuple(BadField(name, "expected once, found more often") for name in twice))
    return dict(pairs)


def _kind(value: object) -> str:
    return _JSON_NAMES.get(type(value), "nothing" if value is None else "text")
