"""Routes of settlements: who imports, who sees what."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from server.permissions import Role
from server.settlements.kinds import ImportKind
from server.tables import AuditEntry, District, InsuredPerson, Settlement, SettlementImport
from tests.server.conftest import CIXI, HANGZHOU, NINGBO, OUTSIDE, PHARMACY, YUYAO, House
from tests.server.settlements.files import csv_of, everything, item, reversal, settlement, take

IMPORTS = "/v1/settlement-imports"


def send(client: TestClient, data: bytes, kind: str = "settlements", name: str = "五月.csv") -> Any:
    return client.post(IMPORTS, data={"kind": kind}, files={"file": (name, data)})


def test_an_admin_imports_and_sees_what_became_of_it(house: House) -> None:
    admin = house.user(Role.ADMIN)
    told = send(
        admin, csv_of(settlement(), settlement(setl_id="S2", psn_no=""), settlement(setl_id="S3", acct_pay="0"))
    )
    assert told.status_code == 201, told.text
    one = told.json()
    assert (one["rows"], one["added"], one["rejected"], one["file_name"]) == (3, 2, 1, "五月.csv")
    assert one["warnings"] == [
        {
            "code": "amounts_do_not_add_up",
            "count": 1,
            "en": "the parts do not make up the total",
            "zh": "分项金额与总额不符",
        }
    ]
    assert one["started_by"] == admin.headers["X-Test-User"]
    assert admin.get(IMPORTS).json()["imports"] == [one]
    assert admin.get(f"{IMPORTS}/{one['id']}").json() == one
    rejected = admin.get(f"{IMPORTS}/{one['id']}/rejected-rows").json()["rows"]
    assert rejected == [{"number": 1, "row": 3, "field": "psn_no", "expected": "expected a value, found none"}]
    table = admin.get(f"{IMPORTS}/{one['id']}/rejected-rows.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(table.content.decode("utf-8-sig")))) == [
        ["row", "field", "expected"],
        ["3", "psn_no", "expected a value, found none"],
    ]


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.ADMIN, 201), (Role.REVIEWER, 403), (Role.ENROLLER, 403), (Role.AUDITOR, 403), (Role.INSPECTOR, 403)],
)
def test_only_admins_import(sqlite_house: House, role: Role, status: int) -> None:
    assert send(sqlite_house.user(role), csv_of(settlement())).status_code == status
    assert len(everything(sqlite_house.server, Settlement)) == (status == 201)


def test_a_file_of_another_district_leaves_nothing(sqlite_house: House) -> None:
    told = send(sqlite_house.user(Role.ADMIN, CIXI), csv_of(settlement()))
    assert (told.status_code, told.json()["rejected"]) == (201, 1)
    assert everything(sqlite_house.server, Settlement) == []


def test_imports_are_seen_from_the_district_they_were_made_in_and_above(sqlite_house: House) -> None:
    one = send(sqlite_house.user(Role.ADMIN), csv_of(settlement())).json()["id"]
    for role, district, seen in (
        (Role.REVIEWER, YUYAO, True),
        (Role.ADMIN, NINGBO, True),
        (Role.ADMIN, None, True),
        (Role.ADMIN, HANGZHOU, False),
    ):
        client = sqlite_house.user(role, district)
        assert [told["id"] for told in client.get(IMPORTS).json()["imports"]] == [one] * seen
        for path in ("", "/rejected-rows", "/rejected-rows.csv"):
            assert client.get(f"{IMPORTS}/{one}{path}").status_code == (200 if seen else 404)
    assert sqlite_house.user(Role.INSPECTOR).get(IMPORTS).status_code == 403


def test_imports_and_problems_are_paged(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN)
    rows = [settlement(setl_id=f"S{number}", psn_no="") for number in range(3)]
    made = [send(admin, csv_of(*rows)).json()["id"] for _ in range(3)][::-1]
    first = [told["id"] for told in admin.get(IMPORTS, params={"limit": 2}).json()["imports"]]
    assert first == made[:2]
    rest = admin.get(IMPORTS, params={"limit": 2, "after": first[-1]}).json()["imports"]
    assert [told["id"] for told in rest] == made[2:]
    problems = admin.get(f"{IMPORTS}/{made[0]}/rejected-rows", params={"after": 1, "limit": 1}).json()["rows"]
    assert [told["row"] for told in problems] == [3]


def bomb() -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.worksheets[0].append(list(settlement()))
    book.save(stream)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/more.bin", bytes(1 << 23))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "the head lacks columns"),
        (b"PK\x03\x04 no workbook", "not a readable .xlsx workbook"),
        (bomb(), "unpacks to over 200 times its size"),
        ("姓名,电话\n张三丰,1\n".encode(), "the head lacks columns"),
        (b"[{", "object 1 of the array: expected complete JSON; 0 rows before that were taken"),
    ],
)
def test_a_file_that_is_none_is_refused_and_told_why(sqlite_house: House, data: bytes, expected: str) -> None:
    told = send(sqlite_house.user(Role.ADMIN), data)
    assert told.status_code == 422
    assert expected in told.json()["detail"]
    assert "张三丰" not in told.text
    assert everything(sqlite_house.server, Settlement) == []


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"data": {"kind": "money"}, "files": {"file": ("a.csv", b"x")}}, "body.kind"),
        ({"files": {"file": ("a.csv", b"x")}}, "body.kind"),
        ({"data": {"kind": "items"}, "files": {"other": ("a.csv", b"x")}}, "body.file"),
        ({"data": {"kind": "items", "file": "text"}}, "body"),
        ({"data": {"kind": "items"}}, "body.file"),
        ({"json": {"kind": "items"}}, "body.kind"),
        ({"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "body.kind"),
        ({"content": b"zzz", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "body"),
        ({"content": b"zzz", "headers": {"Content-Type": "multipart/form-data"}}, "body"),
    ],
)
def test_a_form_that_lacks_something_is_refused_with_its_name(
    sqlite_house: House, sent: dict[str, Any], field: str
) -> None:
    told = sqlite_house.user(Role.ADMIN).post(IMPORTS, **sent)
    assert told.status_code == 422, told.text
    assert told.json()["errors"][0]["field"] == field
    assert everything(sqlite_house.server, SettlementImport) == []


def listed(client: TestClient, **asked: Any) -> list[str]:
    told = client.get("/v1/settlements", params=asked)
    assert told.status_code == 200, told.text
    return [one["setl_id"] for one in told.json()["settlements"]]


def test_settlements_are_listed_newest_first_by_person_place_and_time(house: House) -> None:
    take(
        house.server,
        ImportKind.SETTLEMENTS,
        [
            settlement(setl_time="2026-05-01 09:00:00"),
            settlement(setl_id="S2", setl_time="2026-05-01 12:00:00"),
            settlement(setl_id="S3", setl_time="2026-05-01 09:00:00", psn_no="P2"),
            settlement(setl_id="S4", setl_time="2026-04-01 09:00:00"),
            settlement(setl_id="S5", fixmedins_code=OUTSIDE),
        ],
    )
    reviewer = house.user(Role.REVIEWER)
    assert listed(reviewer) == ["S2", "S3", "S1", "S4"]
    assert listed(reviewer, institution_id=PHARMACY, since="2026-05-01T00:00:00Z") == ["S2", "S3", "S1"]
    assert listed(reviewer, until="2026-05-01 09:00:00") == ["S4"]
    assert listed(reviewer, setl_id="S3") == ["S3"]
    assert listed(reviewer, institution_id=OUTSIDE) == []
    assert listed(house.user(Role.REVIEWER, HANGZHOU)) == ["S5"]
    found: list[str] = []
    after: dict[str, int] = {}
    while page := reviewer.get("/v1/settlements", params={"limit": 1, **after}).json()["settlements"]:
        found += [one["setl_id"] for one in page]
        after = {"after": page[-1]["id"]}
    assert found == ["S2", "S3", "S1", "S4"]


def test_a_settlement_is_shown_in_yuan_with_its_lines_and_its_reversal(house: House) -> None:
    take(house.server, ImportKind.SETTLEMENTS, settlement())
    take(house.server, ImportKind.ITEMS, item())
    take(house.server, ImportKind.REVERSALS, [reversal(), reversal(setl_id="R0", fixmedins_code=OUTSIDE)])
    reviewer = house.user(Role.REVIEWER)
    (one,) = reviewer.get("/v1/settlements").json()["settlements"]
    assert (one["medfee_sumamt"], one["acct_mulaid_pay"], one["reversed_by"]) == ("30.00", "0.00", "R1")
    assert (one["setl_time"], one["check_id"], one["unjoined_reason"]) == ("2026-05-01T01:00:00Z", None, "waiting")
    detail = reviewer.get(f"/v1/settlements/{one['id']}").json()
    assert detail["settlement"] == one
    (line,) = detail["items"]
    assert (line["cnt"], line["pric"], line["det_item_fee_sumamt"]) == ("2.0000", "15.0000", "30.00")
    assert line["drug_trac_codg"] == ["8100001", "8100002"]
    assert "11010519491231002X" not in str(detail)


def test_who_may_not_see_settlements_sees_none(sqlite_house: House) -> None:
    take(sqlite_house.server, ImportKind.SETTLEMENTS, settlement())
    (one,) = everything(sqlite_house.server, Settlement)
    for role in (Role.ENROLLER, Role.INSPECTOR, Role.AUDITOR):
        client = sqlite_house.user(role)
        assert client.get("/v1/settlements").status_code == 403
        assert client.get(f"/v1/settlements/{one.id}").status_code == 403
    outside = sqlite_house.user(Role.REVIEWER, HANGZHOU)
    assert outside.get(f"/v1/settlements/{one.id}").status_code == 404
    assert sqlite_house.user(Role.REVIEWER).get("/v1/settlements/999").status_code == 404


def test_settlements_of_a_person_are_found_by_number_in_the_body_and_that_is_logged(sqlite_house: House) -> None:
    take(sqlite_house.server, ImportKind.SETTLEMENTS, [settlement(), settlement(setl_id="S2", psn_no="P2")])
    reviewer = sqlite_house.user(Role.REVIEWER)
    told = reviewer.post("/v1/settlements/search", json={"psn_no": "P2"})
    assert [one["setl_id"] for one in told.json()["settlements"]] == ["S2"]
    outside = sqlite_house.user(Role.REVIEWER, HANGZHOU).post("/v1/settlements/search", json={"psn_no": "P2"})
    assert outside.json() == {"settlements": []}
    assert sqlite_house.user(Role.INSPECTOR).post("/v1/settlements/search", json={"psn_no": "P2"}).status_code == 403
    with sqlite_house.server.database.transaction(writes=False) as session:
        deeds = session.scalars(select(AuditEntry).where(AuditEntry.action == "settlements_searched")).all()
    assert (deeds[0].actor_id, deeds[0].detail) == (reviewer.headers["X-Test-User"], {"found": 1})
    assert "P2" not in repr([deed.__dict__ for deed in deeds])


def test_settlements_of_an_enrolled_person_are_found_by_their_id(sqlite_house: House) -> None:
    take(sqlite_house.server, ImportKind.SETTLEMENTS, [settlement(), settlement(setl_id="S2", psn_no="P2")])
    now, person_id = datetime.now(UTC), "0" * 32
    with sqlite_house.server.database.transaction() as session:
        assert session.get(District, YUYAO)
        session.add(
            InsuredPerson(
                id=person_id, psn_no="P2", district_code=YUYAO, psn_name_sealed=b"", psn_name_index="",
                created_at=now, updated_at=now,
            )
        )  # fmt: skip
    assert listed(sqlite_house.user(Role.REVIEWER), person_id=person_id) == ["S2"]
    outside = sqlite_house.user(Role.REVIEWER, CIXI)
    assert outside.get("/v1/settlements", params={"person_id": person_id}).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [{"after": 0}, {"after": 2**63}, {"limit": 201}, {"since": "0001-01-01T00:00:00+14:00"}, {"person_id": "x"},
     {"until": "never"}, {"setl_id": ""}],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_its_name(sqlite_house: House, asked: dict[str, Any]) -> None:
    told = sqlite_house.user(Role.REVIEWER).get("/v1/settlements", params=asked)
    assert told.status_code == 422
    assert told.json()["errors"][0]["field"] == f"query.{next(iter(asked))}"
