"""What belongs to settlements: reversals, stays, line items with trace codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sqlalchemy import select

from renzheng.ids import new_id
from server.audit_log.service import Actor
from server.context import Server
from server.settlements.imports import Importer
from server.settlements.kinds import ImportKind
from server.tables import Institution, InstitutionType, LineItem, Reversal, Stay, TraceCode
from tests.server.conftest import HANGZHOU, OUTSIDE, WARD, YUYAO
from tests.server.settlements.files import counts, everything, item, problems, reversal, settlement, stay, take

YUYAOS, HANGZHOUS = (Importer(Actor("user", new_id()), code) for code in (YUYAO, HANGZHOU))


def test_a_reversal_waits_for_its_settlement(server: Server) -> None:
    told = take(server, ImportKind.REVERSALS, reversal())
    assert (counts(told), told.warnings) == ((1, 0, 0, 0), {"settlement_unknown": 1})
    take(server, ImportKind.SETTLEMENTS, settlement())
    told = take(server, ImportKind.REVERSALS, reversal(medfee_sumamt="30.00"))
    assert (counts(told), told.warnings) == ((0, 0, 1, 0), {})
    (kept,) = everything(server, Reversal)
    assert (kept.setl_id, kept.reversed_setl_id, kept.medfee_sumamt) == ("R1", "S1", 3000)


def test_a_reversal_of_somebody_elses_settlement_is_told(sqlite_server: Server) -> None:
    take(sqlite_server, ImportKind.SETTLEMENTS, settlement())
    told = take(
        sqlite_server, ImportKind.REVERSALS, [reversal(psn_no="P2"), reversal(setl_id="R2", fixmedins_code=WARD)]
    )
    assert told.warnings == {"settlement_of_others": 2}


def test_a_reversal_is_corrected_and_is_not_its_own(sqlite_server: Server) -> None:
    take(sqlite_server, ImportKind.REVERSALS, reversal())
    assert counts(take(sqlite_server, ImportKind.REVERSALS, reversal(medfee_sumamt="-10.00"))) == (0, 1, 0, 0)
    told = take(sqlite_server, ImportKind.REVERSALS, reversal(setl_id="S1"))
    assert [field for _, field, _ in problems(sqlite_server, told)] == ["init_setl_id"]


def test_reversals_of_another_district_are_not_written(sqlite_server: Server) -> None:
    take(sqlite_server, ImportKind.REVERSALS, reversal())
    told = take(sqlite_server, ImportKind.REVERSALS, [reversal(), reversal(fixmedins_code=OUTSIDE)], HANGZHOUS)
    assert counts(told) == (0, 0, 0, 2)
    assert everything(sqlite_server, Reversal)[0].fixmedins_code != OUTSIDE


def test_admission_and_discharge_are_one_stay_whichever_comes_first(server: Server) -> None:
    admitted = stay()
    discharged = stay(
        ipt_no="", begntime="", adm_bed="", endtime="2026-05-04 10:00:00", dscg_bed="5-1", dscg_way="1",
        die_date="2026-05-04",
    )  # fmt: skip
    for number, rows in enumerate(([admitted, discharged], [discharged, admitted])):
        for row in rows:
            take(server, ImportKind.STAYS, row | {"mdtrt_id": f"apart-{number}"})
        told = take(server, ImportKind.STAYS, [row | {"mdtrt_id": f"together-{number}"} for row in rows])
        assert counts(told) == (1, 1, 0, 0)
    for kept in everything(server, Stay):
        assert (kept.ipt_no, kept.adm_bed, kept.dscg_bed, kept.dscg_way) == ("I1", "3-12", "5-1", "1")
        assert kept.begntime == datetime(2026, 5, 1, 1, tzinfo=UTC)
        assert kept.endtime == datetime(2026, 5, 4, 2, tzinfo=UTC)
        assert kept.die_date == datetime(2026, 5, 3, 16, tzinfo=UTC)
        assert (kept.institution_id, kept.district_code) == (WARD, YUYAO)
    again = take(server, ImportKind.STAYS, admitted | {"mdtrt_id": "apart-0"})
    assert counts(again) == (0, 0, 1, 0)


def test_a_stay_has_a_time_and_ends_after_it_begins(sqlite_server: Server) -> None:
    rows = [
        stay(begntime=""),
        stay(mdtrt_id="M2", endtime="2026-05-01 08:00:00"),
        stay(mdtrt_id="M3"),
        stay(mdtrt_id="M3", begntime="", endtime="2026-04-30 08:00:00"),
    ]
    told = take(sqlite_server, ImportKind.STAYS, rows)
    assert counts(told) == (1, 0, 0, 3)
    assert [(row, field) for row, field, _ in problems(sqlite_server, told)] == [
        (2, "begntime"),
        (3, "endtime"),
        (5, "endtime"),
    ]
    assert everything(sqlite_server, Stay)[0].endtime is None


def test_stays_of_another_district_are_not_written(sqlite_server: Server) -> None:
    told = take(sqlite_server, ImportKind.STAYS, stay(), HANGZHOUS)
    assert (counts(told), everything(sqlite_server, Stay)) == ((0, 0, 0, 1), [])


def test_a_stay_finds_its_institution_once_that_is_known(sqlite_server: Server) -> None:
    take(sqlite_server, ImportKind.STAYS, stay(fixmedins_code="H33028199999"))
    with sqlite_server.database.transaction() as session:
        session.add(
            Institution(
                id="new", fixmedins_code="H33028199999", fixmedins_name="新医院", hours={}, district_code=YUYAO,
                fixmedins_type=InstitutionType.HOSPITAL, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
    take(sqlite_server, ImportKind.STAYS, stay())
    assert everything(sqlite_server, Stay)[0].institution_id == "new"


def codes(server: Server) -> list[tuple[str, str]]:
    """Line and code of every trace code."""
    with server.database.transaction(writes=False) as session:
        asked = select(LineItem.feedetl_sn, TraceCode.drug_trac_codg).join(TraceCode, TraceCode.item_id == LineItem.id)
        return sorted((line, code) for line, code in session.execute(asked))


def test_lines_are_kept_with_their_codes_and_corrected_with_them(server: Server) -> None:
    take(server, ImportKind.SETTLEMENTS, settlement())
    rows = [item(), item(feedetl_sn="2", drug_trac_codg="")]
    told = take(server, ImportKind.ITEMS, rows)
    assert (counts(told), told.warnings) == ((2, 0, 0, 0), {})
    assert codes(server) == [("1", "8100001"), ("1", "8100002")]
    corrected = item(drug_trac_codg="8100002 8100003", cnt="2.0")
    assert counts(take(server, ImportKind.ITEMS, [corrected, rows[1]])) == (0, 1, 1, 0)
    assert codes(server) == [("1", "8100002"), ("1", "8100003")]
    kept = everything(server, LineItem)[0]
    assert (kept.cnt, kept.pric, kept.det_item_fee_sumamt) == (20000, 150000, 3000)


def test_lines_that_come_before_their_settlement_are_kept_by_who_sees_all_alone(sqlite_server: Server) -> None:
    told = take(sqlite_server, ImportKind.ITEMS, item(), YUYAOS)
    assert problems(sqlite_server, told) == [
        (2, "setl_id", "expected a settlement of your district that was imported before")
    ]
    told = take(sqlite_server, ImportKind.ITEMS, item())
    assert (counts(told), told.warnings) == ((1, 0, 0, 0), {"settlement_unknown": 1})
    take(sqlite_server, ImportKind.SETTLEMENTS, settlement())
    assert counts(take(sqlite_server, ImportKind.ITEMS, item(), YUYAOS)) == (0, 0, 1, 0)
    assert counts(take(sqlite_server, ImportKind.ITEMS, item(), HANGZHOUS)) == (0, 0, 0, 1)


def test_a_line_whose_price_does_not_make_its_sum_is_told(sqlite_server: Server) -> None:
    told = take(sqlite_server, ImportKind.ITEMS, item(det_item_fee_sumamt="31.00"))
    assert told.warnings == {"settlement_unknown": 1, "amounts_do_not_add_up": 1}


def test_purchases_as_the_platform_sends_them_are_as_many_lines(sqlite_server: Server) -> None:
    line = {"cnt": 1, "pric": 30, "det_item_fee_sumamt": 30.00}
    purchase = {
        "setl_id": "S1",
        "drugdetail": [
            line | {"drugtracinfo": [{"drug_trac_codg": "81"}, {"drug_trac_codg": "82"}]},
            line | {"drug_trac_codg": ["83"]},
            line | {"cnt": -1},
            line | {"drug_trac_codg": [84]},
            line | {"drug_trac_codg": [["85"]]},
            "no line",
        ],
    }
    told = take(sqlite_server, ImportKind.ITEMS, json.dumps([purchase]).encode())
    assert codes(sqlite_server) == [("1", "81"), ("1", "82"), ("2", "83"), ("4", "84")]
    assert counts(told) == (3, 0, 0, 3)
    assert {(row, field) for row, field, _ in problems(sqlite_server, told)} == {
        (1, "cnt"),
        (1, "drug_trac_codg"),
        (1, "pric"),
        (1, "det_item_fee_sumamt"),
    }
