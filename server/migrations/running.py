"""Bringing a database to the tables of this release."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from server.database import Database

LOCK_NUMBER = 0x52656E7A68656E67
"""Of PostgreSQL's advisory lock that two servers migrating at once wait for."""


def config_of(database: Database | None = None) -> Config:
    """Alembic's configuration; it has no file."""
    config = Config()
    config.set_main_option("script_location", "server:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["database"] = database
    return config


def migrate(database: Database, revision: str = "head") -> None:
    """Bring a database, empty or of an older release, to a revision; all of it or nothing."""
    command.upgrade(config_of(database), revision)


def stamp(connection: Connection) -> None:
    """Have tables that were made all at once count as migrated."""
    MigrationContext.configure(connection).stamp(ScriptDirectory.from_config(config_of()), "head")


def newest_revision() -> str | None:
    """The revision that this release needs."""
    return ScriptDirectory.from_config(config_of()).get_current_head()


def is_up_to_date(engine: Engine) -> bool:
    """Whether a database has the tables of this release."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest_revision()
