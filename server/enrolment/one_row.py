"""One row of an enrolment: the person, what allows keeping their face, and their photos, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import ValidationError
from sqlalchemy.orm import Session

from renzheng.contracts import Reason
from server.audit_log.service import Actor
from server.context import Server
from server.enrolment import repository
from server.enrolment.dry_store import DryStore
from server.enrolment.messages import Outcome
from server.enrolment.people_table import SheetRow
from server.enrolment.photo_sources import PhotoBroken, PhotoFile
from server.enrolment.words import RowProblem, Trouble, problem, refused_photo
from server.errors import Conflict, NotFound, Unacceptable
from server.people import repository as people
from server.people.bases import add_basis
from server.people.duplicates import look_alikes
from server.people.messages import BasisFields, PersonFields
from server.people.photos import FoundFace, PhotoRefusedFor, allow_templates, face_in, keep_photo
from server.people.service import Change, SavedPerson, fields_of, put_person
from server.tables import InsuredPerson

PHOTOS_MAX = 8
"""More photos of one person make no check better."""


@dataclass(frozen=True)
class RowDone:
    """What became of a row. ``person_id`` is of somebody who is there, so a dry run names nobody it would add."""

    outcome: Outcome
    person_id: str | None = None
    photos_taken: int = 0
    problems: tuple[RowProblem, ...] = ()


@dataclass(frozen=True)
class _Portrait:
    """A photo of a row with its face."""

    field: str
    data: bytes
    found: FoundFace


@dataclass(frozen=True)
class _Prepared:
    """A row whose faces were looked for, and the photos that will not do."""

    person: PersonFields
    basis: BasisFields | None
    portraits: tuple[_Portrait, ...]
    refusals: tuple[RowProblem, ...]
    photos: int


class _Refused(Exception):
    """Takes everything back that was done for the row."""

    def __init__(self, *problems: RowProblem) -> None:
        super().__init__()
        self.problems = problems


class _Dry(Exception):
    """Takes everything back because nothing was meant."""


class _NotOurs(Exception):
    """Takes everything back because somebody else does the row."""


Note = Callable[[Session, RowDone], bool]
"""Writes down what became of the row; ``False`` when that is not ours to do any more."""


def try_row(
    server: Server, row: SheetRow, files: Sequence[PhotoFile], actor: Actor, scope: str, note: Note, *, dry_run: bool
) -> Outcome | None:
    """Take the row or refuse it, and note which; ``None`` when it could not be noted, and then it was not taken.

    Faces are looked for before the transaction begins, so that nobody waits for them. Raises
    :class:`server.errors.Unavailable` and :class:`renzheng.errors.StorageFull`.
    """
    try:
        prepared = _prepare(server, row, files)
        if not dry_run:
            return _taken(server, prepared, actor, scope, note)
        done = _tried(server, prepared, actor, scope)
    except _Refused as refused:
        done = RowDone(Outcome.REFUSED, problems=refused.problems)
    except _NotOurs:
        return None
    except Conflict:
        done = RowDone(Outcome.REFUSED, problems=(problem("row", Trouble.MEANWHILE),))
    with server.database.transaction() as session:
        return done.outcome if note(session, done) else None


def _taken(server: Server, prepared: _Prepared, actor: Actor, scope: str, note: Note) -> Outcome:
    with server.database.transaction() as session:
        done = _take(session, server, prepared, actor, scope)
        if not note(session, done):
            raise _NotOurs
    return done.outcome


def _tried(server: Server, prepared: _Prepared, actor: Actor, scope: str) -> RowDone:
    """What would become of the row; of what was done nothing stays."""
    dry = replace(server, store=DryStore(server.store))
    with suppress(_Dry), server.database.transaction() as session:
        there = people.person_numbered(session, prepared.person.psn_no)
        done = _take(session, dry, prepared, actor, scope)
        raise _Dry
    return replace(done, person_id=there.id if there else None)


def _prepare(server: Server, row: SheetRow, files: Sequence[PhotoFile]) -> _Prepared:
    if row.problems or row.person is None:
        raise _Refused(*row.problems)
    if len(files) > PHOTOS_MAX:
        raise _Refused(problem("photos", Trouble.PHOTOS_TOO_MANY, most=PHOTOS_MAX))
    if len({file.name for file in files}) < len(files):
        raise _Refused(problem("photos", Trouble.PHOTO_NAMED_TWICE))
    portraits, refusals = [], []
    for number, file in enumerate(files, 1):
        looked = _look(server, f"photos.{number}", file)
        if isinstance(looked, _Portrait):
            portraits.append(looked)
        else:
            refusals += looked
    if refusals and not portraits:
        raise _Refused(*refusals)
    return _Prepared(row.person, row.basis, tuple(portraits), tuple(refusals), len(files))


def _look(server: Server, field: str, file: PhotoFile) -> _Portrait | list[RowProblem]:
    """A photo with its face, or why it will not do."""
    most = server.settings.photo_mb
    if file.size_bytes > most * 1_000_000:
        return [problem(field, Trouble.PHOTO_TOO_LARGE, most=most)]
    try:
        data = file.read()
    except PhotoBroken:
        return refused_photo(field, (Reason.UNREADABLE,))
    found = face_in(server, data)
    return refused_photo(field, found.reasons) if isinstance(found, PhotoRefusedFor) else _Portrait(field, data, found)


def _take(session: Session, server: Server, prepared: _Prepared, actor: Actor, scope: str) -> RowDone:
    """Do the row. Raises :class:`_Refused`."""
    saved = _save(session, server, prepared.person, actor, scope)
    if saved.change is Change.ADDED and not prepared.portraits:
        raise _Refused(problem("photos", Trouble.PHOTO_MISSING))
    allowed = _allow(session, server, saved.person, prepared.basis, actor)
    taken, problems = _keep(session, server, saved.person, prepared, actor, scope)
    if saved.change is Change.ADDED:
        outcome = Outcome.ENROLLED
    else:
        changed = saved.change is Change.UPDATED or allowed or taken
        outcome = Outcome.UPDATED if changed else Outcome.UNCHANGED
    return RowDone(outcome, saved.person.id, taken, problems)


def _save(session: Session, server: Server, fields: PersonFields, actor: Actor, scope: str) -> SavedPerson:
    """The person entered or brought up to date; what the row leaves empty stays as it is."""
    there = people.person_numbered(session, fields.psn_no)
    try:
        if there is not None:
            told = fields.model_dump(exclude_none=True)
            fields = PersonFields(**(fields_of(server.keys, there).model_dump() | told))
        return put_person(session, server, fields, actor, scope)
    except ValidationError as error:
        names = dict.fromkeys(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise _Refused(*(problem(name, Trouble.UNEXPECTED) for name in names)) from None
    except NotFound:
        raise _Refused(problem("insuplc_admdvs", Trouble.OUTSIDE)) from None
    except Conflict as error:
        troubles = {"psn_no": Trouble.NUMBER_ELSEWHERE, "certno": Trouble.CERTNO_TAKEN}
        raise _Refused(problem(error.field or "row", troubles.get(error.field or "", Trouble.MEANWHILE))) from None


def _allow(session: Session, server: Server, person: InsuredPerson, fields: BasisFields | None, actor: Actor) -> bool:
    """Have what the row says allows it on record; whether that is new.

    A row that is older than a withdrawal or an erasure does not undo it: lists are sent again, withdrawals are meant.
    """
    if fields is None or fields.given_at is None:
        return False
    erased_at = repository.erased_at(session, server.keys.blind_index("psn_no", person.psn_no))
    if erased_at is not None and erased_at >= fields.given_at:
        raise _Refused(problem("basis_given_at", Trouble.WITHDRAWN))
    for basis in people.bases(session, person.id):
        if basis.purpose is not fields.purpose:
            continue
        if basis.withdrawn_at is not None and basis.withdrawn_at >= fields.given_at:
            raise _Refused(problem("basis_given_at", Trouble.WITHDRAWN))
        same = (basis.basis, basis.version, basis.given_at) == (fields.basis, fields.version, fields.given_at)
        if same and basis.withdrawn_at is None:
            return False
    try:
        add_basis(session, server, person, fields, actor)
    except Unacceptable as error:
        raise _Refused(problem(error.field or "basis", Trouble.UNEXPECTED)) from None
    return True


def _keep(
    session: Session, server: Server, person: InsuredPerson, prepared: _Prepared, actor: Actor, scope: str
) -> tuple[int, tuple[RowProblem, ...]]:
    """Keep the photos that will do; how many are new, what is wrong with others, and who else they may show."""
    if not prepared.portraits:
        return 0, ()
    try:
        allow_templates(session, person)
    except Conflict:
        raise _Refused(problem("basis", Trouble.NO_BASIS)) from None
    taken, refused = 0, list(prepared.refusals)
    doubts: list[RowProblem] = []
    for portrait in prepared.portraits:
        kept = keep_photo(session, server, person, portrait.data, portrait.found, actor)
        if isinstance(kept, PhotoRefusedFor):
            refused += refused_photo(portrait.field, kept.reasons)
        elif kept.is_new:
            taken += 1
            doubts += _look_alikes(session, server, person, portrait, scope)
    if len({one.field for one in refused}) == prepared.photos:
        raise _Refused(*refused)
    return taken, (*refused, *doubts)


def _look_alikes(
    session: Session, server: Server, person: InsuredPerson, portrait: _Portrait, scope: str
) -> Iterator[RowProblem]:
    """A question for each number under which this face may be enrolled; it keeps nobody from being enrolled."""
    found = portrait.found
    search = look_alikes(session, server, person.id, found.face, found.pack, found.embedder_sha256)
    for one in search.found:
        if one.person.district_code.startswith(scope):
            yield problem(portrait.field, Trouble.FACE_OF_ANOTHER, other=one.person.id)
        else:
            yield problem(portrait.field, Trouble.FACE_ELSEWHERE)
