"""A new pack: new templates beside the old ones until all are done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from renzheng.contracts import Reason
from renzheng.ids import new_id
from server.audit_log.service import SYSTEM
from server.context import Server
from server.enrolment.re_enrol import enrol_anew, photos_left, retire_old
from server.errors import Conflict
from server.people import faces
from server.tables import AuditEntry, EnrolmentPhoto, FaceTemplate
from tests.server.enrolment.orders import ANNE, BO, enrol, person, table
from vision.pack import VisionPack
from vision.types import BgrImage, FloatArray

NEW = "a-new-pack"
NEW_EMBEDDER = "e" * 64


@dataclass(frozen=True)
class Mirrored:
    """Another embedder: the values of the real one in reverse."""

    real: VisionPack

    @property
    def size(self) -> int:
        return self.real.embedding_size

    def embed(self, crops_bgr: BgrImage) -> FloatArray:
        return self.real.embedder.embed(crops_bgr)[:, ::-1].copy()


@pytest.fixture(autouse=True)
def new_pack(pack: VisionPack, monkeypatch: pytest.MonkeyPatch) -> VisionPack:
    made = replace(pack, name=NEW, embedder_sha256=NEW_EMBEDDER, embedder=Mirrored(pack))
    monkeypatch.setitem(faces._OPENED, NEW, made)
    return made


def enrolled(server: Server, portraits: list[bytes]) -> None:
    enrol(server, table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]})


def templates(server: Server) -> list[tuple[str, bool]]:
    """Pack of each template, and whether it is in use."""
    with server.database.transaction(writes=False) as session:
        return sorted((one.pack, one.revoked_at is None) for one in session.scalars(select(FaceTemplate)))


def switched(server: Server) -> Server:
    return replace(server, settings=server.settings.model_copy(update={"pack": NEW}))


def test_old_and_new_templates_are_in_use_side_by_side_until_the_old_are_retired(
    server: Server, portraits: list[bytes]
) -> None:
    enrolled(server, portraits)
    old = server.settings.pack
    assert photos_left(server, NEW) == 2

    done = list(enrol_anew(server, NEW, SYSTEM))

    assert [one.reasons for one in done] == [(), ()]
    assert templates(server) == [(NEW, True), (NEW, True), (old, True), (old, True)]
    assert photos_left(server, NEW) == 0
    assert retire_old(switched(server), NEW, SYSTEM) == 2
    assert templates(server) == [(NEW, True), (NEW, True), (old, False), (old, False)]
    with server.database.transaction(writes=False) as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))
    assert actions[-2:] == ["enrolled_anew", "old_templates_retired"]


def test_what_was_broken_off_goes_on_with_the_photos_that_are_left(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    enrolled(sqlite_server, portraits)
    assert next(enrol_anew(sqlite_server, NEW, SYSTEM)).reasons == ()
    assert photos_left(sqlite_server, NEW) == 1

    assert len(list(enrol_anew(sqlite_server, NEW, SYSTEM))) == 1
    assert list(enrol_anew(sqlite_server, NEW, SYSTEM)) == []


def test_a_revoked_template_does_not_come_back_with_a_new_pack(sqlite_server: Server, portraits: list[bytes]) -> None:
    enrolled(sqlite_server, portraits)
    with sqlite_server.database.transaction() as session:
        session.scalars(select(FaceTemplate).limit(1)).one().revoked_at = datetime.now(UTC)

    assert len(list(enrol_anew(sqlite_server, NEW, SYSTEM))) == 1


def test_a_photo_that_was_revoked_while_it_was_looked_at_gets_no_template(
    sqlite_server: Server, portraits: list[bytes], new_pack: VisionPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(sqlite_server, portraits)

    class Slow(Mirrored):
        def embed(self, crops_bgr: BgrImage) -> FloatArray:
            with sqlite_server.database.transaction() as session:
                for one in session.scalars(select(FaceTemplate)):
                    one.revoked_at = datetime.now(UTC)
            return super().embed(crops_bgr)

    monkeypatch.setitem(faces._OPENED, NEW, replace(new_pack, embedder=Slow(new_pack)))
    list(enrol_anew(sqlite_server, NEW, SYSTEM))
    assert {name for name, _in_use in templates(sqlite_server)} == {sqlite_server.settings.pack}


def test_photos_that_cannot_be_read_are_told_and_their_owners_keep_the_old_templates(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    enrolled(sqlite_server, portraits)
    with sqlite_server.database.transaction(writes=False) as session:
        gone, damaged = session.scalars(select(EnrolmentPhoto).order_by(EnrolmentPhoto.id)).all()
    sqlite_server.store.delete(gone.store_key)
    sqlite_server.store.put(damaged.store_key, b"\0\0\0\1 not what was sealed")

    done = list(enrol_anew(sqlite_server, NEW, SYSTEM))

    assert [(one.photo_id, one.owner_id, one.reasons) for one in done] == [
        (gone.id, gone.person_id, (Reason.UNREADABLE,)),
        (damaged.id, damaged.person_id, (Reason.UNREADABLE,)),
    ]
    with pytest.raises(Conflict, match=f"2 people have no template of {NEW} yet.*{gone.person_id}"):
        retire_old(switched(sqlite_server), NEW, SYSTEM)
    assert templates(sqlite_server) == [(sqlite_server.settings.pack, True)] * 2


def test_old_templates_are_not_retired_while_new_photos_are_enrolled_with_them(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    enrolled(sqlite_server, portraits)
    list(enrol_anew(sqlite_server, NEW, SYSTEM))
    with pytest.raises(Conflict, match="set the pack"):
        retire_old(sqlite_server, NEW, SYSTEM)


def test_a_photo_that_fails_hinders_nobody_who_has_another(sqlite_server: Server, portraits: list[bytes]) -> None:
    enrolled(sqlite_server, portraits)
    with sqlite_server.database.transaction() as session:
        anne = session.scalars(select(EnrolmentPhoto).order_by(EnrolmentPhoto.id).limit(1)).one()
        template = session.scalars(select(FaceTemplate).where(FaceTemplate.photo_id == anne.id)).one()
        second = EnrolmentPhoto(
            id=new_id(), person_id=anne.person_id, store_key="photos/none", sha256_index="-", quality={},
            created_at=anne.created_at, created_by="-",
        )  # fmt: skip
        session.add(second)
        session.flush()
        session.add(
            FaceTemplate(
                id=new_id(), person_id=anne.person_id, photo_id=second.id, pack=template.pack,
                embedder_sha256=template.embedder_sha256, sealed=b"-", created_at=anne.created_at,
            )
        )  # fmt: skip

    done = list(enrol_anew(sqlite_server, NEW, SYSTEM))

    assert sorted(len(one.reasons) for one in done) == [0, 0, 1]
    assert retire_old(switched(sqlite_server), NEW, SYSTEM) == 3
