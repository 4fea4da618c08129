"""``renzheng server purge`` and ``rotate-keys``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.context import Server
from server.keeping import purge as purging
from server.keeping import rotation
from server.settings import server_settings


def add_commands(app: typer.Typer) -> None:
    """Have the commands of this room in ``renzheng server``."""
    app.command("purge")(purge)
    app.command("rotate-keys")(rotate_keys)


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count what would be deleted")] = False,
) -> None:
    """Delete what was kept long enough, with certificates. 清除到期数据"""
    server = Server.opened(server_settings())
    try:
        told = purging.run_purge(server, dry_run=dry_run)
    finally:
        server.close()
    for kind, counts in told.items():
        print(f"{kind}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'nothing'}")
    print("nothing was deleted" if dry_run else "certificates are in GET /v1/deletion-certificates")


def rotate_keys(
    path: Annotated[Path, typer.Argument(help="file of the key ring")],
    reseal: Annotated[
        bool, typer.Option("--reseal", help="add no keys; seal everything anew under the newest key of the file")
    ] = False,
) -> None:
    """Add new keys to a key ring, or seal everything anew under them. 轮换密钥"""
    if not reseal:
        ring = rotation.add_keys(path)
        print(f"{path}: key {ring.current} is in use once every server was started again with this file")
        print(f"then: renzheng server rotate-keys {path} --reseal")
        return
    server = Server.opened(server_settings(key_ring=path.read_text(encoding="utf-8").strip()))
    try:
        told = rotation.reseal(server, lambda name, count: print(f"{name}: {count} sealed anew"))
    finally:
        server.close()
    print(f"{sum(told.values())} sealed anew; older sealing keys may be taken out of the ring, receiving keys may not")
