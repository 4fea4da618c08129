"""Orders over HTTP."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from server.enrolment import runner
from server.permissions import Role
from server.tables import BulkEnrolment, InsuredPerson
from tests.server.conftest import HANGZHOU, House
from tests.server.enrolment.orders import ANNE, BO, person, table, zipped

DEADLINE_S = 30.0
PATH = "/v1/bulk-enrolments"


def send(client: TestClient, rows: bytes, files: dict[str, bytes], **fields: str) -> Any:
    return client.post(PATH, files={"table": ("t.csv", rows), "photos": ("p.zip", zipped(files))}, data=fields)


def finished(client: TestClient, order_id: str) -> dict[str, Any]:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        order: dict[str, Any] = client.get(f"{PATH}/{order_id}").json()
        if order["state"] == "done":
            return order
        time.sleep(0.02)
    raise AssertionError("the order does not come to an end")


def people_count(house: House) -> int:
    with house.server.database.transaction(writes=False) as session:
        return session.scalar(select(func.count()).select_from(InsuredPerson)) or 0


def test_an_order_is_taken_and_done_and_reported(house: House, portraits: list[bytes]) -> None:
    enroller = house.user(Role.ENROLLER)

    taken = send(enroller, table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0], "x.jpg": b"-"})

    assert taken.status_code == 202
    order = finished(enroller, taken.json()["id"])
    assert (order["rows"], order["outcomes"], order["photos_unused"]) == (2, {"enrolled": 1, "refused": 1}, 1)
    assert order["finished_at"] is not None
    page = enroller.get(f"{PATH}/{order['id']}/rows", params={"outcome": "refused"}).json()
    assert [(row["row"], [one["code"] for one in row["problems"]]) for row in page["rows"]] == [(3, ["photo_missing"])]
    listed = enroller.get(PATH).json()
    assert [one["id"] for one in listed] == [order["id"]]


def test_rows_come_in_pages_and_as_csv(sqlite_house: House, portraits: list[bytes]) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    rows = table(person(), person(BO, psn_name="=1", gend="男"))
    order_id = finished(enroller, send(enroller, rows, {f"{ANNE}.jpg": portraits[0]}).json()["id"])["id"]

    first = enroller.get(f"{PATH}/{order_id}/rows", params={"limit": 1}).json()
    second = enroller.get(f"{PATH}/{order_id}/rows", params={"limit": 1, "after": first["next_after"]}).json()
    assert [row["row"] for row in first["rows"] + second["rows"]] == [2, 3]
    assert enroller.get(f"{PATH}/{order_id}/rows").json()["next_after"] is None

    answer = enroller.get(f"{PATH}/{order_id}/rows.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(line["row"], line["outcome"], line["field"], line["code"]) for line in lines] == [
        ("2", "enrolled", "", ""), ("3", "refused", "psn_name", "formula"), ("3", "refused", "gend", "unexpected")
    ]  # fmt: skip
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values())
    refused = enroller.get(f"{PATH}/{order_id}/rows.csv", params={"outcome": "refused"}).text
    assert "enrolled" not in refused


def test_a_dry_run_enrols_nobody(sqlite_house: House, portraits: list[bytes]) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    order = send(enroller, table(person()), {f"{ANNE}.jpg": portraits[0]}, dry_run="true").json()
    assert finished(enroller, order["id"])["outcomes"] == {"enrolled": 1}
    assert people_count(sqlite_house) == 0


def test_a_colleague_goes_on_with_an_order_and_sees_it(sqlite_house: House, portraits: list[bytes]) -> None:
    owner, colleague = sqlite_house.user(Role.ENROLLER), sqlite_house.user(Role.ENROLLER)
    files = (table(person()), {f"{ANNE}.jpg": portraits[0]})
    order_id = finished(owner, send(owner, *files).json()["id"])["id"]

    assert send(colleague, *files).json()["id"] == order_id
    assert finished(colleague, order_id)["outcomes"] == {"enrolled": 1}
    assert colleague.get(f"{PATH}/{order_id}/rows").status_code == 200


def test_who_may_not_enrol_neither_sends_nor_sees(sqlite_house: House) -> None:
    for role in (Role.REVIEWER, Role.ADMIN, Role.AUDITOR, Role.INSPECTOR):
        client = sqlite_house.user(role)
        assert send(client, table(person()), {}).status_code == 403
        assert client.get(PATH).status_code == 403
    anybody = sqlite_house.anybody()
    assert send(anybody, table(person()), {}).status_code == 401
    no_token = sqlite_house.user(Role.ENROLLER)
    del no_token.headers["X-CSRF-Token"]
    assert send(no_token, table(person()), {}).status_code == 403
    with sqlite_house.server.database.transaction(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(BulkEnrolment)) == 0


def test_an_enroller_of_another_district_finds_no_order_and_enrols_nobody_here(
    sqlite_house: House, portraits: list[bytes]
) -> None:
    owner, outsider = sqlite_house.user(Role.ENROLLER), sqlite_house.user(Role.ENROLLER, HANGZHOU)
    files = (table(person(), person(BO)), {f"{ANNE}.jpg": portraits[0]})
    order_id = finished(owner, send(owner, *files).json()["id"])["id"]

    for path in (f"/{order_id}", f"/{order_id}/rows", f"/{order_id}/rows.csv"):
        assert outsider.get(PATH + path).status_code == 404
    assert outsider.get(PATH).json() == []
    theirs = send(outsider, *files).json()
    assert theirs["id"] != order_id
    assert finished(outsider, theirs["id"])["outcomes"] == {"refused": 2}


@pytest.mark.parametrize(
    ("files", "fields", "field", "words"),
    [
        ({}, {}, "table", "expected a file"),
        ({"table": table(person())}, {}, "photos", "expected a file"),
        ({"table": b"", "photos": zipped({})}, {}, None, "the file is empty"),
        ({"table": "王某,1\n".encode(), "photos": zipped({})}, {}, None, "missing columns"),
        ({"table": table(person()), "photos": b"no zip"}, {}, None, "photos: not a readable zip"),
        ({"table": table(person()), "photos": zipped({"../1.jpg": b"-"})}, {}, None, "leads outside"),
        ({"table": table(person()), "photos": zipped({})}, {"dry_run": "perhaps"}, "dry_run", "expected true or false"),
        ({"table": table(person()), "photos": zipped({}), "more": b"-"}, {}, "body", "multipart/form-data"),
    ],
)
def test_a_form_that_will_not_do_is_told(
    sqlite_house: House, files: dict[str, bytes], fields: dict[str, str], field: str | None, words: str
) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)

    answer = enroller.post(PATH, files={name: (name, data) for name, data in files.items()}, data=fields)

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert [one["field"] for one in answer.json()["errors"]] == ([field] if field else [])
    assert "王某" not in answer.text


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_body_that_is_no_form_is_told(sqlite_house: House, content_type: str) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    answer = enroller.post(PATH, content=b'{"table": 1}', headers={"Content-Type": content_type})
    assert answer.status_code == 422


def test_when_the_line_is_full_an_order_is_to_come_again(sqlite_house: House, portraits: list[bytes]) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    line = runner.runner_of(sqlite_house.app)
    for _ in range(runner.ORDERS_MAX):
        line.take_place()

    answer = send(enroller, table(person()), {f"{ANNE}.jpg": portraits[0]})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    with sqlite_house.server.database.transaction(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(BulkEnrolment)) == 0

    line.leave()
    assert send(enroller, table(person()), {f"{ANNE}.jpg": portraits[0]}).status_code == 202


@pytest.mark.parametrize(
    "path", ["/nothing", "/" + "0" * 31, "/" + "0" * 32 + "/rows?after=-1", "/" + "0" * 32 + "/rows?outcome=x"]
)
def test_addresses_that_name_nothing_possible_are_wrong_fields(sqlite_house: House, path: str) -> None:
    assert sqlite_house.user(Role.ENROLLER).get(PATH + path).status_code == 422
