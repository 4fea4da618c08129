"""Every route by role and district, from lists that the application makes: no new route can be forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from server.access import CSRF_HEADER, Needs, box_of
from server.context import READING
from server.openapi import askers_of, routes_of
from server.permissions import PERMISSIONS, Permission, Role
from tests.server.boxes import BOX_ROWS
from tests.server.conftest import CIXI, HANGZHOU, NINGBO, OUTSIDE, PHARMACY, YUYAO
from tests.server.matrix import OPEN, OWN, ROWS, Asked, Place, place_over
from tests.server.things import MAKERS, named_in

OPEN_TO_READ = {"GET /healthz", "GET /readyz", "GET /metrics"}
WHY = {"purpose": "核对", "day": "2026-05-01"}
LONG = {"limit": "200"}
SEEN_FROM, NOT_SEEN_FROM = (YUYAO, NINGBO, None), (CIXI, HANGZHOU)


@pytest.fixture(scope="module")
def place(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server for all rows: each makes what it needs."""
    folder = tmp_path_factory.mktemp("matrix")
    shutil.copy(sqlite_template, folder / "renzheng.sqlite")
    with place_over(f"sqlite:///{folder / 'renzheng.sqlite'}", folder) as one:
        yield one


@pytest.fixture(scope="module")
def routes(place: Place) -> dict[str, list[Any]]:
    """Who may ask each route: ``Needs``, ``box_of``, or nothing."""
    found = {}
    for route in routes_of(place.house.app.router):
        for method in route.methods or ():
            found[f"{method} {route.path_format}"] = askers_of(route)
    return found


@pytest.fixture(scope="module")
def boxes(place: Place) -> list[TestClient]:
    """A box that signs, another of its institution, and one elsewhere."""
    return [place.signing_box, place.house.box(PHARMACY), place.house.box(OUTSIDE)]


def is_box_route(askers: list[Any]) -> bool:
    return box_of in askers


def permissions_of(askers: list[Any]) -> set[Permission]:
    return {one.permission for one in askers if isinstance(one, Needs) and one.permission is not None}


def ask(client: TestClient, route: str, asked: Asked | None = None) -> Response:
    """Ask a route; without a question with words that name nothing."""
    method, path = route.split(" ", 1)
    if asked is None:
        asked = Asked(path.replace("{code}", "999999").replace("{", "").replace("}", ""))
    return (asked.client or client).request(method, asked.path, json=asked.body, files=asked.files, data=asked.form)


def test_every_route_that_changes_something_has_its_row(routes: dict[str, list[Any]]) -> None:
    changing = {route for route in routes if route.split(" ")[0] not in READING}
    rows = set(ROWS) | set(OWN) | set(BOX_ROWS) | OPEN
    assert changing - rows == set(), "add a row to tests/server/matrix.py or boxes.py"
    assert rows - changing == set(), "there is no such route any more"


def test_only_these_routes_are_open_to_anybody(routes: dict[str, list[Any]]) -> None:
    assert {route for route, askers in routes.items() if not askers} == OPEN | (OPEN_TO_READ & set(routes))


def test_a_row_stands_where_its_askers_do(routes: dict[str, list[Any]]) -> None:
    assert {route for route in BOX_ROWS if not is_box_route(routes[route])} == set()
    assert {route for route in ROWS if not permissions_of(routes[route])} == set()


def test_nobody_gets_in_without_a_session_or_a_token(place: Place, routes: dict[str, list[Any]]) -> None:
    told = {route: ask(place.house.anybody(), route).status_code for route, askers in routes.items() if askers}
    assert {route: status for route, status in told.items() if status != 401} == {}


def test_a_box_is_no_user_and_a_user_no_box(place: Place, routes: dict[str, list[Any]]) -> None:
    box, admin = place.house.box(), place.user(Role.ADMIN, None)
    told = {
        route: ask(admin if is_box_route(askers) else box, route).status_code
        for route, askers in routes.items()
        if askers
    }
    assert {route: status for route, status in told.items() if status != 401} == {}


