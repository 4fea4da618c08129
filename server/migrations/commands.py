"""``renzheng server migrate``."""

from __future__ import annotations

import typer

from server.database import Database
from server.migrations.running import migrate, newest_revision
from server.settings import server_settings


def add_commands(app: typer.Typer) -> None:
    """Have the command of this room in ``renzheng server``."""
    app.command("migrate")(migrate_command)


def migrate_command() -> None:
    """Make or change the tables for this release. 升级数据库"""
    settings = server_settings()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.url)
    try:
        migrate(database)
    finally:
        database.close()
    print(f"the database is at revision {newest_revision()}")
