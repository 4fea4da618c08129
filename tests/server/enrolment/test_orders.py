"""Orders: each row whole or not at all, cut off and taken up again, and dry."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from renzheng.ids import new_id
from server.audit_log.service import Actor
from server.context import Server
from server.enrolment import service
from server.enrolment.messages import Outcome, RowReport
from server.enrolment.service import Enroller
from server.errors import Conflict, Unavailable
from server.people import bases
from server.people import service as people
from server.people.erasure import erase_person
from server.tables import (
    AuditEntry,
    Base,
    BulkEnrolment,
    BulkRow,
    District,
    EnrolmentPhoto,
    FaceTemplate,
    InsuredPerson,
    LegalBasis,
)
from tests.server.conftest import HANGZHOU, YUYAO
from tests.server.enrolment.conftest import again
from tests.server.enrolment.orders import ANNE, ANYBODY, BO, CHEN, enrol, given, person, reported, table, told

Made = tuple[bytes, dict[str, bytes], Enroller, bool]
TINY = b"GIF89a no picture"


def counts(server: Server) -> dict[str, int]:
    """Rows of every table, and objects of the store."""
    with server.database.transaction(writes=False) as session:
        rows = {
            name: session.scalar(select(func.count()).select_from(one)) or 0
            for name, one in Base.metadata.tables.items()
        }
    return rows | {"store": len(list(server.store.keys()))}


def outcomes(reports: list[RowReport]) -> list[str]:
    return [report.outcome.value for report in reports]


def person_numbered(server: Server, psn_no: str) -> InsuredPerson | None:
    with server.database.transaction(writes=False) as session:
        return session.scalar(select(InsuredPerson).where(InsuredPerson.psn_no == psn_no))


def test_people_of_a_table_are_enrolled_with_their_photos_and_what_allows_them(
    server: Server, portraits: list[bytes]
) -> None:
    files = {f"{ANNE}.jpg": portraits[0], f"{ANNE}_2.jpg": again(portraits[0]), f"deep/{BO}.jpg": portraits[1]}

    reports = enrol(server, table(person(), person(BO)), files)

    assert [(one.row, one.outcome, one.photos_taken, one.problems) for one in reports] == [
        (2, Outcome.ENROLLED, 2, []),
        (3, Outcome.ENROLLED, 1, []),
    ]
    anne = person_numbered(server, ANNE)
    assert anne is not None and anne.id == reports[0].person_id
    with server.database.transaction(writes=False) as session:
        assert people.fields_of(server.keys, anne).psn_name == "王1"
        assert len(session.scalars(select(FaceTemplate).where(FaceTemplate.person_id == anne.id)).all()) == 2
        basis = session.scalars(select(LegalBasis).where(LegalBasis.person_id == anne.id)).one()
        assert (basis.version, basis.recorded_by) == ("2026-01", ANYBODY.actor.id)
        order = session.scalars(select(BulkEnrolment)).one()
        assert (order.state, order.lease_until, order.rows) == ("done", None, 2)
        assert "bulk_enrolment" in set(session.scalars(select(AuditEntry.action)))


def test_the_same_files_sent_again_change_nothing(sqlite_server: Server, portraits: list[bytes]) -> None:
    rows, files = table(person()), {f"{ANNE}.jpg": portraits[0]}
    first = enrol(sqlite_server, rows, files)
    before = counts(sqlite_server)

    second = enrol(sqlite_server, rows, files)

    assert second == first
    after = counts(sqlite_server)
    assert {name for name in after if after[name] != before[name]} == {"audit_log"}


def test_another_table_of_the_same_people_updates_them_or_leaves_them_unchanged(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    files = {f"{psn_no}.jpg": portrait for psn_no, portrait in zip((ANNE, BO), portraits, strict=False)}
    enrol(sqlite_server, table(person(), person(BO)), files)

    reports = enrol(sqlite_server, table(person(psn_name="新名"), person(BO, psn_type="11"), person(CHEN)), files)

    assert outcomes(reports) == ["updated", "updated", "refused"]
    reports = enrol(sqlite_server, table(person(psn_name="新名"), person(BO)), {})
    assert outcomes(reports) == ["unchanged", "unchanged"]


def test_what_a_row_leaves_empty_stays_as_it_is(sqlite_server: Server, portraits: list[bytes]) -> None:
    enrol(sqlite_server, table(person()), {f"{ANNE}.jpg": portraits[0]})

    enrol(sqlite_server, table(person(psn_name="新名", certno="", basis="", basis_version="", basis_given_at="")), {})

    anne = person_numbered(sqlite_server, ANNE)
    assert anne is not None
    fields = people.fields_of(sqlite_server.keys, anne)
    assert (fields.psn_name, fields.certno) == ("新名", "11010519491231002X")


@pytest.mark.parametrize(
    ("change", "photos", "expected"),
    [
        ({}, 0, [("photos", "photo_missing")]),
        ({"insuplc_admdvs": "440100"}, 1, [("insuplc_admdvs", "outside")]),
        ({"basis": "", "basis_version": "", "basis_given_at": ""}, 1, [("basis", "no_basis")]),
        ({"certno": "330281201901011230", "insuplc_admdvs": "330281"}, 1, [("guardian_name", "unexpected")]),
        ({"psn_name": "=1"}, 1, [("psn_name", "formula")]),
        ({}, 9, [("photos", "photos_too_many")]),
    ],
)
def test_a_row_that_is_refused_leaves_nothing_but_its_report(
    sqlite_server: Server, portraits: list[bytes], change: dict[str, str], photos: int, expected: list[tuple[str, str]]
) -> None:
    before = counts(sqlite_server)
    files = {f"{ANNE}_{number}.jpg": portraits[0] for number in range(photos)}

    (report,) = enrol(sqlite_server, table(person(**change)), files)

    assert (report.outcome, told(report), report.person_id) == (Outcome.REFUSED, expected, None)
    after = counts(sqlite_server)
    assert {name for name in after if after[name] != before[name]} <= {
        "audit_log", "bulk_enrolments", "bulk_rows"
    }  # fmt: skip


def test_a_photo_that_will_not_do_is_told_and_the_others_are_taken(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    files = {
        f"{ANNE}.jpg": portraits[0],
        f"{ANNE}_2.jpg": TINY,
        f"{ANNE}_3.jpg": portraits[1],
        f"{BO}.jpg": TINY,
    }

    anne, bo = enrol(sqlite_server, table(person(), person(BO)), files)

    assert (anne.outcome, anne.photos_taken) == (Outcome.ENROLLED, 1)
    assert [field for field, _code in told(anne)] == ["photos.2", "photos.3"]
    assert told(anne)[1] == ("photos.3", "photo_differs")
    assert (bo.outcome, bo.photos_taken, len(bo.problems)) == (Outcome.REFUSED, 0, 1)
    assert all(problem.zh and problem.en for problem in [*anne.problems, *bo.problems])


def test_a_row_whose_photos_all_show_somebody_else_changes_nothing(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    enrol(sqlite_server, table(person()), {f"{ANNE}.jpg": portraits[0]})

    (report,) = enrol(sqlite_server, table(person(psn_type="11")), {f"{ANNE}.jpg": portraits[1]})

    assert (report.outcome, told(report)) == (Outcome.REFUSED, [("photos.1", "photo_differs")])
    anne = person_numbered(sqlite_server, ANNE)
    assert anne is not None and anne.psn_type is None


def test_photos_of_one_name_in_two_folders_are_refused(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = {f"a/{ANNE}.jpg": portraits[0], f"b/{ANNE}.jpg": portraits[1]}
    (report,) = enrol(sqlite_server, table(person()), files)
    assert told(report) == [("photos", "photo_named_twice")]


def test_a_photo_larger_than_the_setting_is_not_opened(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = {f"{ANNE}.jpg": portraits[0], f"{ANNE}_2.jpg": bytes(1_000_001)}
    small = replace(sqlite_server, settings=sqlite_server.settings.model_copy(update={"photo_mb": 1}))
    (report,) = enrol(small, table(person()), files)
    assert told(report) == [("photos.2", "photo_too_large")]


def test_a_face_that_is_enrolled_under_another_number_is_asked_about(
    sqlite_server: Server, portraits: list[bytes]
) -> None:
    files = {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": again(portraits[0]), f"{CHEN}.jpg": again(portraits[0])}
    yuyao = Enroller(ANYBODY.actor, YUYAO)
    (anne,) = enrol(sqlite_server, table(person()), files)
    (bo,) = enrol(sqlite_server, table(person(BO)), files, yuyao)
    assert (bo.outcome, told(bo)) == (Outcome.ENROLLED, [("photos.1", "face_of_another")])
    assert anne.person_id is not None and anne.person_id in bo.problems[0].en

    hangzhou = Enroller(ANYBODY.actor, HANGZHOU)
    (chen,) = enrol(sqlite_server, table(person(CHEN, insuplc_admdvs=HANGZHOU)), files, hangzhou)
    assert told(chen) == [("photos.1", "face_elsewhere")] * 2
    assert anne.person_id not in chen.problems[0].en


def test_nobody_is_enrolled_outside_the_enrollers_district(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = {f"{ANNE}.jpg": portraits[0]}
    hangzhou = Enroller(ANYBODY.actor, HANGZHOU)
    assert told(enrol(sqlite_server, table(person()), files, hangzhou)[0]) == [("insuplc_admdvs", "outside")]

    enrol(sqlite_server, table(person()), files)
    (report,) = enrol(sqlite_server, table(person(insuplc_admdvs=HANGZHOU)), files, hangzhou)
    assert told(report) == [("psn_no", "number_elsewhere")]


def test_an_identity_number_of_somebody_else_is_told(sqlite_server: Server, portraits: list[bytes]) -> None:
    enrol(sqlite_server, table(person()), {f"{ANNE}.jpg": portraits[0]})
    (report,) = enrol(sqlite_server, table(person(BO, certno="11010519491231002X")), {f"{BO}.jpg": portraits[1]})
    assert told(report) == [("certno", "certno_taken")]


def test_a_withdrawal_is_not_undone_by_a_list_that_is_older(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = {f"{ANNE}.jpg": portraits[0]}
    (report,) = enrol(sqlite_server, table(person()), files)
    with sqlite_server.database.transaction() as session:
        anne = session.get_one(InsuredPerson, report.person_id)
        basis = session.scalars(select(LegalBasis)).one()
        bases.withdraw_basis(session, sqlite_server, anne, basis.id, ANYBODY.actor)

    (report,) = enrol(sqlite_server, table(person(psn_type="11")), files)
    assert told(report) == [("basis_given_at", "withdrawn")]

    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    (report,) = enrol(sqlite_server, table(person(basis_given_at=later)), files)
    assert report.outcome is Outcome.REFUSED  # not in force yet by a second
    now = datetime.now(UTC).isoformat()
    (report,) = enrol(sqlite_server, table(person(basis_given_at=now)), files)
    assert (report.outcome, report.photos_taken) == (Outcome.UPDATED, 1)


def test_an_erasure_is_not_undone_by_a_list_that_is_older(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = {f"{ANNE}.jpg": portraits[0]}
    (report,) = enrol(sqlite_server, table(person()), files)
    with sqlite_server.database.transaction() as session:
        anne = session.get_one(InsuredPerson, report.person_id)
        erase_person(session, sqlite_server, anne, "asked for", ANYBODY.actor)

    (report,) = enrol(sqlite_server, table(person(psn_type="11")), files)
    assert (report.outcome, told(report)) == (Outcome.REFUSED, [("basis_given_at", "withdrawn")])
    (report,) = enrol(sqlite_server, table(person(basis_given_at=datetime.now(UTC).isoformat())), files)
    assert report.outcome is Outcome.ENROLLED


def test_a_dry_run_says_the_same_and_keeps_its_report_alone(server: Server, portraits: list[bytes]) -> None:
    rows = table(person(), person(BO), person(CHEN, psn_name=""))
    files = {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": TINY}
    before = counts(server)

    dry = enrol(server, rows, files, dry_run=True)

    after = counts(server)
    assert {name for name in after if after[name] != before[name]} <= {"audit_log", "bulk_enrolments", "bulk_rows"}
    assert [one.person_id for one in dry] == [None, None, None]
    real = enrol(server, rows, files)
    assert [(one.outcome, told(one), one.photos_taken) for one in dry] == [
        (one.outcome, told(one), one.photos_taken) for one in real
    ]
    again_dry = enrol(server, rows, files, dry_run=True)
    assert outcomes(again_dry) == ["unchanged", "refused", "refused"]
    assert again_dry[0].person_id == real[0].person_id


def test_a_dry_run_does_not_even_touch_the_store(
    sqlite_server: Server, portraits: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(_key: str, _data: bytes) -> None:
        raise AssertionError("a dry run puts nothing")

    monkeypatch.setattr(sqlite_server.store, "put", put)
    assert outcomes(enrol(sqlite_server, table(person()), {f"{ANNE}.jpg": portraits[0]}, dry_run=True)) == ["enrolled"]


def _opened(server: Server, files: service.Given) -> str:
    with server.database.transaction() as session:
        return service.open_order(session, server, files, ANYBODY, dry_run=False).id


def test_an_order_that_was_cut_off_goes_on_where_it_stood(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = given(table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]})
    order_id, stop = _opened(sqlite_server, files), threading.Event()

    assert not service.work_on(sqlite_server, order_id, files, ANYBODY, stop, lambda _outcome: stop.set())
    assert [one.row for one in reported(sqlite_server, order_id)] == [2]

    assert _opened(sqlite_server, files) == order_id
    assert service.work_on(sqlite_server, order_id, files, ANYBODY, threading.Event())
    assert outcomes(reported(sqlite_server, order_id)) == ["enrolled", "enrolled"]


def test_what_breaks_in_the_middle_keeps_the_rows_before_and_nothing_of_its_own(
    sqlite_server: Server, portraits: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = given(table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]})
    order_id = _opened(sqlite_server, files)
    whole = sqlite_server.store.put

    def full(key: str, data: bytes) -> None:
        if person_numbered(sqlite_server, ANNE) is not None:
            raise Unavailable("the store does not answer")
        whole(key, data)

    monkeypatch.setattr(sqlite_server.store, "put", full)
    with pytest.raises(Unavailable):
        service.work_on(sqlite_server, order_id, files, ANYBODY, threading.Event())
    assert (outcomes(reported(sqlite_server, order_id)), person_numbered(sqlite_server, BO)) == (["enrolled"], None)

    monkeypatch.undo()
    assert service.work_on(sqlite_server, order_id, files, ANYBODY, threading.Event())
    assert outcomes(reported(sqlite_server, order_id)) == ["enrolled", "enrolled"]


def test_refused_rows_of_a_finished_order_are_tried_anew(sqlite_server: Server, portraits: list[bytes]) -> None:
    rows = table(person(), person(BO, insuplc_admdvs="330283"))
    files = {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]}
    assert outcomes(enrol(sqlite_server, rows, files)) == ["enrolled", "refused"]
    with sqlite_server.database.transaction() as session:
        session.add(District(code="330283", name="奉化区"))

    assert outcomes(enrol(sqlite_server, rows, files)) == ["enrolled", "enrolled"]


def test_two_do_not_work_on_one_order(sqlite_server: Server, portraits: list[bytes]) -> None:
    files = given(table(person()), {f"{ANNE}.jpg": portraits[0]})
    order_id = _opened(sqlite_server, files)
    _leased(sqlite_server, order_id, datetime.now(UTC) + timedelta(minutes=1))

    assert not service.work_on(sqlite_server, order_id, files, ANYBODY, threading.Event())
    with pytest.raises(Conflict):
        _opened(sqlite_server, files)
    assert reported(sqlite_server, order_id) == []

    _leased(sqlite_server, order_id, datetime.now(UTC))
    assert _opened(sqlite_server, files) == order_id
    assert service.work_on(sqlite_server, order_id, files, ANYBODY, threading.Event())


def test_who_lost_an_order_takes_no_row_of_it_any_more(server: Server, portraits: list[bytes]) -> None:
    files = given(table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0], f"{BO}.jpg": portraits[1]})
    order_id = _opened(server, files)

    def lose(_outcome: Outcome) -> None:
        _leased(server, order_id, datetime.now(UTC) + timedelta(minutes=1))

    assert not service.work_on(server, order_id, files, ANYBODY, threading.Event(), lose)

    assert person_numbered(server, BO) is None
    assert [one.row for one in reported(server, order_id)] == [2]
    with server.database.transaction(writes=False) as session:
        assert session.get_one(BulkEnrolment, order_id).lease_holder == "another"


def _leased(server: Server, order_id: str, until: datetime) -> None:
    with server.database.transaction() as session:
        order = session.get_one(BulkEnrolment, order_id)
        order.lease_holder, order.lease_until = "another", until


@pytest.mark.parametrize(
    "change",
    [
        lambda: (table(person(psn_name="新名")), {f"{ANNE}.jpg": b"1"}, ANYBODY, False),
        lambda: (table(person()), {f"{ANNE}.jpg": b"2"}, ANYBODY, False),
        lambda: (table(person()), {f"{ANNE}_2.jpg": b"1"}, ANYBODY, False),
        lambda: (table(person()), {f"{ANNE}.jpg": b"1"}, replace(ANYBODY, district_code=YUYAO), False),
        lambda: (table(person()), {f"{ANNE}.jpg": b"1"}, ANYBODY, True),
    ],
)
def test_an_order_is_told_by_all_it_is_made_of(
    change: Callable[[], tuple[bytes, dict[str, bytes], Enroller, bool]],
) -> None:
    rows, files, enroller, dry_run = change()
    one = given(table(person()), {f"x/{ANNE}.jpg": b"1"})
    same = given(table(person()), {f"{ANNE}.jpg": b"1"})
    assert one.digest("pack", ANYBODY, False) == same.digest("pack", Enroller(Actor("user", new_id()), None), False)
    assert one.digest("pack", ANYBODY, False) != one.digest("another", ANYBODY, False)
    assert one.digest("pack", ANYBODY, False) != given(rows, files).digest("pack", enroller, dry_run)


def test_rows_and_photos_are_counted_where_nobody_asked_for_them(sqlite_server: Server) -> None:
    enrol(sqlite_server, table(person()), {f"{BO}.jpg": TINY, "readme.txt": TINY})
    with sqlite_server.database.transaction(writes=False) as session:
        assert session.scalars(select(BulkEnrolment.photos_unused)).one() == 1
        assert session.scalars(select(BulkRow.row)).all() == [2]
        assert session.scalars(select(EnrolmentPhoto)).all() == []
