"""Files in every form that an agency may send."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import openpyxl
import pytest

from renzheng.errors import BadInput
from server.settlements.kinds import FIELDS, WARNING_WORDS, ImportKind, ImportWarning, names_of
from server.settlements.reading import ParsedRow, RefusedRow, open_rows
from tests.server.settlements.files import csv_of, item, reversal, settlement, stay

KIND = ImportKind.SETTLEMENTS


def read(data: bytes, kind: ImportKind = KIND) -> list[ParsedRow | RefusedRow]:
    return list(open_rows(io.BytesIO(data), kind).rows)


def values(data: bytes, kind: ImportKind = KIND) -> list[dict[str, Any]]:
    rows = read(data, kind)
    assert [row.problems for row in rows if isinstance(row, RefusedRow)] == []
    return [row.values for row in rows if isinstance(row, ParsedRow)]


def workbook(*rows: list[object]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(stream)
    return stream.getvalue()


EXPECTED = values(csv_of(settlement()))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_form_of_csv_says_the_same(encoding: str, delimiter: str) -> None:
    chinese = {field.name: field.names[0] for field in FIELDS[KIND] if field.names}
    renamed = {chinese.get(name, name): value for name, value in settlement().items()}
    for rows in (settlement(), renamed, {name.upper(): value for name, value in settlement().items()}):
        assert values(csv_of(rows, encoding=encoding, delimiter=delimiter)) == EXPECTED


def test_a_workbook_and_json_say_the_same_as_csv() -> None:
    row = settlement()
    assert values(workbook(list(row), list(row.values()))) == EXPECTED
    assert values(json.dumps([row]).encode()) == EXPECTED
    assert values(json.dumps(row).encode()) == EXPECTED
    numbers = json.dumps(row).replace('"30.00"', "30.00").replace('"330200000000000001"', "330200000000000001")
    assert values(numbers.encode()) == EXPECTED
    assert values(json.dumps({"结算ID": "S1"} | {k: v for k, v in row.items() if k != "setl_id"}).encode()) == EXPECTED


@pytest.mark.parametrize(
    ("kind", "row"),
    [(KIND, settlement()), (ImportKind.REVERSALS, reversal()), (ImportKind.STAYS, stay()), (ImportKind.ITEMS, item())],
)
def test_every_kind_is_read_under_either_name(kind: ImportKind, row: dict[str, str]) -> None:
    names = {field.name: field.names[-1] if field.names else field.name for field in FIELDS[kind]}
    renamed = {names[name]: value for name, value in row.items()}
    (plain,), (chinese,) = values(csv_of(row), kind), values(csv_of(renamed), kind)
    assert plain == chinese
    assert list(plain) == [field.name for field in FIELDS[kind]]


def test_no_name_means_two_columns() -> None:
    for kind, fields in FIELDS.items():
        assert len(names_of(kind)) == sum(1 + len(field.names) for field in fields)


def test_every_warning_has_its_words() -> None:
    assert set(WARNING_WORDS) == set(ImportWarning)


def test_missing_columns_are_all_named_and_no_cell_is_shown() -> None:
    with pytest.raises(BadInput) as told:
        read("setl_id,张三丰\nS1,x\n".encode())
    assert str(told.value) == (
        "the head lacks columns psn_no (人员编号), fixmedins_code (定点医药机构编号), setl_time (结算时间), "
        "medfee_sumamt (医疗费总额) of kind settlements"
    )


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="more than one column setl_id"):
        read(csv_of(settlement() | {"结算ID": "S2"}))


def test_columns_that_are_not_read_are_counted() -> None:
    opened = open_rows(io.BytesIO(csv_of(settlement(psn_name="张三丰", termina_id="T1"))), KIND)
    assert opened.notes == {"ignored_columns": 2}


def refused(data: bytes) -> list[tuple[int, str]]:
    return [(one.line, one.field) for row in read(data) if isinstance(row, RefusedRow) for one in row.problems]


def test_rows_of_another_width_are_read_as_far_as_they_go() -> None:
    head = ",".join(settlement())
    short = "S1,P1,X1,,2026-05-01 09:00:00,,,,,30.00"
    assert values(f"{head}\n{short}\n".encode())[0]["medfee_sumamt"] == 3000
    assert values(f"{head}\n{short},,,,,,,,\n".encode())[0]["medfee_sumamt"] == 3000
    assert refused(f"{head}\n{short},,,,,,,,7\n".encode()) == [(2, "row")]


def test_what_cannot_be_read_is_told_with_its_line() -> None:
    good = ",".join(settlement().values())
    head = ",".join(settlement())
    assert refused(f'{head}\n"{good}\n{good}\n'.encode()) == [(2, "row")]
    assert refused(f"{head}\n{good}\n".encode() + b"\xff\xff" + f"{good}\n{good}\n".encode()) == [(3, "setl_id")]


def test_formulas_are_refused_in_any_kind_of_file() -> None:
    row = settlement(setl_id="=1+1", medfee_sumamt="=2+2")
    expected = [(2, "setl_id"), (2, "medfee_sumamt")]
    assert refused(csv_of(row)) == expected
    assert refused(workbook(list(row), list(row.values()))) == expected


def test_numbers_that_a_spreadsheet_rounded_are_refused() -> None:
    row: dict[str, object] = dict(settlement()) | {"psn_no": 330200000000000001}
    assert refused(workbook(list(row), list(row.values()))) == [(2, "psn_no")]
    assert refused(csv_of(settlement(psn_no="3.302E+17"))) == [(2, "psn_no")]


@pytest.mark.parametrize("value", [True, {"a": "b"}, ["a"]])
def test_a_json_value_that_is_no_text_is_refused(value: Any) -> None:
    assert refused(json.dumps([settlement() | {"psn_no": value}]).encode()) == [(1, "psn_no")]


def test_a_json_field_that_stands_under_two_names_is_refused() -> None:
    assert refused(json.dumps([settlement() | {"结算ID": "S2"}]).encode()) == [(1, "setl_id")]


def test_memory_does_not_grow_with_the_file() -> None:
    head, row = (",".join(part) for part in (settlement(), settlement().values()))
    data = (head + "\n" + (row + "\n") * 20_000).encode()
    opened = open_rows(io.BytesIO(data), KIND)
    tracemalloc.start()
    try:
        assert sum(1 for _ in opened.rows) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000
