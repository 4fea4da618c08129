"""``renzheng server import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from renzheng.errors import BadInput
from renzheng.files import write_atomic
from server.settlements.kinds import ImportKind
from server.settlements.messages import ImportAnswer

REJECTED = 1
"""Exit code when rows were rejected."""

SHOWN_MAX = 20


def add_commands(app: typer.Typer) -> None:
    """Have the command of this room in ``renzheng server``."""
    app.command("import")(import_)


def import_(
    kind: Annotated[ImportKind, typer.Argument(help="what the rows are")],
    file: Annotated[Path, typer.Argument(help="CSV, .xlsx, JSON or JSON lines under the platform's names")],
    user: Annotated[str | None, typer.Option(help="login of the admin; without it the server itself")] = None,
    rejected: Annotated[
        Path | None, typer.Option(help="write what is wrong with rejected rows to this CSV file")
    ] = None,
) -> None:
    """Import settlements, reversals, stays or line items; run again after a break. 导入结算数据"""
    from server.context import Server
    from server.settings import server_settings
    from server.settlements import service
    from server.settlements.imports import import_file

    server = Server.opened(server_settings())
    try:
        with server.database.transaction(writes=False) as session:
            importer = service.importer_named(session, user)
        try:
            with file.open("rb") as stream:
                told = import_file(server, kind, file.name, stream, importer)
        except OSError as error:
            raise BadInput(f"{file}: cannot be read: {error.strerror}") from error
        except BadInput as error:
            raise BadInput(f"{file}: {error}") from error
        with server.database.transaction(writes=False) as session:
            problems = service.rejected_of(session, told.id)
    finally:
        server.close()
    if rejected is not None:
        write_atomic(rejected, service.rejected_csv(problems))
    _tell(service.import_answer(told))
    for problem in problems[:SHOWN_MAX]:
        print(f"  row {problem.row}, {problem.field}: {problem.expected}")
    if told.rejected:
        raise typer.Exit(REJECTED)


def _tell(told: ImportAnswer) -> None:
    counts = f"{told.added} added, {told.changed} changed, {told.unchanged} unchanged, {told.rejected} rejected"
    print(f"{told.file_name}: {told.rows} rows: {counts}")
    for warning in told.warnings:
        print(f"  {warning.count} × {warning.code.value}: {warning.en} {warning.zh}")
