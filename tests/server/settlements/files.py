"""Small files of the platform, and what an import of them says."""

from __future__ import annotations

import csv
import io
from typing import Any

from sqlalchemy import select

from server.context import Server
from server.settlements.imports import BATCH, COMMAND_LINE, Importer, import_file
from server.settlements.kinds import ImportKind
from server.tables import RejectedRow, SettlementImport
from tests.server.conftest import PHARMACY, WARD

Row = dict[str, str]


def settlement(**changed: str) -> Row:
    """A settlement of the pharmacy in Yuyao."""
    row = {
        "setl_id": "S1",
        "psn_no": "330200000000000001",
        "fixmedins_code": PHARMACY,
        "terminal_id": "T1",
        "setl_time": "2026-05-01 09:00:00",
        "med_type": "41",
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": "11010519491231002X",
        "card_sn": "A1B2",
        "medfee_sumamt": "30.00",
        "fund_pay_sumamt": "10.00",
        "acct_pay": "15.50",
        "psn_cash_pay": "4.50",
    }
    return row | changed


def reversal(**changed: str) -> Row:
    """A reversal of that settlement."""
    row = {
        "setl_id": "R1",
        "init_setl_id": "S1",
        "psn_no": "330200000000000001",
        "fixmedins_code": PHARMACY,
        "setl_time": "2026-05-01 09:10:00",
        "medfee_sumamt": "-30.00",
    }
    return row | changed


def stay(**changed: str) -> Row:
    """An admission to the hospital in Yuyao."""
    row = {
        "mdtrt_id": "M1",
        "ipt_no": "I1",
        "psn_no": "330200000000000001",
        "fixmedins_code": WARD,
        "begntime": "2026-05-01 09:00:00",
        "endtime": "",
        "adm_bed": "3-12",
        "dscg_bed": "",
        "dscg_way": "",
        "die_date": "",
    }
    return row | changed


def item(**changed: str) -> Row:
    """A line of that settlement."""
    row = {
        "setl_id": "S1",
        "feedetl_sn": "1",
        "med_list_codg": "XA01",
        "cnt": "2",
        "pric": "15.0000",
        "det_item_fee_sumamt": "30.00",
        "drug_trac_codg": "8100001;8100002",
    }
    return row | changed


def csv_of(*rows: Row, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    """The rows as CSV with the columns of all of them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list({name: None for row in rows for name in row}), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def take(
    server: Server,
    kind: ImportKind,
    data: bytes | Row | list[Row],
    importer: Importer = COMMAND_LINE,
    *,
    batch: int = BATCH,
    name: str = "file.csv",
) -> SettlementImport:
    """Import bytes, a row or rows."""
    if isinstance(data, dict):
        data = [data]
    if isinstance(data, list):
        data = csv_of(*data)
    return import_file(server, kind, name, io.BytesIO(data), importer, batch=batch)


def counts(told: SettlementImport) -> tuple[int, int, int, int]:
    """Added, changed, unchanged, rejected."""
    assert told.rows == told.added + told.changed + told.unchanged + told.rejected
    return told.added, told.changed, told.unchanged, told.rejected


def problems(server: Server, told: SettlementImport) -> list[tuple[int, str, str]]:
    """Row, field and what was expected, of everything that was rejected."""
    with server.database.transaction(writes=False) as session:
        rows = session.scalars(select(RejectedRow).filter_by(import_id=told.id).order_by(RejectedRow.number)).all()
    return [(row.row, row.field, row.why) for row in rows]


def everything(server: Server, of: Any) -> list[Any]:
    """All rows of a table, in the order they were added."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(of).order_by(of.id)))
