"""A server over a fresh database, SQLite or PostgreSQL, and people of every role who are logged in to it.

Every test that asks for ``server`` runs on both databases; ask for ``sqlite_server`` where the database cannot matter.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from renzheng.ids import new_id
from server.access import CSRF_HEADER, SESSION_COOKIE, digest_of_token
from server.app import create_app
from server.context import Server
from server.database import Database
from server.key_ring import KeyRing
from server.permissions import Role
from server.schema import create_schema
from server.settings import ServerSettings
from server.store.local import LocalStore
from server.tables import Device, DeviceKey, District, Institution, InstitutionType, LoginSession, User
from tests.server.cluster import programs, running_cluster

NINGBO, YUYAO, CIXI, HANGZHOU = "330200", "330281", "330282", "330100"
PHARMACY, WARD, OUTSIDE = "P33028100001", "H33028100002", "P33010000003"
"""Institutions: a pharmacy and a hospital of Yuyao, and a pharmacy of Hangzhou."""

KEYS = KeyRing.made()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's programs are not installed")
    with running_cluster(found) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """Name of a database that has the schema and the places of every test."""
    name = "template_renzheng"
    _on_server(postgresql, f"CREATE DATABASE {name}")
    _fill(Database(f"{postgresql}/{name}"))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that has the schema and the places of every test."""
    path = tmp_path_factory.mktemp("template") / "renzheng.sqlite"
    _fill(Database(f"sqlite:///{path}"))
    return path


def _fill(database: Database) -> None:
    create_schema(database.engine)
    now = datetime.now(UTC)
    with database.transaction() as session:
        for code, name in ((NINGBO, "宁波市"), (YUYAO, "余姚市"), (CIXI, "慈溪市"), (HANGZHOU, "杭州市")):
            session.add(District(code=code, name=name))
        session.flush()
        for code, name, kind, district in (
            (PHARMACY, "余姚大药房", InstitutionType.PHARMACY, YUYAO),
            (WARD, "余姚市人民医院", InstitutionType.HOSPITAL, YUYAO),
            (OUTSIDE, "杭州大药房", InstitutionType.PHARMACY, HANGZHOU),
        ):
            session.add(
                Institution(
                    id=code, fixmedins_code=code, fixmedins_name=name, fixmedins_type=kind, district_code=district,
                    hours={}, created_at=now,
                )
            )  # fmt: skip
    database.close()


def _on_server(url: str, statement: str) -> None:
    engine = create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh SQLite database."""
    path = tmp_path / "server" / "renzheng.sqlite"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: str, postgresql_template: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database, dropped after the test."""
    name = f"test_{uuid4().hex}"
    _on_server(postgresql, f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    yield f"{postgresql}/{name}"
    _on_server(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh database of either kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def opened(url: str, folder: Path, **settings: Any) -> Server:
    """A server over a database, its data in ``folder``."""
    given = ServerSettings(data_dir=folder, database_url=url, key_ring=KEYS.text(), cookie_secure=False, **settings)
    return Server(given, Database(url), KEYS, LocalStore(folder / "store"))


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server over either database."""
    one = opened(database_url, tmp_path / "server")
    yield one
    one.close()


@pytest.fixture
def sqlite_server(sqlite_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server over SQLite."""
    one = opened(sqlite_url, tmp_path / "server")
    yield one
    one.close()


@dataclass
class House:
    """A server as people and boxes meet it."""

    server: Server
    app: FastAPI

    def anybody(self) -> TestClient:
        """A client that is not logged in. What fails in the server is a 500, as in life."""
        return TestClient(self.app, base_url="http://127.0.0.1", raise_server_exceptions=False)

    def user(self, role: Role, district_code: str | None = YUYAO, login: str | None = None) -> TestClient:
        """A client logged in as a new user; ``user_id`` is on its ``headers`` as ``X-Test-User``."""
        now, user_id, token = datetime.now(UTC), new_id(), new_id()
        with self.server.database.transaction() as session:
            session.add(
                User(
                    id=user_id, login=login or f"{role.value}-{user_id[-8:]}", display_name="测试", role=role,
                    password_hash="-", district_code=district_code, created_at=now, password_changed_at=now,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                LoginSession(
                    token_digest=digest_of_token(token), user_id=user_id, csrf_digest=digest_of_token(token[::-1]),
                    created_at=now, used_at=now, expires_at=now + timedelta(hours=1),
                )
            )  # fmt: skip
        client = self.anybody()
        client.cookies.set(SESSION_COOKIE, token)
        client.headers.update({CSRF_HEADER: token[::-1], "X-Test-User": user_id})
        return client

    def box(self, fixmedins_code: str = PHARMACY, public_key: bytes | None = None) -> TestClient:
        """A client that is an enrolled box; its id is on its ``headers`` as ``X-Test-Device``."""
        now, device_id, token = datetime.now(UTC), new_id(), new_id()
        with self.server.database.transaction() as session:
            session.add(
                Device(
                    id=device_id, institution_id=fixmedins_code, label="柜台", enrolled_at=now, created_at=now,
                    token_digest=digest_of_token(token),
                )
            )  # fmt: skip
            session.flush()
            if public_key is not None:
                import hashlib

                key_id = hashlib.sha256(public_key).hexdigest()
                session.add(DeviceKey(key_id=key_id, device_id=device_id, public_key=public_key, since=now))
        client = self.anybody()
        client.headers.update({"Authorization": f"Bearer {token}", "X-Test-Device": device_id})
        return client


@pytest.fixture
def house(server: Server) -> House:
    """A server on either database."""
    return House(server, create_app(server))


@pytest.fixture
def sqlite_house(sqlite_server: Server) -> House:
    """A server on SQLite."""
    return House(sqlite_server, create_app(sqlite_server))
