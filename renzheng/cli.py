"""The ``renzheng`` command. Each package mounts its commands here; none is imported before it is called.

The table below carries the one-line help of every command, so that ``renzheng --help`` loads no vision library.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

import renzheng
from renzheng.errors import RenzhengError


class Mount(NamedTuple):
    """Where a command lives and what it says of itself in one line."""

    module: str
    attribute: str
    help: str


MOUNTS: dict[str, Mount] = {
    "audit": Mount(
        "edge_agent.commands", "audit", "Check recorded footage against a list of swipes. 以录像核对刷卡记录"
    ),
    "explain": Mount("edge_agent.commands", "explain", "Show how one verdict came about. 解释一条核验结论"),
    "edge": Mount(
        "edge_agent.agent.commands", "app", "Run the agent of a counter or ward, live or replayed. 运行边缘代理"
    ),
    "server": Mount("server.commands", "app", "Run and keep the central review server. 运行与维护中心审核服务器"),
    "demo": Mount("renzheng.demo.commands", "demo", "Render a small invented town and audit it. 生成并核验演示数据"),
    "models": Mount("models.commands", "app", "List, fetch and verify model packs. 模型管理"),
    "calibrate": Mount("calibration.commands", "app", "Turn scores into thresholds. 阈值标定"),
}


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every mounted name, in the order of the table."""
        return list(MOUNTS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The real command behind a mounted name, imported now; ``None`` for an unknown name."""
        mount = MOUNTS.get(cmd_name)
        if mount is None:
            return None
        target = getattr(importlib.import_module(mount.module), mount.attribute)
        if isinstance(target, typer.Typer):
            return get_command(target)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(cmd_name)(target)
        return get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, mount.help) for name, mount in MOUNTS.items()])


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"renzheng {renzheng.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    """Renzheng 人证: was the insured person there when the card was used?"""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; errors of ours are printed without a traceback."""
    try:
        get_command(app)(arguments, prog_name="renzheng")
    except RenzhengError as error:
        print(f"renzheng: {error}", file=sys.stderr)
        return error.exit_code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
