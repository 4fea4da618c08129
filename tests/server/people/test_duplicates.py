"""The search for a face that is enrolled already."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import select

from calibration.sets import load_set
from renzheng.contracts import SampleQuality
from server.context import Server
from server.people import duplicates
from server.people.duplicates import DuplicateSearch, duplicate_cosine, forget_index, look_alikes
from server.tables import FaceTemplate, InsuredPerson
from tests.server.conftest import PHARMACY
from tests.server.people.making import EMBEDDER, make_member, make_person, near, unit
from vision.enrol import PhotoFace
from vision.types import FloatArray

PACK = "opencv-zoo"
NOBODY = "nobody"


def searched(server: Server, vector: FloatArray, person_id: str = NOBODY, pack: str = PACK) -> DuplicateSearch:
    blank = np.zeros((112, 112, 3), np.uint8)
    face = PhotoFace(SampleQuality(components={}, measures={}, score=1.0), vector, blank, blank)
    with server.database.transaction(writes=False) as session:
        return look_alikes(session, server, person_id, face, pack, EMBEDDER)


def numbers(found: DuplicateSearch) -> list[str]:
    assert found.searched
    return [one.person.psn_no for one in found.found]


def test_among_nobody_nobody_is_found(sqlite_server: Server) -> None:
    assert numbers(searched(sqlite_server, unit(1))) == []


def test_others_are_found_nearest_first_once_each_and_oneself_never(server: Server) -> None:
    one = make_person(server, "p1", vectors=[unit(1), near(unit(1), 0.95)])
    make_person(server, "p2", vectors=[near(unit(1), 0.8)])
    make_person(server, "p3", vectors=[unit(3)])
    assert numbers(searched(server, unit(1))) == ["p1", "p2"]
    found = searched(server, unit(1), one)
    assert numbers(found) == ["p2"]
    assert found.found[0].cosine == pytest.approx(0.8, abs=1e-5)


def test_two_photos_are_asked_about_from_where_few_samples_would_match(sqlite_server: Server) -> None:
    thresholds, _ = load_set(PACK)
    edge = thresholds.accept + thresholds.few_samples_margin
    assert duplicate_cosine(PACK) == edge
    make_person(sqlite_server, "above", vectors=[near(unit(1), edge + 0.001, 7)])
    make_person(sqlite_server, "below", vectors=[near(unit(1), edge - 0.001, 8)])
    assert numbers(searched(sqlite_server, unit(1))) == ["above"]


def test_without_a_threshold_set_nothing_is_claimed(sqlite_server: Server) -> None:
    make_person(sqlite_server, vectors=[unit(1)])
    assert searched(sqlite_server, unit(1), pack="another") == DuplicateSearch(False)


def test_who_is_enrolled_after_a_search_is_found_by_the_next(server: Server) -> None:
    for number in range(3):
        assert numbers(searched(server, unit(number))) == []
        make_person(server, f"p{number}", vectors=[unit(number)])
        assert numbers(searched(server, unit(number))) == [f"p{number}"]


def test_staff_and_other_models_and_the_revoked_are_not_searched(sqlite_server: Server) -> None:
    make_member(sqlite_server, PHARMACY, "a1", [unit(1)])
    make_person(sqlite_server, "other", vectors=[unit(1)], embedder="f" * 64)
    make_person(sqlite_server, "revoked", vectors=[unit(1)])
    with sqlite_server.database.transaction() as session:
        for template in session.scalars(select(FaceTemplate).where(FaceTemplate.embedder_sha256 == EMBEDDER)):
            template.revoked_at = datetime.now(UTC)
    assert numbers(searched(sqlite_server, unit(1))) == []


def test_who_was_erased_by_another_replica_is_not_named(server: Server) -> None:
    make_person(server, vectors=[unit(1)])
    assert numbers(searched(server, unit(1))) == ["p1"]
    with server.database.transaction() as session:
        session.delete(session.scalars(select(InsuredPerson)).one())
    assert numbers(searched(server, unit(1))) == []


def test_what_another_replica_revoked_is_dropped_at_the_next_count(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_person(sqlite_server, vectors=[unit(1)])
    make_person(sqlite_server, "p2", vectors=[unit(2)])
    assert numbers(searched(sqlite_server, unit(1))) == ["p1"]
    with sqlite_server.database.transaction() as session:
        template = session.scalars(select(FaceTemplate).order_by(FaceTemplate.id)).first()
        assert template is not None
        template.revoked_at = datetime.now(UTC)
    monkeypatch.setattr(duplicates, "COUNT_EVERY_S", 0.0)
    assert numbers(searched(sqlite_server, unit(1))) == []
    assert numbers(searched(sqlite_server, unit(2))) == ["p2"]


def test_a_process_that_takes_somebody_away_forgets_at_once(sqlite_server: Server) -> None:
    make_person(sqlite_server, vectors=[unit(1)])
    searched(sqlite_server, unit(1))
    (index,) = duplicates._indexes(sqlite_server).by_embedder.values()
    assert len(index) == 1
    with sqlite_server.database.transaction() as session:
        forget_index(session, sqlite_server)
        assert len(index) == 0
        searched(sqlite_server, unit(1))
        session.scalars(select(InsuredPerson)).all()
    assert len(index) == 0, "and once more when the transaction ended"


def test_many_templates_are_searched(sqlite_server: Server) -> None:
    vectors = [unit(seed) for seed in range(1100)]
    make_person(sqlite_server, "many", vectors=vectors)
    found = searched(sqlite_server, vectors[-1])
    assert numbers(found) == ["many"]
    assert found.found[0].cosine == pytest.approx(1.0, abs=1e-5)
