"""Who is in which bed: the institution's list of admissions, columns as the platform names them (2401, 2402)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_agent.logs import facts
from renzheng.clock import as_utc, local_text
from renzheng.errors import BadInput
from renzheng.tables.rows import BadRow, read_rows, refuse_bad_rows
from renzheng.tables.values import parse_id, parse_row, parse_time

log = logging.getLogger(__name__)

ADMISSION_COLUMNS = ("ipt_no", "psn_no", "adm_bed", "begntime", "endtime")
ADVICE = "Put the rows right: without one of them a patient would look like a stranger in the bed."


@dataclass(frozen=True)
class Patient:
    """Who is admitted to a bed."""

    psn_no: str
    ipt_no: str


@dataclass(frozen=True)
class Admission:
    """One stay in one bed, from ``begins`` until before ``ends`` (``None``: still there)."""

    ipt_no: str
    psn_no: str
    adm_bed: str
    begins: datetime
    ends: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether the stay holds the moment."""
        return self.begins <= moment and (self.ends is None or moment < self.ends)


@dataclass(frozen=True)
class Admissions:
    """Every stay of a list, in the order of the file."""

    stays: tuple[Admission, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def _by_bed(self) -> dict[str, list[Admission]]:
        by_bed: dict[str, list[Admission]] = {}
        for stay in self.stays:
            by_bed.setdefault(stay.adm_bed, []).append(stay)
        return by_bed

    def patient_in(self, bed_id: str, at: datetime) -> Patient | None:
        """Who is admitted to the bed at that time; ``None`` for nobody, and where it is more than one person.

        A patient who was moved to another bed keeps the bed of admission on paper, so a second name leaves it open
        who lies there.
        """
        moment = as_utc(at)
        there = {stay.psn_no: stay for stay in self._by_bed.get(bed_id, ()) if stay.covers(moment)}
        if len(there) != 1:
            return None
        (stay,) = there.values()
        return Patient(stay.psn_no, stay.ipt_no)


def read_admissions(path: Path) -> Admissions:
    """Read a CSV or .xlsx list; one without rows is a ward without patients.

    Raises :class:`BadInput` that lists every bad row: none can be left out.
    """
    table = read_rows(path, ADMISSION_COLUMNS)
    bad_rows = list(table.bad_rows)
    stays = []
    for row in table.rows:
        values, wrong = parse_row(row, _PARSERS)
        if not wrong:
            stay = Admission(
                values["ipt_no"], values["psn_no"], values["adm_bed"], values["begntime"], values["endtime"]
            )
            wrong = _problems(row.line, stay)
            stays.append(stay)
        bad_rows += wrong
    if bad_rows:
        raise refuse_bad_rows(path, sorted(bad_rows), ADVICE)
    return Admissions(tuple(stays), table.warnings)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "ipt_no": parse_id,
    "psn_no": parse_id,
    "adm_bed": parse_id,
    "begntime": parse_time,
    "endtime": lambda text: parse_time(text) if text else None,
}


def _problems(line: int, stay: Admission) -> list[BadRow]:
    if stay.ends is None or stay.begins < stay.ends:
        return []
    return [BadRow(line, "endtime", f"expected a time after {local_text(stay.begins)} (begntime), or none")]


class CurrentAdmissions:
    """A list that the institution writes anew while the box runs: read again whenever the file changes.

    While it cannot be read nobody is admitted to any bed, so that no check compares a patient with an old list.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._now = Admissions()

    def patient_in(self, bed_id: str, at: datetime) -> Patient | None:
        """As :meth:`Admissions.patient_in`, from the file as it is now."""
        try:
            state = self._path.stat()
            seen = state.st_mtime_ns, state.st_size, state.st_ino
            if seen != self._seen:
                self._now, self._seen = Admissions(), seen
                self._now = read_admissions(self._path)
        except OSError as error:
            self._now, self._seen = Admissions(), None
            log.warning("the list of admissions cannot be read", extra=facts(why=error.strerror))
        except BadInput:  # its rows hold person numbers, which no log may
            log.warning("the list of admissions cannot be used; bed checks go without patients until it is put right")
        return self._now.patient_in(bed_id, at)
