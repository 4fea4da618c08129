"""``renzheng edge``: run a box, look at it, and replay recordings through it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from renzheng.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.edge_config import EdgeConfig
    from renzheng.contracts import Reason, Words

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Config = Annotated[Path, typer.Option("--config", help="edge.toml")]


@app.command()
def run(config: Config) -> None:
    """Record, check and send until told to stop (SIGTERM or Ctrl-C). 运行边缘代理"""
    from edge_agent.agent.agent import Agent
    from edge_agent.agent.check_config import problems_of
    from edge_agent.edge_config import read_config
    from edge_agent.logs import start_logging

    read = read_config(config)
    if problems := problems_of(read):
        raise BadInput("\n".join((f"{config}:", *problems)))
    start_logging("main")

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await Agent(read).run(stop)

    asyncio.run(until_told())


@app.command()
def check_config(config: Config) -> None:
    """Read a configuration and everything it names, and say what is wrong with it. 检查配置"""
    from edge_agent.agent.check_config import problems_of, remarks_on
    from edge_agent.edge_config import read_config

    read = read_config(config)
    if problems := problems_of(read):
        raise BadInput("\n".join((f"{config}:", *problems)))
    for remark in remarks_on(read):
        print(f"  {remark}")
    beds = f", ward {read.ward}" if read.ward else ""
    print(f"{config}: 正确 in order: {len(read.camera)} cameras, {len(read.terminal)} terminals{beds}")


@app.command()
def status(
    config: Config,
    quiet: Annotated[bool, typer.Option("--quiet", help="print nothing; the exit status tells")] = False,
) -> None:
    """Show how a running box is: cameras, queues, what keeps it from working. 查看运行状态"""
    from edge_agent.agent.status import show_status
    from edge_agent.edge_config import read_config

    if not show_status(read_config(config), quiet=quiet):
        raise typer.Exit(1)


@app.command()
def enroll_device(
    server: Annotated[str, typer.Argument(help="the review server, such as https://review.example.org")],
    token: Annotated[str, typer.Argument(help="the one-time token it gave; - reads it from standard input")],
    config: Config,
) -> None:
    """Make this box known to the review server. 设备登记"""
    from edge_agent.edge_config import BoxFolders, read_config
    from edge_agent.uplink.device import enrol_device

    read = read_config(config)
    ca_file = read.server.ca_file if read.server else None
    given = sys.stdin.readline().strip() if token == "-" else token  # noqa: S105 (no secret: the sign for standard input)
    if not given:
        raise BadInput("token: expected the one-time token that the server gave, found nothing")
    if read.server is not None and read.server.url.rstrip("/") != server.rstrip("/"):
        print(f"warning: {config}: server.url is {read.server.url}, not {server}", file=sys.stderr)
    folder = BoxFolders(read.data_dir).device
    identity = enrol_device(server, given, folder, fixmedins_code=read.fixmedins_code, ca_file=ca_file)
    print(f"已登记 enrolled: {identity.device_id}")


@app.command()
def replay(
    config: Config,
    recordings: Annotated[
        list[str], typer.Option(metavar="[CAMERA=]FILE", help="a recording of a camera; give it once for each file")
    ],
    out: Annotated[Path, typer.Option(help="folder for the agent's data and checks.jsonl; must be empty or new")],
    swipes: Annotated[Path | None, typer.Option(help="swipes.csv or .xlsx")] = None,
    speed: Annotated[float, typer.Option(help="times real time", min=0.1, max=200.0)] = 10.0,
    send: Annotated[
        bool, typer.Option("--send", help="as an enrolled box, whose data_dir is used: ask its server and send it all")
    ] = False,
) -> None:
    """Play recordings and swipes through the whole agent, faster than they happened. 回放录像"""
    from edge_agent.agent.replay import run_replay
    from edge_agent.edge_config import read_config
    from edge_agent.logs import only_errors
    from edge_agent.tables import read_swipes
    from renzheng.contracts import BED_VERDICT_WORDS, VERDICT_WORDS

    read = read_config(config)
    by_camera = _by_camera(recordings, read)
    table = read_swipes(swipes).swipes if swipes else ()
    if not table and read.ward is None:
        raise BadInput("--swipes: expected a table of swipes; there is nothing else to check")
    with only_errors():
        replayed = read if send else read.model_copy(update={"data_dir": out / "agent"})
        result = run_replay(replayed, by_camera, table, speed, sends=send)
    _write(result.checks, result.bed_checks, out)
    for check in result.checks:
        print(f"{check.swipe_id}  {_told(VERDICT_WORDS[check.verdict], check.reasons)}")
    for bed in result.bed_checks:
        print(f"{bed.check_id}  {_told(BED_VERDICT_WORDS[bed.verdict], bed.reasons)}")
    print(out / "checks.jsonl")


def _told(verdict: Words, reasons: Iterable[Reason]) -> str:
    from renzheng.contracts import REASON_WORDS

    why = "; ".join(f"{REASON_WORDS[reason].zh} {REASON_WORDS[reason].en}" for reason in reasons)
    return f"{verdict.zh} {verdict.en}: {why}"


def _by_camera(recordings: list[str], config: EdgeConfig) -> dict[str, list[Path]]:
    """``camera=path``, or the path alone where there is one camera."""
    ids = [camera.id for camera in config.camera]
    by_camera: dict[str, list[Path]] = {}
    for given in recordings:
        camera, found, path = given.partition("=")
        if not found and len(ids) == 1:
            camera, path = ids[0], given
        if camera not in ids:
            raise BadInput(f"--recordings {given}: expected CAMERA=FILE with a camera out of {', '.join(ids)}")
        by_camera.setdefault(camera, []).append(Path(path))
    return by_camera


def _write(checks: tuple[object, ...], beds: tuple[object, ...], out: Path) -> None:
    from edge_agent.check_table import write_checks_jsonl
    from renzheng.contracts import BedCheck, IdentityCheck
    from renzheng.files import write_atomic

    write_checks_jsonl([check for check in checks if isinstance(check, IdentityCheck)], out / "checks.jsonl")
    lines = [bed.model_dump_json() + "\n" for bed in beds if isinstance(bed, BedCheck)]
    write_atomic(out / "bed_checks.jsonl", "".join(lines))
