"""``renzheng server verify-audit-log``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from renzheng.errors import BadInput
from server.audit_log.verification import Head, verify_chain
from server.context import Server
from server.settings import server_settings

BROKEN = 1
"""Exit code when the log is not what the server wrote."""

MOST_SHOWN = 100


def add_commands(app: typer.Typer) -> None:
    """Have the commands of this room in ``renzheng server``."""
    app.command("verify-audit-log")(verify_audit_log)


def verify_audit_log(
    noted: Annotated[
        list[str] | None, typer.Option(help="NUMBER:DIGEST that an earlier run printed; may be given several times")
    ] = None,
) -> None:
    """Read the whole audit log and name every entry that was changed, removed or put in. 校验审计日志"""
    heads = [_head(text) for text in noted or []]
    server = Server.opened(server_settings())
    try:
        with server.database.transaction(writes=False) as session:
            verified = verify_chain(session, heads)
    finally:
        server.close()
    for finding in verified.findings[:MOST_SHOWN]:
        print(finding)
    if len(verified.findings) > MOST_SHOWN:
        print(f"and {len(verified.findings) - MOST_SHOWN} more")
    print(f"{verified.entries} entries; head {verified.head}")
    if verified.findings:
        raise typer.Exit(BROKEN)
    print("the log is whole. Note this head where the server cannot write: only it shows a log written anew")


def _head(text: str) -> Head:
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if match is None:
        raise BadInput("--noted: expected NUMBER:DIGEST as an earlier run printed it")
    return Head(int(match[1]), match[2])
