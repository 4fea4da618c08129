"""Settlements: added, repeated, corrected, rejected."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from renzheng.errors import BadInput
from renzheng.ids import new_id
from server.audit_log.service import Actor
from server.context import Server
from server.database import Database
from server.errors import Unavailable
from server.settlements import imports, tally
from server.settlements.imports import Importer
from server.settlements.kinds import ImportKind
from server.tables import (
    AuditEntry,
    Check,
    CheckToJoin,
    Device,
    Pairing,
    PairingMethod,
    Settlement,
    SettlementImport,
    UnjoinedReason,
)
from tests.server.conftest import CIXI, KEYS, NINGBO, OUTSIDE, PHARMACY, YUYAO
from tests.server.settlements.files import counts, csv_of, everything, problems, settlement, take

KIND = ImportKind.SETTLEMENTS


def by(district_code: str | None) -> Importer:
    return Importer(Actor("user", new_id()), district_code)


def test_a_settlement_is_kept_under_the_platforms_names(server: Server) -> None:
    told = take(server, KIND, settlement())
    assert counts(told) == (1, 0, 0, 0)
    (kept,) = everything(server, Settlement)
    assert (kept.setl_id, kept.psn_no, kept.terminal_id, kept.med_type) == ("S1", "330200000000000001", "T1", "41")
    assert (kept.institution_id, kept.district_code) == (PHARMACY, YUYAO)
    assert kept.setl_time == datetime(2026, 5, 1, 1, 0, tzinfo=UTC)
    assert (kept.medfee_sumamt, kept.fund_pay_sumamt, kept.acct_pay, kept.psn_cash_pay) == (3000, 1000, 1550, 450)
    assert (kept.acct_mulaid_pay, kept.invono, kept.unjoined_reason) == (0, None, UnjoinedReason.WAITING)
    assert told.warnings == {}
    assert told.finished_at is not None


def test_the_credential_is_sealed_and_found_by_its_index_alone(sqlite_server: Server) -> None:
    take(
        sqlite_server,
        KIND,
        [settlement(), settlement(setl_id="S2", mdtrt_cert_type="03", mdtrt_cert_no="", card_sn="C9")],
    )
    identity_card, social_card = everything(sqlite_server, Settlement)
    assert identity_card.credential_index == KEYS.blind_index("certno", "11010519491231002X")
    assert social_card.credential_index == KEYS.blind_index("credential", "C9")
    opened = KEYS.open_text(identity_card.credential_sealed, "settlements.credential_sealed:S1")
    assert json.loads(opened) == {"mdtrt_cert_no": "11010519491231002X", "card_sn": "A1B2"}
    with sqlite_server.database.transaction(writes=False) as session:
        shown = repr(session.execute(select(*Settlement.__table__.c)).all())
    assert "11010519491231002X" not in shown
    assert "A1B2" not in shown


def test_a_file_that_comes_again_changes_nothing(server: Server) -> None:
    rows = [settlement(setl_id=f"S{number}") for number in range(25)]
    assert counts(take(server, KIND, rows, batch=10)) == (25, 0, 0, 0)
    before = [(kept.id, kept.credential_sealed, kept.import_id) for kept in everything(server, Settlement)]
    assert counts(take(server, KIND, rows, batch=10)) == (0, 0, 25, 0)
    assert [(kept.id, kept.credential_sealed, kept.import_id) for kept in everything(server, Settlement)] == before


def test_the_same_amount_written_otherwise_is_no_correction(sqlite_server: Server) -> None:
    take(sqlite_server, KIND, settlement())
    again = settlement(medfee_sumamt="30", setl_time="2026/5/1 9:00:00", invono="-")
    assert counts(take(sqlite_server, KIND, again)) == (0, 0, 1, 0)


def pair(server: Server) -> None:
    """Join the settlement with a check."""
    with server.database.transaction() as session:
        _add_check(session)
        join_again(session)


def join_again(session: Session) -> None:
    """Join the settlement with its check."""
    one = session.scalars(select(Settlement)).one()
    check_id = session.scalars(select(Check.id)).one()
    pairing = Pairing(
        settlement_id=one.id, check_id=check_id, method=PairingMethod.SETL_ID, confidence=1.0,
        time_difference_s=0.0, made_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(pairing)
    one.unjoined_reason = None


def _add_check(session: Session) -> None:
    now = datetime.now(UTC)
    session.add(Device(id="box", institution_id=PHARMACY, label="", created_at=now))
    session.flush()
    check = Check(
        device_id="box", delivery_id="d", body_sha256="", kind="swipe", setl_id="S1", institution_id=PHARMACY,
        district_code=YUYAO, happened_at=now, clock_offset_s=0.0, verdict="match", reasons=[], body={},
        clip_due=False, finished_at=now, received_at=now,
    )  # fmt: skip
    session.add(check)
    session.flush()


def test_a_correction_of_what_it_is_joined_by_has_the_join_look_again(server: Server) -> None:
    row = settlement()
    take(server, KIND, row)
    pair(server)
    changes = {"setl_time": "2026-05-01 10:00:00", "psn_no": "P2", "terminal_id": "T2", "fixmedins_code": OUTSIDE}
    for name, value in changes.items():
        with server.database.transaction() as session:
            session.execute(delete(CheckToJoin))
            if session.scalar(select(Pairing)) is None:
                join_again(session)
        row = row | {name: value}
        assert counts(take(server, KIND, row)) == (0, 1, 0, 0)
        (kept,) = everything(server, Settlement)
        assert kept.unjoined_reason is UnjoinedReason.WAITING
        with server.database.transaction(writes=False) as session:
            assert session.scalars(select(Pairing)).all() == [], name
            assert len(session.scalars(select(CheckToJoin)).all()) == 1, name


def test_a_correction_of_amounts_leaves_it_joined(sqlite_server: Server) -> None:
    take(sqlite_server, KIND, settlement())
    pair(sqlite_server)
    assert counts(take(sqlite_server, KIND, settlement(medfee_sumamt="31.00", psn_cash_pay="5.50"))) == (0, 1, 0, 0)
    (kept,) = everything(sqlite_server, Settlement)
    assert (kept.medfee_sumamt, kept.unjoined_reason) == (3100, None)
    with sqlite_server.database.transaction(writes=False) as session:
        assert len(session.scalars(select(Pairing)).all()) == 1


def test_a_row_that_stands_twice_is_taken_once_and_one_that_contradicts_is_rejected(sqlite_server: Server) -> None:
    rows = [settlement(), settlement(setl_id="S2"), settlement(), settlement(psn_no="P2")]
    for batch in (1, 10):
        told = take(sqlite_server, KIND, rows, batch=batch)
        assert told.warnings == {"repeated_row": 1}
        assert problems(sqlite_server, told) == [(5, "setl_id", "expected it once; line 2 says otherwise")]
    assert everything(sqlite_server, Settlement)[0].psn_no == "330200000000000001"


def test_wrong_fields_are_told_by_line_and_name_and_never_shown(sqlite_server: Server) -> None:
    rows = [
        settlement(),
        settlement(setl_id="S2", medfee_sumamt="-1.00", setl_time="yesterday"),
        settlement(setl_id="", psn_no="=1+1"),
        settlement(setl_id="S4", psn_no="张三丰" * 30, mdtrt_cert_no="1.1E+17"),
    ]
    told = take(sqlite_server, KIND, rows)
    assert counts(told) == (1, 0, 0, 3)
    found = problems(sqlite_server, told)
    assert [(row, field) for row, field, _ in found] == [
        (3, "setl_time"),
        (3, "medfee_sumamt"),
        (4, "setl_id"),
        (4, "psn_no"),
        (5, "psn_no"),
        (5, "mdtrt_cert_no"),
    ]
    assert "reversals are imported as such" in found[1][2]
    told_of = " ".join(why for _, _, why in found)
    assert "张三丰" not in told_of
    assert "yesterday" not in told_of


def test_problems_are_kept_up_to_a_number_and_counted_to_the_last(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "PROBLEMS_KEPT", 5)
    rows = [settlement(setl_id=f"S{number}", psn_no="") for number in range(12)]
    told = take(sqlite_server, KIND, rows, batch=4)
    assert counts(told) == (0, 0, 0, 12)
    assert [row for row, _, _ in problems(sqlite_server, told)] == [2, 3, 4, 5, 6]


def test_what_is_odd_is_taken_and_counted(sqlite_server: Server) -> None:
    told = take(
        sqlite_server,
        KIND,
        [
            settlement(fixmedins_code="P33028299999"),
            settlement(setl_id="S2", fixmedins_code="余姚新店"),
            settlement(setl_id="S3", medfee_sumamt="99.00"),
            settlement(setl_id="S4", acct_mulaid_pay="5.00", medfee_sumamt="35.00"),
        ],
    )
    assert counts(told) == (4, 0, 0, 0)
    assert told.warnings == {"unknown_institution": 2, "odd_institution_code": 1, "amounts_do_not_add_up": 1}
    kept = everything(sqlite_server, Settlement)
    assert [(one.institution_id, one.district_code) for one in kept[:2]] == [(None, CIXI), (None, None)]


def test_a_file_of_totals_alone_is_not_said_to_be_wrong(sqlite_server: Server) -> None:
    row = {name: value for name, value in settlement().items() if "_pay" not in name}
    assert take(sqlite_server, KIND, row).warnings == {}


def test_importers_of_a_district_write_to_its_institutions_alone(sqlite_server: Server) -> None:
    rows = [
        settlement(),
        settlement(setl_id="S2", fixmedins_code=OUTSIDE),
        settlement(setl_id="S3", fixmedins_code="P33028199999"),
        settlement(setl_id="S4", fixmedins_code="余姚新店"),
    ]
    told = take(sqlite_server, KIND, rows, by(NINGBO))
    assert counts(told) == (2, 0, 0, 2)
    assert told.district_code == NINGBO
    assert [(row, field) for row, field, _ in problems(sqlite_server, told)] == [
        (3, "fixmedins_code"),
        (5, "fixmedins_code"),
    ]


def test_nobody_corrects_a_settlement_of_another_district(sqlite_server: Server) -> None:
    take(sqlite_server, KIND, settlement(fixmedins_code=OUTSIDE))
    told = take(sqlite_server, KIND, settlement(), by(YUYAO))
    assert counts(told) == (0, 0, 0, 1)
    assert problems(sqlite_server, told) == [
        (2, "setl_id", "expected a number that no institution outside your district has")
    ]
    assert everything(sqlite_server, Settlement)[0].fixmedins_code == OUTSIDE


def test_the_log_says_who_imported_what(sqlite_server: Server) -> None:
    importer = by(YUYAO)
    told = take(sqlite_server, KIND, settlement(), importer)
    with sqlite_server.database.transaction(writes=False) as session:
        begun, ended = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    assert (begun.action, begun.actor_id, begun.object_id) == ("import_begun", importer.actor.id, told.id)
    assert (ended.action, ended.detail["added"]) == ("import_ended", 1)


def test_a_file_that_breaks_off_keeps_what_came_before_and_says_so(sqlite_server: Server) -> None:
    whole = json.dumps([settlement(setl_id=f"S{number}") for number in range(5)]).encode()
    with pytest.raises(BadInput, match="object 5 of the array: expected complete JSON; 4 rows before that were taken"):
        take(sqlite_server, KIND, whole[:-20], batch=2)
    (told,) = everything(sqlite_server, SettlementImport)
    assert told.stopped_by == "object 5 of the array: expected complete JSON"
    assert len(everything(sqlite_server, Settlement)) == 4
    assert counts(take(sqlite_server, KIND, whole)) == (1, 0, 4, 0)


def test_a_database_that_goes_away_leaves_whole_batches_and_the_file_can_come_again(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [settlement(setl_id=f"S{number}") for number in range(10)]
    write, calls = imports._write_batch, []

    def failing(*given: Any) -> None:
        write(*given)
        calls.append(given)
        if len(calls) == 2:
            raise Unavailable("the database does not answer now")

    monkeypatch.setattr(imports, "_write_batch", failing)
    with pytest.raises(Unavailable, match="import the file again"):
        take(sqlite_server, KIND, rows, batch=4)
    (told,) = everything(sqlite_server, SettlementImport)
    assert (told.finished_at, told.added, len(everything(sqlite_server, Settlement))) == (None, 4, 4)
    monkeypatch.setattr(imports, "_write_batch", write)
    assert counts(take(sqlite_server, KIND, rows, batch=4)) == (6, 0, 4, 0)


def test_two_servers_that_import_the_same_file_at_once_add_each_row_once(server: Server) -> None:
    rows = [settlement(setl_id=f"S{number}") for number in range(60)]
    other = replace(server, database=Database(server.settings.url))
    try:
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda one: counts(take(one, KIND, rows, batch=7)), (server, other)))
    finally:
        other.close()
    assert sum(added for added, _, _, _ in told) == 60
    assert sum(unchanged for _, _, unchanged, _ in told) == 60
    assert len(everything(server, Settlement)) == 60


@pytest.mark.parametrize("given", ["C:\\data\\五月.csv", "/data/x/五月.csv", "五\n月.csv"])
def test_of_a_files_name_no_folder_is_kept(sqlite_server: Server, given: str) -> None:
    assert take(sqlite_server, KIND, csv_of(settlement()), name=given).file_name == "五月.csv"