@pytest.mark.parametrize("role", Role)
def test_a_role_that_may_not_is_forbidden_whatever_is_asked(
    place: Place, routes: dict[str, list[Any]], role: Role
) -> None:
    lacking = [route for route, askers in routes.items() if permissions_of(askers) - PERMISSIONS[role]]
    told = {route: ask(place.user(role, None), route).status_code for route in lacking}
    assert lacking
    assert {route: status for route, status in told.items() if status != 403} == {}


def test_nothing_is_changed_without_the_token_of_the_session(place: Place, routes: dict[str, list[Any]]) -> None:
    for role in Role:
        client = place.house.user(role, None)
        client.headers[CSRF_HEADER] = "another"
        for route, askers in routes.items():
            if askers and not is_box_route(askers) and route.split(" ")[0] not in READING:
                assert ask(client, route).status_code == 403, route


@pytest.mark.parametrize("route", ROWS)
def test_whoever_may_does_so_in_their_district_and_nobody_else_anywhere(
    place: Place, routes: dict[str, list[Any]], route: str
) -> None:
    row, needed = ROWS[route], permissions_of(routes[route])
    may = [role for role in Role if needed <= PERMISSIONS[role]]
    thing = row.ask(place)
    read_only = {role: ask(place.user(role, YUYAO), route, thing).status_code for role in Role if role not in may}
    outside = {
        (role, district): ask(place.user(role, district), route, thing).status_code
        for role in may
        for district in NOT_SEEN_FROM
    }
    assert set(read_only.values()) == {403}
    assert set(outside.values()) == {row.outside}
    assert ask(place.user(may[0], YUYAO), route, thing).status_code == row.status, "refused askers changed nothing"
    colleague = place.house.user(may[0], YUYAO)
    assert ask(colleague, route, row.ask(place)).status_code == row.status
    for role in may:
        for district in SEEN_FROM:
            answer = ask(place.user(role, district), route, row.ask(place))
            assert answer.status_code == row.status, (role, district, answer.text)


def test_things_are_seen_in_their_district_and_not_found_elsewhere(place: Place, routes: dict[str, list[Any]]) -> None:
    reading = [route for route, askers in routes.items() if route.startswith("GET ") and permissions_of(askers)]
    wrong = {}
    for route in (one for one in reading if "{" in one):
        path = route.removeprefix("GET ")
        address = path.format(**named_in(place, path))
        may = [role for role in Role if permissions_of(routes[route]) <= PERMISSIONS[role]]
        askers = {(role, one) for role in may for one in (YUYAO, HANGZHOU)}
        for asker in askers | {(may[0], one) for one in SEEN_FROM + NOT_SEEN_FROM}:
            told = place.user(*asker).get(address, params=WHY)
            if told.status_code != (200 if asker[1] in SEEN_FROM else 404):
                wrong[route, asker] = (told.status_code, told.text[:200])
    assert wrong == {}


def test_no_list_tells_of_things_elsewhere(place: Place, routes: dict[str, list[Any]]) -> None:
    things = {value for path in MAKERS for value in named_in(place, f"{{{path}}}").values() if len(value) > 6}
    lists = [route for route, askers in routes.items() if route.startswith("GET ") and "{" not in route and askers]
    seen: set[str] = set()
    for route in lists:
        for role in (role for role in Role if permissions_of(routes[route]) <= PERMISSIONS[role]):
            inside, outside = (place.user(role, one).get(route[4:], params=WHY | LONG) for one in (YUYAO, HANGZHOU))
            seen |= {one for one in things if one in inside.text}
            assert [one for one in things if one in outside.text] == [], route
    assert len(seen) > 4, "and their own are in the lists"


@pytest.mark.parametrize("route", OWN)
def test_everybody_changes_what_is_their_own(place: Place, route: str) -> None:
    assert ask(place.house.anybody(), route, OWN[route].ask(place)).status_code == OWN[route].status


@pytest.mark.parametrize("route", BOX_ROWS)
def test_a_box_speaks_for_itself_alone(place: Place, boxes: list[TestClient], route: str) -> None:
    owner, colleague, outsider = boxes
    for row in BOX_ROWS[route]:
        told = [row.ask(place, owner, asker) for asker in (owner, colleague, outsider)]
        assert told == [row.owner, row.colleague, row.outsider]
