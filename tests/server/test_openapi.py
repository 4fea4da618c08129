"""What the description of the API promises: that it is worth reading, and that the server keeps to it.

Schemathesis draws requests from the description, sound and unsound ones, and every answer must be one that is
described. How many are drawn is bounded; ``RENZHENG_TEST_REQUESTS`` draws more of each route.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import create_engine, text

from renzheng.ids import new_id
from server.permissions import PERMISSIONS, Permission, Role
from tests.server import matrix
from tests.server.conftest import PHARMACY, YUYAO
from tests.server.matrix import Place, place_over

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REQUESTS = int(os.environ.get("RENZHENG_TEST_REQUESTS", "6"))
BASE_URL = "http://127.0.0.1"

KNOWN: dict[str, Callable[[Place], str]] = {
    "institution_id": lambda _: PHARMACY,
    "code": lambda _: YUYAO,
    "user_id": matrix.account,
    "camera_id": lambda place: str(matrix.camera(place)["id"]),
    "terminal_id": lambda place: str(matrix.terminal(place)["id"]),
    "bed_id": lambda place: str(matrix.bed(place)["id"]),
    "device_id": lambda place: str(matrix.device(place)["device_id"]),
    "person_id": matrix.person,
    "staff_id": matrix.member,
    "photo_id": matrix.photo,
}
"""Values of parameters of addresses that name something, so that not all requests end at a door."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server for all routes."""
    folder = tmp_path_factory.mktemp("openapi")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "renzheng.sqlite")
        url = f"sqlite:///{folder / 'renzheng.sqlite'}"
    else:
        url = _copy_of(request.getfixturevalue("postgresql"), request.getfixturevalue("postgresql_template"))
    with place_over(url, folder) as one:
        yield one


def _copy_of(server_url: str, template: str) -> str:
    name = f"test_{new_id()}"
    engine = create_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return f"{server_url}/{name}"


@pytest.fixture(scope="module")
def described(place: Place) -> dict[str, Any]:
    """The description."""
    told: dict[str, Any] = place.house.anybody().get("/openapi.json").json()
    return told


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def asker_for(place: Place, operation: dict[str, Any]) -> TestClient:
    """Somebody who may ask that."""
    if operation.get("security") == [{"box": []}]:
        return place.house.box()
    words = operation.get("description", "")
    permission = next((one for one in Permission if f"Permission: `{one}`" in words), None)
    return place.user(next(role for role in Role if permission is None or permission in PERMISSIONS[role]), YUYAO)


def test_every_route_says_what_it_does_and_who_may_ask(described: dict[str, Any]) -> None:
    for route, operation in operations(described):
        assert operation.get("summary"), route
        assert len(operation.get("description", "")) > 20, route
        assert operation.get("tags"), route
        for status, answer in operation["responses"].items():
            assert answer.get("description"), (route, status)
        for parameter in operation.get("parameters", []):
            assert parameter["schema"], (route, parameter["name"])


def test_every_list_is_bounded(described: dict[str, Any]) -> None:
    for route, operation in operations(described):
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "limit":
                assert parameter["schema"]["maximum"] <= 200, route


def test_every_answer_is_one_that_is_described(place: Place, described: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(described)
    broken: dict[str, str] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        route = f"{operation.method.upper()} {operation.path}"
        clients = {"may": asker_for(place, operation.definition.raw)}
        clients |= {"enroller": place.user(Role.ENROLLER, None), "admin": place.user(Role.ADMIN, None)}
        clients |= {"box": place.house.box(), "nobody": place.house.anybody()}
        for who, client in clients.items():
            wrong = ask(place, operation, client, REQUESTS if who == "may" else 1)
            if wrong:
                broken[f"{route} as {who}"] = wrong
    assert not broken, "\n\n".join(f"{route}: {wrong}" for route, wrong in broken.items())


def ask(place: Place, operation: Any, client: TestClient, count: int) -> str:
    """Ask one route; what is wrong with its answers, if anything."""
    known = {one.name: KNOWN[one.name](place) for one in operation.path_parameters if one.name in KNOWN}
    drawn = st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE))

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=drawn, names_something=st.booleans())
    def once(case: Case, names_something: bool) -> None:
        if names_something:
            case.path_parameters.update(known)
        case.validate_response(send(client, case), CHECKS)

    try:
        once()
    except FailureGroup as error:
        return str(error)
    return ""


def send(client: TestClient, case: Case) -> Any:
    """Send a case as its client, whatever it says of who asks."""
    kwargs = case.as_transport_kwargs(base_url=BASE_URL)
    for name in ("Authorization", "Cookie", "X-CSRF-Token", "cookies"):
        kwargs["headers"].pop(name, None)
    kwargs.pop("cookies", None)
    ready = requests.Request(**kwargs).prepare()
    return client.request(ready.method or "GET", ready.url or "", content=ready.body, headers=dict(ready.headers))
