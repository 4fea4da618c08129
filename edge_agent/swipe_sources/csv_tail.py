"""A table of swipes that another program keeps adding rows to.

A row is one line and counts once its line end is there. How far the table was read is kept on the disk; where it is
lost, rows are handed in again, which does no harm. A table that was cut, written anew or replaced is read from its
beginning; when the former one was renamed within its folder, its unread rows come first.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import CsvSourceConfig
from edge_agent.logs import facts
from edge_agent.swipe_sources.common import Rejects, Trouble, hand_in, nap
from edge_agent.swipe_sources.intake import Intake
from edge_agent.swipe_sources.swipe_json import REQUIRED
from edge_agent.swipe_sources.swipe_rows import read_swipe_rows
from renzheng.errors import BadInput, StorageFull
from renzheng.files import write_atomic
from renzheng.tables.rows import rows_of

log = logging.getLogger(__name__)

READ_BYTES = 2**18
LINE_BYTES_MAX = 2**16
MARK_BYTES = 1024
"""A table is known again by so many bytes before the place up to which it was read."""
RELATED_FILES_MAX = 64


@dataclass(frozen=True)
class Place:
    """Up to where a table was read: bytes, lines, and the digest of the bytes just before."""

    offset: int = 0
    line: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a table; ``place`` is that after it."""

    header: bytes
    text: bytes
    place: Place


class CsvTail:
    """Source ``csv``. ``state_dir`` gets ``csv.json`` (how far) and ``csv-rejected.txt`` (what was refused and why)."""

    name = "csv"

    def __init__(self, config: CsvSourceConfig, state_dir: Path, fixmedins_code: str, clock: AgentClock) -> None:
        self._path, self._every_s = config.path, config.every_s
        self._place_path = state_dir / "csv.json"
        self._rejects = Rejects(state_dir / "csv-rejected.txt")
        self._fixmedins_code, self._clock = fixmedins_code, clock
        self._trouble = Trouble(log, self.name)
        self._place = _read_place(self._place_path)
        self._kept = self._place
        self.rejected = 0

    @property
    def trouble(self) -> str:
        """See :class:`~edge_agent.swipe_sources.intake.SwipeSource`."""
        return self._trouble.why

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Hand in rows as they are added, until ``stop``; a table that is not there yet is waited for."""
        while not stop.is_set():
            try:
                more = await self._round(intake, stop)
                self._trouble.ends()
            except FileNotFoundError:
                more = self._troubled(f"{self._path}: no such file yet")
            except OSError as error:
                more = self._troubled(f"{self._path}: {error.strerror}")
            except (StorageFull, BadInput) as error:
                more = self._troubled(str(error))
            if not more:
                await nap(stop, self._every_s)

    def _troubled(self, why: str) -> bool:
        self._trouble.begins(why)
        return False

    async def _round(self, intake: Intake, stop: asyncio.Event) -> bool:
        """One look; whether there may be more at once."""
        path, place = await asyncio.to_thread(_where_to_go_on, self._path, self._place)
        if place != self._place:
            log.info("the table is another one now and is read from its beginning", extra=facts(source=self.name))
        self._place = place
        former = path != self._path
        lines = await asyncio.to_thread(_new_lines, path, place, finished=former)
        try:
            for line in lines:
                self._take(line, intake)
                self._place = line.place
                if stop.is_set():
                    return False
                await asyncio.sleep(0)
            if former and not lines:
                self._place = Place()
        finally:
            self._keep_place()
        return former or bool(lines)

    def _take(self, line: Line, intake: Intake) -> None:
        number = line.place.line
        if number == 1 or not line.text.strip():
            return
        for why in self._refused(line, intake):
            self._rejects.note(self._clock.now_s(), f"line {number}", why)
            self.rejected += 1
            log.warning("a row is no swipe of this box", extra=facts(source=self.name, line=number, why=why))

    def _refused(self, line: Line, intake: Intake) -> Iterator[str]:
        """Hands the line's swipe in; why it was refused, if it was."""
        if len(line.text) > LINE_BYTES_MAX:
            yield f"expected at most {LINE_BYTES_MAX} bytes in a line"
            return
        try:
            found = read_swipe_rows(self._path, line.header + line.text, self._fixmedins_code)
        except BadInput as error:
            yield str(error)
            return
        yield from (why for _, why in found.wrong)
        for swipe in found.swipes:
            if why := hand_in(intake, swipe, self.name, live=False):
                yield why

    def _keep_place(self) -> None:
        if self._place != self._kept:
            write_atomic(self._place_path, json.dumps(asdict(self._place)))
            self._kept = self._place


def _read_place(path: Path) -> Place:
    try:
        kept = json.loads(path.read_bytes())
        return Place(int(kept["offset"]), int(kept["line"]), str(kept["mark"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Place()


def _where_to_go_on(path: Path, place: Place) -> tuple[Path, Place]:
    """The table and the place in it: as kept, or the renamed former table, or this one's beginning.

    Raises ``OSError``, also where the table is not there and neither is its former self.
    """
    if path.exists() and _is_same(path, place):
        return path, place
    related = sorted(p for p in path.parent.iterdir() if p.name.startswith(path.stem) and p != path)
    former = next((p for p in related[:RELATED_FILES_MAX] if p.is_file() and _is_same(p, place)), None)
    if former and place.offset:
        return former, place
    path.stat()
    return path, Place()


def _is_same(path: Path, place: Place) -> bool:
    with path.open("rb") as stream:
        return _mark(_before(stream, place.offset)) == place.mark


def _before(stream: BinaryIO, offset: int) -> bytes:
    """The bytes just before the offset, where the stream is left."""
    start = max(0, offset - MARK_BYTES)
    stream.seek(start)
    return stream.read(offset - start)


def _mark(before: bytes) -> str:
    return hashlib.sha256(before).hexdigest() if before else ""


def _new_lines(path: Path, place: Place, finished: bool) -> list[Line]:
    """Whole lines after the place, from about :data:`READ_BYTES`; of a ``finished`` table the last needs no end.

    Raises :class:`BadInput` for an unfit header.
    """
    with path.open("rb") as stream:
        header = stream.readline(LINE_BYTES_MAX)
        if not header.endswith(b"\n"):
            return []
        rows_of(path, header, REQUIRED)
        before = _before(stream, place.offset)
        data = stream.read(READ_BYTES)
    end = data.rfind(b"\n") + 1
    full = len(data) == READ_BYTES
    if (not end) if full else finished:  # one line that is far too long; the last line, which nobody will end
        end = len(data)
    lines = []
    for text in io.BytesIO(data[:end]):
        before = (before + text)[-MARK_BYTES:]
        place = Place(place.offset + len(text), place.line + 1, _mark(before))
        lines.append(Line(header, text, place))
    return lines
