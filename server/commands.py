"""``renzheng server``: run it and keep it. Each room adds its own commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from renzheng.errors import BadInput
from renzheng.files import PRIVATE_MODE
from server.audit_log import commands as audit_log
from server.enrolment import commands as enrolment
from server.join import commands as join
from server.keeping import commands as keeping
from server.key_ring import KeyRing
from server.migrations import commands as migrations
from server.settlements import commands as settlements
from server.users import commands as users

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The central review server. 中心审核服务器",
)

for room in (users, audit_log, join, enrolment, settlements, keeping, migrations):
    room.add_commands(app)


@app.command("run")
def run() -> None:
    """Serve until stopped. 启动服务"""
    import uvicorn

    from server.app import create_app
    from server.context import Server
    from server.migrations.running import is_up_to_date
    from server.settings import server_settings

    settings = server_settings()
    server = Server.opened(settings)
    if not is_up_to_date(server.database.engine):
        raise BadInput("the database is not that of this release: run `renzheng server migrate` first")
    uvicorn.run(create_app(server), host=settings.host, port=settings.port, access_log=False)


@app.command("make-keys")
def make_keys(path: Annotated[Path, typer.Argument(help="file to write; it must not exist")]) -> None:
    """Write a new key ring, readable by its owner alone. 生成密钥文件"""
    path.parent.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadInput(f"{path}: exists already, and a lost key ring cannot be replaced") from error
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(KeyRing.made().text() + "\n")
    print(f"{path}: written; without it nothing that is sealed can ever be read again")
