"""New keys, and sealing everything anew under them.

Each row says by its first bytes which key it was sealed under, so a run that was cut off simply begins again and
passes over what is done. When it ends well, old sealing keys may be taken out of the ring. Old receiving keys must stay
as long as a box may have sealed samples for them: until checks of that time are purged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Table, select, update

from renzheng.errors import BadInput
from renzheng.files import atomic_path
from server.audit_log.service import SYSTEM, Deed, record
from server.context import Server
from server.keeping.service import PURGE_TURN
from server.keeping.turns import take_turn
from server.key_ring import KeyRing
from server.store import NoSuchObject
from server.tables import Base

STEP: Final = 500


class SealedColumn(NamedTuple):
    """A column of sealed bytes; the context of a seal is ``<context>:<value of named_by>``."""

    table: str
    column: str
    context: str
    named_by: str = "id"


class SealedObject(NamedTuple):
    """Sealed objects of the store that a table names."""

    table: str
    context: str


COLUMNS: Final = (
    SealedColumn("insured_persons", "psn_name_sealed", "insured_persons.psn_name_sealed"),
    SealedColumn("insured_persons", "certno_sealed", "insured_persons.certno_sealed"),
    SealedColumn("insured_persons", "brdy_sealed", "insured_persons.brdy_sealed"),
    SealedColumn("legal_bases", "guardian_name_sealed", "legal_bases.guardian_name_sealed"),
    SealedColumn("staff_members", "name_sealed", "staff_members.name_sealed"),
    SealedColumn("face_templates", "sealed", "face_templates.sealed"),
    SealedColumn("devices", "token_sealed", "devices.token"),
    SealedColumn("settlements", "credential_sealed", "settlements.credential_sealed", "setl_id"),
)
OBJECTS: Final = (
    SealedObject("enrolment_photos", "enrolment_photos.store_key"),
    SealedObject("check_pieces", "check_pieces.object"),
)


def add_keys(path: Path) -> KeyRing:
    """Add a sealing and a receiving key to the ring of a file, which is replaced whole or not at all.

    Raises :class:`BadInput` for a file that holds no ring.
    """
    try:
        ring = KeyRing.read(path.read_text(encoding="utf-8")).with_new_keys()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    with atomic_path(path) as part:
        part.touch(mode=0o600)
        part.write_text(ring.text() + "\n", encoding="utf-8")
    return ring


def reseal(server: Server, tell: Callable[[str, int], None] = lambda _name, _count: None) -> dict[str, int]:
    """Seal everything anew that is sealed under another key than the one in use; how many of each kind were."""
    told = {}
    for one in COLUMNS:
        told[f"{one.table}.{one.column}"] = sum(_column_steps(server, one))
        tell(f"{one.table}.{one.column}", told[f"{one.table}.{one.column}"])
    for kind in OBJECTS:
        told[kind.table] = sum(_object_steps(server, kind))
        tell(kind.table, told[kind.table])
    with server.database.transaction() as session:
        detail = {"key": server.keys.current, "sealed": sum(told.values())}
        record(session, Deed(SYSTEM, "resealed", "key_ring", str(server.keys.current), detail=detail))
    return told


def _column_steps(server: Server, one: SealedColumn) -> Iterator[int]:
    table = Base.metadata.tables[one.table]
    sealed, name = table.c[one.column], table.c[one.named_by]
    last: Any = None
    while True:
        with server.database.transaction() as session:
            statement = select(table.c.id, name.label("name"), sealed.label("sealed")).where(sealed.is_not(None))
            rows = session.execute(_page(statement, table.c.id, last).with_for_update()).all()
            changes = [(row.id, _again(server.keys, row.sealed, f"{one.context}:{row.name}")) for row in rows]
            done = [(row_id, fresh) for row_id, fresh in changes if fresh is not None]
            for row_id, fresh in done:
                session.execute(update(table).where(table.c.id == row_id).values({one.column: fresh}))
        if not rows:
            return
        last = rows[-1].id
        yield len(done)


def _page(statement: Any, key: Column[Any], last: Any) -> Any:
    after = statement if last is None else statement.where(key > last)
    return after.order_by(key).limit(STEP)


def _again(keys: KeyRing, sealed: bytes, context: str) -> bytes | None:
    """The same under the key in use; ``None`` when it is already."""
    if keys.key_number(sealed) == keys.current:
        return None
    return keys.seal(keys.open(sealed, context), context)


def _object_steps(server: Server, kind: SealedObject) -> Iterator[int]:
    table: Table = Base.metadata.tables[kind.table]
    last: Any = None
    while True:
        with server.database.transaction(writes=False) as session:
            rows = session.execute(_page(select(table.c.id), table.c.id, last)).all()
        if not rows:
            return
        last = rows[-1].id
        yield sum(_again_object(server, table, row.id, f"{kind.context}:{row.id}") for row in rows)


def _again_object(server: Server, table: Table, row_id: str, context: str) -> bool:
    """Whether an object was sealed anew; one that was deleted meanwhile is not.

    Its row is locked and no purge runs until it was put: what is deleted in between would come back for good.
    """
    with server.database.transaction() as session:
        take_turn(session, PURGE_TURN)
        named = select(table.c.store_key).where(table.c.id == row_id).with_for_update()
        store_key = session.scalars(named).one_or_none()
        if store_key is None:
            return False
        try:
            fresh = _again(server.keys, server.store.get(store_key), context)
        except NoSuchObject:
            return False
        if fresh is not None:
            server.store.put(store_key, fresh)
        return fresh is not None
