"""``renzheng edge status``: how a box is, asked of the running agent and told in both languages."""

from __future__ import annotations

import sys

import httpx
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from edge_agent.box.view import BoxState
from edge_agent.box.words import CAMERA_STATE_WORDS, PROBLEM_WORDS, SERVER_STATE_WORDS
from edge_agent.edge_config import EdgeConfig, secret_of
from renzheng.clock import from_seconds, local_text
from renzheng.contracts import BED_VERDICT_WORDS, VERDICT_WORDS, BedVerdict, Verdict, Words

ASK_WITHIN_S = 5.0
MIB = 2**20
_STATE = TypeAdapter(BoxState)


def show_status(config: EdgeConfig, *, quiet: bool) -> bool:
    """Print it; whether the agent runs and is ready."""
    address = _address(config)
    token = secret_of(config.http.token_file)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(f"{address}/v1/status", headers=headers, timeout=ASK_WITHIN_S)
        answer.raise_for_status()
        state = _STATE.validate_json(answer.content)
    except (httpx.HTTPError, ValidationError) as error:
        if not quiet:
            print(f"{address}: 未运行或无应答 not running, or no answer ({type(error).__name__})", file=sys.stderr)
        return False
    if not quiet:
        _show(state)
    return state.is_ready


def _address(config: EdgeConfig) -> str:
    host = "127.0.0.1" if config.http.host in ("0.0.0.0", "::") else config.http.host  # noqa: S104 (only compared)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.http.port}"


def _show(state: BoxState) -> None:
    console = Console(width=None if sys.stdout.isatty() else 130)
    ready = "就绪 ready" if state.is_ready else "[bold red]未就绪 not ready[/bold red]"
    console.print(f"{state.device_id}  {state.fixmedins_code}  {state.agent_version}  {ready}")
    for problem in state.problems:
        where = f" {problem.where}" if problem.where else ""
        console.print(f"  [yellow]![/yellow] {_both(PROBLEM_WORDS[problem.kind])}{where}  {problem.detail}")
    console.print(_cameras(state))
    checks = ", ".join(f"{_both(_words_of(verdict))} {count}" for verdict, count in state.checks_today.items() if count)
    console.print(f"今日 today: {checks or '–'}")
    waiting = ", ".join(f"{kind} {count}" for kind, count in state.outbox.waiting.items())
    oldest = "" if state.outbox.oldest_s is None else f", {state.outbox.oldest_s:.0f} s"
    console.print(f"中心 server: {_both(SERVER_STATE_WORDS[state.server])}; 待发 waiting: {waiting or '–'}{oldest}")
    evidence = f"{state.evidence_bytes / MIB:.0f} / {state.evidence_budget_bytes / MIB:.0f} MiB"
    console.print(f"证据 evidence: {evidence}; 磁盘空闲 disk free: {state.disk_free_bytes / MIB:.0f} MiB")


def _cameras(state: BoxState) -> Table:
    table = Table(box=None, pad_edge=False)
    headers = ("摄像机 camera", "状态 state", "录至 until", "录像 ring MiB", "重连 reconnects", "丢包 dropped")
    for header in headers:
        table.add_column(header)
    for camera in state.cameras:
        until = "–" if camera.recorded_until_s is None else local_text(from_seconds(camera.recorded_until_s))
        numbers = (f"{camera.ring_bytes / MIB:.0f}", str(camera.reconnects), str(camera.dropped_packets))
        table.add_row(camera.camera_id, _both(CAMERA_STATE_WORDS[camera.state]), until, *numbers)
    return table


def _both(words: Words) -> str:
    return f"{words.zh} {words.en}"


def _words_of(verdict: Verdict | BedVerdict) -> Words:
    return VERDICT_WORDS[verdict] if isinstance(verdict, Verdict) else BED_VERDICT_WORDS[verdict]
