"""Importing a file: a job of many transactions.

A batch is a transaction. A whole file in one would keep every other writer from a SQLite database for a minute, and
lose all of it when the last line breaks. What was taken stays: rows are named by the platform's numbers, so the same
file is simply imported again and goes on where it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import PurePath
from typing import BinaryIO, Final

from sqlalchemy.orm import Session

from renzheng.errors import BadInput
from renzheng.ids import new_id
from server.access import Subject
from server.audit_log.service import SYSTEM, Actor, Deed, record
from server.context import Server
from server.errors import Unavailable
from server.keeping.turns import take_turn
from server.settlements import repository
from server.settlements.kinds import ImportKind
from server.settlements.reading import OpenedFile, ParsedRow, RefusedRow, open_rows
from server.settlements.tally import Tally
from server.settlements.writers import WRITERS, Prepared, Writer, Writing
from server.tables import RejectedRow, SettlementImport

BATCH: Final = 10_000
"""Rows of one transaction: about half a second."""

TURN: Final = "settlement import"
_NAME_CHARS: Final = 255
_WHY_CHARS: Final = 300


@dataclass(frozen=True)
class Importer:
    """Who imports, and the district whose institutions they may write to; ``None`` is all."""

    actor: Actor
    district_code: str | None

    @classmethod
    def of(cls, subject: Subject) -> Importer:
        """A user."""
        return cls(subject.actor, subject.district_code)


COMMAND_LINE: Final = Importer(SYSTEM, None)


def import_file(
    server: Server, kind: ImportKind, file_name: str, stream: BinaryIO, importer: Importer, *, batch: int = BATCH
) -> SettlementImport:
    """Import a file; what became of its rows is in the answer and in the database.

    Raises :class:`BadInput` for a file that cannot be read, before anything of it is written or, where it breaks off,
    saying how much was taken; :class:`Unavailable` when the database does not answer.
    """
    opened = open_rows(stream, kind)
    with server.database.transaction() as session:
        told = _begin(session, kind, file_name, opened, importer)
        writing = Writing(told.id, server, repository.places(session), importer.district_code)
    try:
        stopped_by = _write_all(server, WRITERS[kind](writing), opened, batch)
        with server.database.transaction() as session:
            told = session.get_one(SettlementImport, told.id)
            _end(told, writing.tally, opened, stopped_by)
            record(session, _ended(importer, told))
    except Unavailable as error:
        rows = writing.tally.rows
        raise Unavailable(f"{error}; some of the first {rows} rows were taken: import the file again") from error
    if stopped_by is not None:
        raise BadInput(f"{stopped_by}; {writing.tally.taken} rows before that were taken")
    return told


def _begin(
    session: Session, kind: ImportKind, file_name: str, opened: OpenedFile, importer: Importer
) -> SettlementImport:
    told = SettlementImport(
        id=new_id(),
        kind=kind.value,
        file_name=_plain_name(file_name),
        sha256=opened.sha256,
        district_code=importer.district_code,
        started_by=importer.actor.id,
        started_at=datetime.now(UTC),
    )
    session.add(told)
    repository.place_stays(session)
    detail: dict[str, str | int] = {"kind": kind.value, "sha256": opened.sha256}
    record(session, _deed(importer, "import_begun", told.id, detail))
    return told


def _deed(importer: Importer, action: str, import_id: str, detail: dict[str, str | int]) -> Deed:
    district = importer.district_code
    return Deed(importer.actor, action, "settlement_import", import_id, district_code=district, detail=detail)


def _plain_name(file_name: str) -> str:
    """The name without its folder and without what cannot be printed."""
    name = PurePath(file_name.replace("\\", "/")).name
    return "".join(sign for sign in name if sign.isprintable())[:_NAME_CHARS] or "-"


def _write_all(server: Server, writer: Writer, opened: OpenedFile, batch: int) -> str | None:
    """Write every batch; what is wrong with the file where it broke off."""
    rows = iter(opened.rows)
    while True:
        prepared, stopped_by, ended = _next_batch(rows, writer, batch)
        with server.database.transaction() as session:
            _write_batch(session, writer, prepared)
        if ended:
            return stopped_by


def _next_batch(
    rows: Iterator[ParsedRow | RefusedRow], writer: Writer, batch: int
) -> tuple[list[Prepared], str | None, bool]:
    """Rows that may be written, why the file broke off, and whether it is at its end."""
    tally, parsed, stopped_by, count = writer.tally, [], None, 0
    try:
        for row in islice(rows, batch):
            count += 1
            if isinstance(row, RefusedRow):
                tally.reject(row.problems)
            else:
                parsed.append(row)
    except BadInput as error:
        stopped_by = str(error)[:_WHY_CHARS]
    tally.rows += count
    return writer.prepare(parsed), stopped_by, stopped_by is not None or count < batch


def _write_batch(session: Session, writer: Writer, prepared: list[Prepared]) -> None:
    """Imports take turns, so that no two add the same row."""
    if prepared:
        take_turn(session, TURN)
        writer.write(session, prepared)
    tally, import_id = writer.tally, writer.writing.import_id
    problems = [
        {"import_id": import_id, "number": number, "row": problem.line, "field": problem.field, "why": problem.message}
        for number, problem in enumerate(tally.problems, tally.problems_kept + 1)
    ]
    repository.insert_rows(session, repository.table_of(RejectedRow), problems)
    tally.problems_kept += len(problems)
    tally.problems.clear()
    _note_counts(session.get_one(SettlementImport, import_id), tally)


def _note_counts(told: SettlementImport, tally: Tally) -> None:
    told.rows, told.added, told.changed = tally.rows, tally.added, tally.changed
    told.unchanged, told.rejected = tally.unchanged, tally.rejected


def _end(told: SettlementImport, tally: Tally, opened: OpenedFile, stopped_by: str | None) -> None:
    _note_counts(told, tally)
    told.warnings = {**opened.notes, **tally.warnings}
    told.finished_at, told.stopped_by = datetime.now(UTC), stopped_by


def _ended(importer: Importer, told: SettlementImport) -> Deed:
    counts = {"rows": told.rows, "added": told.added, "changed": told.changed, "rejected": told.rejected}
    action = "import_ended" if told.stopped_by is None else "import_broke_off"
    return _deed(importer, action, told.id, {**counts})
