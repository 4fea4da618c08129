"""Migrations make the tables that the classes say, and lose nothing on their way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.types import JSON, Boolean

from server.audit_log.service import SYSTEM, Deed, record
from server.database import Database
from server.migrations.running import config_of, is_up_to_date, migrate, newest_revision
from server.schema import create_schema
from server.tables import Base
from tests.server.conftest import _on_server

REVISIONS = [one.revision for one in ScriptDirectory.from_config(config_of()).walk_revisions()][::-1]
WORDS = {
    "state": "done", "fixmedins_type": "2", "role": "admin", "purpose": "evidence", "basis": "consent",
    "method": "setl_id", "agent_id": "x2",
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of either kind with nothing in it."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        yield database
        database.close()
        return
    server, name = request.getfixturevalue("postgresql"), f"empty_{uuid4().hex}"
    _on_server(server, f"CREATE DATABASE {name}")
    database = Database(f"{server}/{name}")
    yield database
    database.close()
    _on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


def schema(engine: Engine) -> dict[str, Any]:
    """Everything that a database says of its tables."""
    look, told = inspect(engine), {}
    for table in look.get_table_names():
        told[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], str(column["default"]))
                for column in look.get_columns(table)
            },
            "key": look.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(str(sorted(key.items(), key=str)) for key in look.get_foreign_keys(table)),
            "unique": sorted(
                (str(one["name"]), str(one["column_names"])) for one in look.get_unique_constraints(table)
            ),
            "checks": sorted((str(one["name"]), one["sqltext"]) for one in look.get_check_constraints(table)),
            "indexes": sorted(
                (
                    str(one["name"]),
                    str(one["column_names"]),
                    bool(one["unique"]),
                    str({k: str(v) for k, v in one.get("dialect_options", {}).items()}),
                )
                for one in look.get_indexes(table)
            ),
        }
    return told


def conditions(index: Any) -> str:
    """Of which rows an index is."""
    return str({name: str(value) for name, value in index.get("dialect_options", {}).items()})


def triggers(engine: Engine) -> list[str]:
    """Names of all triggers of ours."""
    asked = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if engine.dialect.name == "postgresql":
        asked = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        return sorted(connection.execute(text(asked)).scalars())


def test_migrations_make_the_tables_of_the_classes(empty: Database, tmp_path: Path) -> None:
    migrate(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    migrated, with_triggers = schema(empty.engine), triggers(empty.engine)
    with empty.engine.begin() as connection:
        if empty.is_sqlite:
            other = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
        else:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            other = Database(empty.engine.url.render_as_string(hide_password=False))
    create_schema(other.engine)
    assert schema(other.engine) == migrated
    assert triggers(other.engine) == with_triggers != []
    other.close()


def test_a_migrated_database_is_one_that_a_server_writes_to(empty: Database) -> None:
    assert not is_up_to_date(empty.engine)
    migrate(empty)
    assert is_up_to_date(empty.engine)
    with empty.transaction() as session:
        record(session, Deed(SYSTEM, "tested", "institution", "-"))
    migrate(empty)
    with empty.transaction(writes=False) as session:
        assert session.execute(text("SELECT number FROM audit_head")).scalar() == 1


def value_for(column: Any) -> Any:
    """Something that a column takes; a key of another table is the same for all."""
    if column.name in WORDS:
        return WORDS[column.name]
    kinds: list[tuple[Any, Any]] = [
        (Boolean, True), (Numeric, 1), (Float, 1.0), (Integer, 1), (DateTime, datetime.now(UTC)),
        (LargeBinary, b"x"), (JSON, {}),
    ]  # fmt: skip
    found = next((value for kind, value in kinds if isinstance(column.type, kind)), "x")
    return "330281" if column.name in ("code", "district_code") else found


def fill(engine: Engine) -> dict[str, int]:
    """A row in every table that has none."""
    metadata = MetaData()
    metadata.reflect(engine)
    tables = [table for table in metadata.sorted_tables if table.name not in ("alembic_version", "audit_head")]
    with engine.execution_options(renzheng_writes=True).begin() as connection:
        for table in tables:
            rows = [{column.name: value_for(column) for column in table.columns if not column.nullable}]
            if table.name == "insured_persons":
                rows.append(rows[0] | {"id": "x2", "psn_no": "x2"})
            if table.name in ("enrolment_photos", "face_templates"):
                rows[0]["person_id"] = "x"
            connection.execute(table.insert(), rows)
        return {table.name: rows_of(connection, table) for table in tables}


def rows_of(connection: Any, table: Table) -> int:
    """How many there are."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar())


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_every_release_is_upgraded_with_its_data(empty: Database, revision: str) -> None:
    migrate(empty, revision)
    before = fill(empty.engine)
    assert min(before.values()) > 0
    migrate(empty)
    metadata = MetaData()
    metadata.reflect(empty.engine)
    with empty.engine.connect() as connection:
        assert {name: rows_of(connection, metadata.tables[name]) for name in before} == before
    assert is_up_to_date(empty.engine)


def test_two_servers_may_migrate_at_once(empty: Database) -> None:
    url = empty.engine.url.render_as_string(hide_password=False)
    program = "from server.database import Database; from server.migrations.running import migrate; import sys"
    command = [sys.executable, "-c", f"{program}; migrate(Database(sys.argv[1]))", url]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert is_up_to_date(empty.engine)


def test_revisions_are_numbered_in_one_line() -> None:
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
    assert newest_revision() == REVISIONS[-1]
