"""A folder into which a terminal drops files: one JSON object, or a table (CSV or .xlsx) with a header.

A file is taken when it has stopped changing, and moved to ``done/`` once its swipes are safe. A file that is no swipe
goes to ``rejected/``, with a ``….why.txt`` beside it; put right and dropped again, it is taken like any other.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import FolderSourceConfig
from edge_agent.logs import facts
from edge_agent.swipe_sources.common import Trouble, hand_in, nap
from edge_agent.swipe_sources.intake import Intake
from edge_agent.swipe_sources.swipe_json import parse_swipe
from edge_agent.swipe_sources.swipe_rows import read_swipe_rows
from renzheng.contracts import Swipe
from renzheng.errors import BadInput, StorageFull
from renzheng.files import make_private, write_atomic
from renzheng.tables.rows import ZIP_MAGIC

log = logging.getLogger(__name__)

FILE_BYTES_MAX = 2**20
PATIENCE_S = 10.0
"""A file that reads as no swipe may not be written to its end; it is refused when it has not changed for so long."""
DONE_KEPT_S = 7 * 86400.0
"""Files in ``done/`` hold person numbers and are of no use to the box."""
ROUND_FILES_MAX = 200
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload")


@dataclass(frozen=True)
class Seen:
    """How a file looked when it last changed, and when that was seen (steady seconds)."""

    size: int
    mtime_ns: int
    since_s: float


@dataclass(frozen=True)
class FileContent:
    """The swipes of a file and what is wrong with it. Not ``whole``: its last line has no end, so more may come."""

    swipes: tuple[Swipe, ...] = ()
    wrong: tuple[str, ...] = ()
    whole: bool = True


class FolderDrop:
    """Source ``folder``."""

    name = "folder"

    def __init__(self, config: FolderSourceConfig, fixmedins_code: str, clock: AgentClock) -> None:
        self._folder, self._every_s = config.path, config.every_s
        self._fixmedins_code, self._clock = fixmedins_code, clock
        self._trouble = Trouble(log, self.name)
        self._seen: dict[str, Seen] = {}
        self._stuck: dict[str, Seen] = {}
        self.rejected = 0

    @property
    def trouble(self) -> str:
        """See :class:`~edge_agent.swipe_sources.intake.SwipeSource`."""
        return self._trouble.why

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Hand in files as they are dropped, until ``stop``; a folder that is not there is waited for."""
        while not stop.is_set():
            try:
                for path in await asyncio.to_thread(self._settled):
                    await self._one(path, intake)
                    if stop.is_set():
                        return
                self._trouble.ends()
            except OSError as error:
                self._trouble.begins(f"{error.filename or self._folder}: {error.strerror}")
            except StorageFull as error:
                self._trouble.begins(str(error))
            await nap(stop, self._every_s)

    def _settled(self) -> list[Path]:
        """Files that look as they did a round ago, oldest first; also clears ``done/`` of what is old."""
        now_s = self._clock.steady_s()
        seen: dict[str, Seen] = {}
        settled = []
        for path in self._folder.iterdir():
            if path.name.startswith(".") or path.suffix.lower() in _UNFINISHED or not path.is_file():
                continue
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            look = Seen(stat.st_size, stat.st_mtime_ns, now_s)
            before = self._seen.get(path.name)
            if before and _same(before, look):
                look = before
                settled += [(look.mtime_ns, path)] if self._stuck.get(path.name) != look else []
            seen[path.name] = look
        self._seen = seen
        self._stuck = {name: look for name, look in self._stuck.items() if seen.get(name) == look}
        self._clear_done()
        return [path for _, path in sorted(settled)[:ROUND_FILES_MAX]]

    def _clear_done(self) -> None:
        done = self._folder / "done"
        oldest_s = self._clock.now_s() - DONE_KEPT_S
        for path in done.iterdir() if done.is_dir() else ():
            if path.is_file() and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)

    async def _one(self, path: Path, intake: Intake) -> None:
        """Take one file. Raises :class:`StorageFull`; the file then stays for the next round."""
        look = self._seen[path.name]
        try:
            found = await asyncio.to_thread(self._read, path)
        except FileNotFoundError:
            return  # whoever dropped it took it back
        wrong = list(found.wrong)
        if (wrong or not found.whole) and self._clock.steady_s() - look.since_s < PATIENCE_S:
            return
        for swipe in found.swipes:
            if why := hand_in(intake, swipe, self.name, live=False):
                wrong.append(why)
            await asyncio.sleep(0)
        try:
            moved = await asyncio.to_thread(_put_away, path, look, wrong)
        except OSError as error:
            self._stuck[path.name] = look
            log.error("a file cannot be moved away", extra=facts(source=self.name, file=path.name, why=error.strerror))
            return
        if moved and wrong:
            self.rejected += 1
            log.warning("a file is no swipe of this box", extra=facts(source=self.name, file=path.name, why=wrong[0]))

    def _read(self, path: Path) -> FileContent:
        with path.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            return FileContent(wrong=(f"expected at most {FILE_BYTES_MAX} bytes",))
        try:
            if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
                return FileContent((parse_swipe(data, self._fixmedins_code),))
            rows = read_swipe_rows(Path(path.name), data, self._fixmedins_code)
        except BadInput as error:
            return FileContent(wrong=(str(error),))
        wrong = tuple(f"line {line}: {why}" for line, why in rows.wrong)
        if not rows.swipes and not wrong:
            wrong = ("no swipes; the table has a header and no rows",)
        return FileContent(rows.swipes, wrong, whole=data.startswith(ZIP_MAGIC) or data.endswith(b"\n"))


def _same(one: Seen, other: Seen) -> bool:
    return (one.size, one.mtime_ns) == (other.size, other.mtime_ns)


def _put_away(path: Path, look: Seen, wrong: list[str]) -> bool:
    """Move a file to ``done`` or ``rejected``; not when it has changed meanwhile."""
    stat = path.stat()
    if not _same(look, Seen(stat.st_size, stat.st_mtime_ns, 0)):
        return False
    folder = path.parent / ("rejected" if wrong else "done")
    make_private(folder)
    target = folder / path.name
    number = 2
    while target.exists():
        target = folder / f"{path.stem}-{number}{path.suffix}"
        number += 1
    if wrong:
        write_atomic(target.with_name(f"{target.name}.why.txt"), "\n".join(wrong) + "\n")
    path.replace(target)
    return True
