"""The ``renzheng`` command. Each package mounts its commands here; none is imported before it is called.

The table below carries the one-line help of every command, so that ``renzheng --help`` loads no vision library.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import click
import typer.main

import renzheng
from renzheng.errors import RenzhengError


class Mount(NamedTuple):
    """Where a command lives and what it says of itself in one line."""

    module: str
    attribute: str
    help: str


MOUNTS: dict[str, Mount] = {
    "audit": Mount("edge_agent.commands", "audit", "Check recorded footage against a list of swipes. 以录像核对刷卡记录"),
    "explain": Mount("edge_agent.commands", "explain", "Show how one verdict came about. 解释一条核验结论"),
    "demo": Mount("renzheng.demo.commands", "demo", "Render a small invented town and audit it. 生成并核验演示数据"),
    "models": Mount("models.commands", "app", "List, fetch and verify model packs. 模型管理"),
    "calibrate": Mount("calibration.commands", "app", "Turn scores into thresholds. 阈值标定"),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every mounted name, in the order of the table."""
        return list(MOUNTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The real command behind a mounted name, imported now."""
        mount = MOUNTS.get(cmd_name)
        if mount is None:
            return None
        target: Any = getattr(importlib.import_module(mount.module), mount.attribute)
        if isinstance(target, click.Command):
            return target
        return typer.main.get_command(target)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, mount.help) for name, mount in MOUNTS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Renzheng 人证: was the insured person there when the card was used?",
)
@click.version_option(renzheng.__version__, "--version", prog_name="renzheng")
def command() -> None:
    """The root of every command."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; errors of ours are printed without a traceback."""
    try:
        command.main(arguments, prog_name="renzheng", standalone_mode=False)
    except RenzhengError as error:
        print(f"renzheng: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("renzheng: interrupted", file=sys.stderr)
        return 130
    except click.exceptions.Exit as finished:
        return finished.exit_code
    return 0
