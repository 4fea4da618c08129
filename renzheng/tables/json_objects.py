"""Objects of a JSON file of any length, one at a time: an array of objects, or one object a line.

Numbers come as they are written, so that an amount loses no digit; ``null`` comes as no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

from renzheng.errors import BadInput
from renzheng.tables.rows import UTF8_BOM
from renzheng.tables.streams import CHUNK_BYTES, BrokenRow, Scan, as_text, text_lines

OBJECT_CHARS_MAX = CHUNK_BYTES
"""An object of an array that is not complete after so many characters is not an object."""

_SPACE = " \t\r\n"


class RawObject(NamedTuple):
    """An object of the file with its line, or, in an array, its number from 1 on."""

    line: int
    fields: dict[str, Any]


def stream_objects(stream: BinaryIO, found: Scan, notes: dict[str, int]) -> Iterator[RawObject | BrokenRow]:
    """All objects of the file. Raises :class:`BadInput` where an array cannot be read on."""
    first = stream.read(CHUNK_BYTES).removeprefix(UTF8_BOM).lstrip()
    stream.seek(0)
    return _of_array(stream, found) if first.startswith(b"[") else _of_lines(text_lines(stream, found, notes))


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def _of_lines(lines: Iterator[str]) -> Iterator[RawObject | BrokenRow]:
    decode = _decoder().decode
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _object(number, decode(line))
            except (ValueError, RecursionError):
                yield BrokenRow(number, "expected one JSON object on the line")


def _object(number: int, value: Any) -> RawObject | BrokenRow:
    return RawObject(number, value) if isinstance(value, dict) else BrokenRow(number, "expected a JSON object")


class _Text:
    """Text that is read on as it is needed."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._text = ""
        self._at = 0

    def next_sign(self) -> str:
        """The next character that is no space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._read():
                return ""

    def skip(self) -> None:
        """Take one character."""
        self._at += 1

    def take(self, decoder: json.JSONDecoder) -> Any:
        """The value that begins here. Raises ``ValueError`` when there is none."""
        while True:
            try:
                value, self._at = decoder.raw_decode(self._text, self._at)
                return value
            except ValueError:
                if len(self._text) - self._at > OBJECT_CHARS_MAX or not self._read():
                    raise

    def _read(self) -> bool:
        """About doubling what is left, so that a long object is not tried over and over."""
        left = self._text[self._at :]
        more = self._source.read(max(CHUNK_BYTES // 16, len(left)))
        self._text, self._at = left + more, 0
        return bool(more)


def _of_array(stream: BinaryIO, found: Scan) -> Iterator[RawObject | BrokenRow]:
    with as_text(stream, "utf-8-sig" if found.is_utf8 else "gb18030") as source:
        yield from _elements(_Text(source))


def _elements(text: _Text) -> Iterator[RawObject | BrokenRow]:
    decoder, number = _decoder(), 0
    text.next_sign()
    text.skip()
    if text.next_sign() == "]":
        return
    while True:
        number += 1
        text.next_sign()
        try:
            yield _object(number, text.take(decoder))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"object {number} of the array: expected complete JSON") from error
        sign = text.next_sign()
        text.skip()
        if sign == "]":
            return
        if sign != ",":
            raise BadInput(f"after object {number} of the array: expected a comma or the end of the array")
