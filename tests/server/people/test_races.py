"""Two at the same time: one of them wins, and nothing half is left."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from renzheng.contracts import SampleQuality
from server.audit_log.service import SYSTEM
from server.context import Server
from server.errors import Conflict, NotFound, ServerError
from server.keeping.messages import NewHold
from server.keeping.service import place_hold
from server.people import photos
from server.people.erasure import erase_person
from server.people.photos import FoundFace, keep_photo
from server.people.service import person_of, save_person
from server.tables import EnrolmentPhoto, FaceTemplate, InsuredPerson
from tests.server.people.making import EMBEDDER, SYSTEM_SUBJECT, make_person, person_fields, rows_of, unit
from vision.enrol import PhotoFace


def test_two_who_enter_the_same_person_enter_one(server: Server) -> None:
    both = threading.Barrier(2, timeout=20)

    def enter(name: str) -> str:
        both.wait()
        try:
            with server.database.transaction() as session:
                save_person(session, server, person_fields(name=name), SYSTEM)
        except Conflict:
            return "conflict"
        return "saved"

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(enter, ("张三", "李四")))
    assert "saved" in told
    assert rows_of(server, InsuredPerson) == 1


def found_face() -> FoundFace:

    blank = np.zeros((112, 112, 3), np.uint8)
    quality = SampleQuality(components={}, measures={}, score=1.0)
    return FoundFace(PhotoFace(quality, unit(1), blank, blank), "opencv-zoo", EMBEDDER)


def test_a_photo_that_comes_while_its_person_is_erased_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The enroller has read the person already; the erasure is done before the photo is kept, or waits for it."""
    person_id = make_person(server)
    looked, erased = threading.Event(), threading.Event()

    def enrol() -> str:
        with server.database.transaction(writes=False) as session:
            person = person_of(session, person_id, "")
        looked.set()
        assert erased.wait(20)
        try:
            with server.database.transaction() as session:
                keep_photo(session, server, person, b"bytes", found_face(), SYSTEM)
        except ServerError as error:
            return type(error).__name__
        return "kept"

    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(enrol)
        assert looked.wait(20)
        with server.database.transaction() as session:
            erase_person(session, server, person_of(session, person_id, ""), "申请 1", SYSTEM)
        erased.set()
        assert told.result(20) == NotFound.__name__
    assert (rows_of(server, EnrolmentPhoto), list(server.store.keys())) == (0, [])


def test_an_erasure_waits_for_a_photo_that_is_being_kept_and_takes_it_along(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id, storing, go_on = make_person(server), threading.Event(), threading.Event()
    add_template = photos.add_template

    def slowly(*given: object) -> FaceTemplate:
        storing.set()
        assert go_on.wait(20)
        return add_template(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(photos, "add_template", slowly)

    def enrol() -> None:
        with server.database.transaction() as session:
            keep_photo(session, server, person_of(session, person_id, ""), b"bytes", found_face(), SYSTEM)

    def erase() -> dict[str, object]:
        with server.database.transaction() as session:
            return erase_person(session, server, person_of(session, person_id, ""), "申请 1", SYSTEM).counts

    with ThreadPoolExecutor(2) as pool:
        enrolling = pool.submit(enrol)
        assert storing.wait(20)
        erasing = pool.submit(erase)
        go_on.set()
        enrolling.result(20)
        assert erasing.result(20)["photos"] == 1
    assert (rows_of(server, EnrolmentPhoto), rows_of(server, FaceTemplate)) == (0, 0)
    assert list(server.store.keys()) == []


def test_an_erasure_waits_for_a_hold_that_is_being_placed_and_is_refused(server: Server) -> None:
    person_id, wanted = make_person(server), NewHold(object_kind="person", object_id="-", why="立案")

    def erase() -> str:
        try:
            with server.database.transaction() as session:
                erase_person(session, server, person_of(session, person_id, ""), "申请 1", SYSTEM)
        except Conflict as error:
            return str(error)
        return "erased"

    with ThreadPoolExecutor(1) as pool:
        with server.database.transaction() as session:
            held = place_hold(session, SYSTEM_SUBJECT, wanted.model_copy(update={"object_id": person_id}))
            erasing = pool.submit(erase)
            time.sleep(0.5)
        assert held.id in erasing.result(20)
    assert rows_of(server, InsuredPerson) == 1
