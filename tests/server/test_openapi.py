"""What the description of the API promises: that it is worth reading, and that the server keeps to it.

Schemathesis draws requests from the description, sound and unsound ones, and every answer must be one that is
described. How many are drawn is bounded; ``RENZHENG_TEST_REQUESTS`` draws more of each route.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
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
from tests.server.conftest import YUYAO
from tests.server.matrix import Place, place_over
from tests.server.things import named_in

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REQUESTS = int(os.environ.get("RENZHENG_TEST_REQUESTS", "5"))
UNREADY = {"/readyz"}
"""Says 503 of a server that does not run its jobs, as that of the tests."""

BASE_URL = "http://127.0.0.1"


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
    """Somebody who may ask that, and has not asked before: they may have logged out."""
    if operation.get("security") == [{"box": []}]:
        return place.house.box()
    words = operation.get("description", "")
    permission = next((one for one in Permission if f"Permission: `{one}`" in words), None)
    role = next(role for role in Role if permission is None or permission in PERMISSIONS[role])
    return place.house.user(role, YUYAO)


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
        wrong = ask(place, operation, REQUESTS)
        if wrong:
            broken[f"{operation.method.upper()} {operation.path}"] = wrong
    assert not broken, "\n\n".join(f"{route}: {wrong}" for route, wrong in broken.items())


def ask(place: Place, operation: Any, count: int) -> str:
    """Ask one route, mostly as somebody who may; what is wrong with its answers, if anything."""
    addresses = named_in(place, operation.path)
    may = asker_for(place, operation.definition.raw)
    others = [place.user(Role.ADMIN, None), place.user(Role.ENROLLER, None), place.house.box(), place.house.anybody()]
    checks = [one for one in CHECKS if operation.path not in UNREADY or one is not not_a_server_error]
    drawn = st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE))

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=drawn, client=st.sampled_from([may] * 6 + others), names_something=st.sampled_from([True, True, False]))
    def once(case: Case, client: TestClient, names_something: bool) -> None:
        if names_something:
            _name_things(case, addresses, may)
        case.validate_response(send(client, case), checks)

    try:
        once()
    except FailureGroup as error:
        return str(error)
    return ""


def _name_things(case: Case, addresses: dict[str, str], may: TestClient) -> None:
    """Have a case speak of what is there."""
    case.path_parameters.update(addresses)
    fields = {"district_code": YUYAO, "insuplc_admdvs": YUYAO, "password": matrix.PASSWORD}
    fields["device_id"] = str(may.headers.get("X-Test-Device", ""))
    if isinstance(case.body, dict):
        case.body.update({name: value for name, value in fields.items() if name in case.body})


def send(client: TestClient, case: Case) -> Any:
    """Send a case as its client, whatever it says of who asks."""
    kwargs = case.as_transport_kwargs(base_url=BASE_URL)
    for name in ("Authorization", "Cookie", "X-CSRF-Token"):
        kwargs["headers"].pop(name, None)
    kwargs.pop("cookies", None)
    ready = requests.Request(**kwargs).prepare()
    return client.request(ready.method or "GET", ready.url or "", content=ready.body, headers=dict(ready.headers))
