"""The files of checks on the box's disk: their budget and its alarm, and their end once they were sent.

Unsent evidence is never deleted. When it fills its budget, checks that accuse nobody are reported without a clip, and
every clip left out is counted.
"""

from __future__ import annotations

import logging
import math
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from edge_agent.edge_config import GIB, KeepConfig
from edge_agent.outbox.database import damaged_files
from edge_agent.outbox.records import is_flagged
from edge_agent.outbox.retention import SentCheck
from edge_agent.outbox.store import Store
from renzheng.contracts import BedVerdict, Verdict
from renzheng.errors import StorageFull
from renzheng.files import is_part
from renzheng.ids import file_stem

log = logging.getLogger(__name__)

SPACE_LOW: Final = "evidence_space_low"
SPACE_FULL: Final = "evidence_space_full"
SPACE_ENOUGH = "evidence_space_enough"
"""Codes of events; each is noted once when the state is reached."""

ENOUGH_SHARE = 0.9
"""Of the alarm's share: below it the alarm is over, so that it does not flicker about its edge."""

REMEMBERED_S = 90 * 86_400.0
"""How long the id of a sent check is known, so that a terminal may repeat its swipe."""

COMPLETE = ("manifest.json", "samples.sealed")
"""Files that are written last, or decide a check: a folder with one of them is worth keeping whoever names it."""

BATCH = 50
PURGED_AT_ONCE = 200
"""Most checks that one purge takes, so that it never holds the agent up for long."""

_ALARM_NOTE = "evidence_alarm"

Alarm = Literal["", "evidence_space_low", "evidence_space_full"]


@dataclass(frozen=True)
class Purged:
    """What a purge or a clean-up removed; ``checks`` of them, or folders. ``unclaimed`` are folders that stay although
    no check names them."""

    checks: int = 0
    size_bytes: int = 0
    unclaimed: int = 0


class Evidence:
    """The evidence folder of a box, for the main process."""

    def __init__(self, store: Store, folder: Path, keep: KeepConfig) -> None:
        self._store = store
        self._folder = folder
        self._keep = keep
        self.budget_bytes = round(keep.evidence_gib * GIB)
        self._alarm: str = store.note(_ALARM_NOTE) or ""

    def used_bytes(self) -> int:
        """Size of the files that checks name."""
        return self._store.evidence_bytes()

    @property
    def alarm(self) -> str:
        """Empty, or the code of the event that stands."""
        return self._alarm

    def watch(self, now_s: float) -> None:
        """Note once when space runs low, when it is used up, and when there is enough again."""
        used = self.used_bytes()
        share = used / self.budget_bytes
        alarm = self._alarm_at(share)
        if alarm == self._alarm:
            return
        detail = f"{used} of {self.budget_bytes} bytes"
        if not (self._alarm == SPACE_FULL and alarm == SPACE_LOW):
            log.log(logging.WARNING if alarm else logging.INFO, "%s: %s", alarm or SPACE_ENOUGH, detail)
            self._store.note_event(alarm or SPACE_ENOUGH, None, detail, now_s)
        self._alarm = alarm
        with suppress(StorageFull):  # then a restart may tell it twice
            self._store.set_note(_ALARM_NOTE, alarm)

    def _alarm_at(self, share: float) -> Alarm:
        if share >= 1:
            return SPACE_FULL
        low_from = self._keep.alarm_share * (ENOUGH_SHARE if self._alarm else 1.0)
        return SPACE_LOW if share >= low_from else ""

    def purge(self, now_s: float) -> Purged:
        """Delete evidence that was sent ``keep.acknowledged_hours`` ago, earlier when space is low; forget old ids.

        On a full disk the files go, and what the store says of them goes with the next purge.
        """
        before_s = now_s - self._keep.acknowledged_hours * 3600
        purged = Purged()
        try:
            purged = self._purge(before_s, math.inf, PURGED_AT_ONCE)
            excess = self.used_bytes() - self._keep.alarm_share * self.budget_bytes
            if excess > 0:
                more = self._purge(math.inf, excess, PURGED_AT_ONCE - purged.checks)
                purged = Purged(purged.checks + more.checks, purged.size_bytes + more.size_bytes)
            self._store.forget_reports(before_s)
            self._store.forget_old(now_s - REMEMBERED_S)
        except StorageFull as full:
            log.warning("purging evidence goes on later: %s", full)
        return purged

    def _purge(self, before_s: float, enough_bytes: float, most: int) -> Purged:
        """The files go first: killed in between, the next purge finds the checks again."""
        checks, freed = 0, 0
        while freed < enough_bytes and (batch := self._store.sent_checks(before_s, min(BATCH, most - checks))):
            gone = []
            for check in batch:
                if freed < enough_bytes:
                    self._remove_files(check)
                    gone.append(check.check_id)
                    freed += check.size_bytes
            self._store.forget_evidence(gone)
            checks += len(gone)
        return Purged(checks, freed)

    def _remove_files(self, check: SentCheck) -> None:
        for path in check.paths:
            self._store.real_path(path).unlink(missing_ok=True)
        shutil.rmtree(self._folder / file_stem(check.check_id), ignore_errors=True)

    def clean_up(self) -> Purged:
        """At the start, while nothing is being written: remove half-written files, and folders that no check names.

        Complete evidence stays even so and is counted as unclaimed: the store may have been deleted, or brought back
        from an old copy. Beside a store that was moved aside as damaged every folder stays: it may be named there.
        """
        if not self._folder.is_dir():
            return Purged()
        named = {file_stem(check_id) for check_id in self._store.checks_with_evidence()}
        keep_unknown = bool(damaged_files(self._store.database.path))
        removed, freed, unclaimed = 0, 0, 0
        for folder in [path for path in self._folder.iterdir() if path.is_dir()]:
            complete = any((folder / name).is_file() for name in COMPLETE)
            unclaimed += complete and folder.name not in named
            if folder.name in named or complete or keep_unknown:
                for part in [path for path in folder.rglob("*") if is_part(path.name)]:
                    part.unlink(missing_ok=True)
            else:
                freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                shutil.rmtree(folder)
                removed += 1
        return Purged(removed, freed, unclaimed)


class EvidenceBudget:
    """Whether evidence has room, for the vision process: it reads what the main process keeps."""

    def __init__(self, store_path: Path, keep: KeepConfig) -> None:
        self._uri = f"file:{quote(str(store_path.absolute()))}?mode=ro"
        self._budget_bytes = round(keep.evidence_gib * GIB)

    def may_keep(self, verdict: Verdict | BedVerdict) -> bool:
        """Whether a clip may be kept for that verdict; small files always may.

        Where not, put :data:`edge_agent.outbox.store.CLIP_DROPPED` among the remarks, and it is counted. A budget that
        cannot be read hinders nothing: a lost clip is worse than a full folder.
        """
        decides = is_flagged(verdict) or verdict in (Verdict.PENDING_REFERENCE, BedVerdict.PENDING_REFERENCE)
        return decides or self._used_bytes() < self._budget_bytes

    def _used_bytes(self) -> int:
        try:
            with closing(sqlite3.connect(self._uri, uri=True, timeout=1.0)) as connection:
                return int(connection.execute("SELECT coalesce(sum(size_bytes), 0) FROM files").fetchone()[0])
        except sqlite3.Error as error:
            log.warning("the evidence budget cannot be read: %s", error)
            return 0
