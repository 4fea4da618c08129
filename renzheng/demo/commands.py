"""``renzheng demo``: the invented town, audited, and live through two boxes to a review server; the truth beside it."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from edge_agent.agent.replay import ReplayResult
    from edge_agent.audit import AuditResult
    from renzheng.contracts import IdentityCheck
    from renzheng.demo.boxes import DemoBox
    from renzheng.demo.footage import TownFiles


def demo(
    out: Annotated[Path, typer.Option(help="folder for the audit's results")] = Path("out/demo"),
    open_report: Annotated[bool, typer.Option("--open/--no-open", help="open the report in a browser")] = True,
    render_only: Annotated[bool, typer.Option("--render-only", help="render the footage and print its folder")] = False,
) -> None:
    """Render a small invented town (once), audit it, and play it through two boxes to a review server that joins it."""
    from renzheng.settings import settings

    files = _town(settings().cache_dir)
    if render_only:
        print(files.folder)
        return
    result = _audit(files, out)
    wrong = show_comparison(result.checks)
    wrong += _review(files, out.with_name(f"{out.name}-live"))
    print(f"报告 report: {result.report.resolve()}")
    if open_report and _has_display():
        webbrowser.open(result.report.resolve().as_uri())
    if wrong:
        raise typer.Exit(1)


def _town(cache: Path) -> TownFiles:
    from renzheng.demo.footage import ensure_town, frames_in_all, town_folder

    if town_folder(cache).is_dir():
        return ensure_town(cache)
    with _bar("生成演示录像 rendering", frames_in_all()) as step:
        return ensure_town(cache, step)


def _audit(files: TownFiles, out: Path) -> AuditResult:
    from edge_agent.audit import run_audit
    from edge_agent.audit_inputs import AuditOptions

    options = AuditOptions(
        recordings=files.recordings,
        swipes=files.swipes,
        gallery=files.gallery,
        out=out,
        staff=files.staff,
        agents=files.agents,
        zones=files.zones,
        usual_minutes=0,  # the demo's day is minutes long
        replace=True,
        title="演示：录像为虚构 · Demo: the footage is made up",
    )
    with _progress() as progress:
        task = progress.add_task("核验 audit", total=None)
        return run_audit(options, lambda done, total: progress.update(task, completed=done, total=total))


def _review(files: TownFiles, folder: Path) -> int:
    """Play the same day through two boxes as if it were happening, to a review server that joins it with settlements.

    Returns how many verdicts at the server differ from the truth.
    """
    from edge_agent.logs import only_errors
    from renzheng.demo.boxes import counter_box, ward_box
    from renzheng.demo.review import demo_server, write_settlements

    with only_errors(), demo_server(folder / "server") as server:
        server.add_places()
        photos = server.add_people(files)
        print(f"审核服务器 review server: {photos} 张照片建档 photos enrolled")
        boxes = counter_box(files, folder / "counter", server.url), ward_box(files, folder / "ward", server.url)
        for box, label in zip(boxes, ("柜台回放 counter", "病区回放 ward"), strict=True):
            server.enrol(box)
            _play(label, box)
        wrong = show_agreement(server.verdicts()) + show_beds(server.bed_verdicts())
        print(f"已验签的录像片段 clips with a verified signature: {server.clips()}")
        table = folder / "settlements.csv"
        write_settlements(table)
        show_join(server.import_settlements(table), server.join())
    return wrong


def _play(label: str, box: DemoBox) -> ReplayResult:
    with _progress() as progress:
        task = progress.add_task(label, total=None)
        return box.replay(lambda done, total: progress.update(task, completed=done, total=total or None))


def _progress() -> Progress:
    """A bar on standard error where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty())


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    with _progress() as progress:
        task = progress.add_task(label, total=total)
        yield lambda steps: progress.advance(task, steps)


def show_comparison(checks: Sequence[IdentityCheck]) -> int:
    """Print the table of truth against verdict; return how many swipes differ, a missing check included."""
    from rich.console import Console
    from rich.table import Table

    from renzheng.clock import local_text
    from renzheng.contracts import VERDICT_WORDS
    from renzheng.demo.town import truth

    verdicts = {check.swipe_id: check.verdict for check in checks}
    table = Table(title="演示：真相与结论 truth against verdict", title_justify="left")
    for header in ("时间 time", "持卡人 card", "实际情况 what happened", "应为 truth", "结论 verdict", ""):
        table.add_column(header)
    agree = 0
    for row in truth():
        found = verdicts.get(row.setl_id)
        agree += found is row.verdict
        words = [f"{w.zh} {w.en}" for w in (VERDICT_WORDS[v] for v in (row.verdict, found) if v)]
        what = f"{row.what.zh}\n[dim]{row.what.en}[/dim]"
        mark = "[green]✓[/green]" if found is row.verdict else "[bold red]✗[/bold red]"
        table.add_row(local_text(row.swiped_at)[11:], row.psn_name, what, *words, *[""] * (2 - len(words)), mark)
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    print(f"一致 agree: {agree} / {len(truth())}")
    return len(truth()) - agree


def show_agreement(verdicts: Mapping[str, str]) -> int:
    """Say how far what the box sent agrees with the truth; how many swipes differ."""
    from renzheng.demo.town import truth

    wrong = [row.setl_id for row in truth() if verdicts.get(row.setl_id) != row.verdict]
    agree = f"{len(truth()) - len(wrong)} / {len(truth())}"
    print(f"柜台终端（服务器记录）box at the counter, as the server has it: 一致 agree: {agree}")
    for setl_id in wrong:
        print(f"  {setl_id}: {verdicts.get(setl_id)}")
    return len(wrong)


def show_join(imported: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Print what became of the settlements and of the checks beside them."""
    from server.join.words import METHOD_WORDS, UNJOINED_WORDS
    from server.tables import PairingMethod, UnjoinedReason

    print(f"结算 settlements: {imported['added']} 笔导入 imported, {imported['rejected']} 笔拒收 rejected")
    for method, count in figures["joined"].items():
        words = METHOD_WORDS[PairingMethod(method)]
        print(f"  {count:3}  {words.zh} {words.en}")
    for why, count in ((why, count) for why, count in figures["unjoined"].items() if count):
        words = UNJOINED_WORDS[UnjoinedReason(why)]
        print(f"  {count:3}  未关联 not joined: {words.zh} {words.en}")
    print(f"  {figures['checks_without_settlement']:3}  有核验而无结算 checks without a settlement")


def show_beds(verdicts: Mapping[str, str]) -> int:
    """Print the ward's table of truth against verdict; return how many beds differ, a missing check included."""
    from rich.console import Console
    from rich.table import Table

    from renzheng.contracts import BED_VERDICT_WORDS, BedVerdict
    from renzheng.demo.ward import BEDS

    table = Table(title="演示病区：真相与结论 the ward, truth against verdict", title_justify="left")
    for header in ("床位 bed", "实际情况 what happened", "应为 truth", "结论 verdict", ""):
        table.add_column(header)
    agree = 0
    for bed in BEDS:
        found = BedVerdict(verdicts[bed.bed_id]) if bed.bed_id in verdicts else None
        agree += found is bed.verdict
        words = [f"{w.zh} {w.en}" for w in (BED_VERDICT_WORDS[v] for v in (bed.verdict, found) if v)]
        what = f"{bed.what.zh}\n[dim]{bed.what.en}[/dim]"
        mark = "[green]✓[/green]" if found is bed.verdict else "[bold red]✗[/bold red]"
        table.add_row(bed.bed_id, what, *words, *[""] * (2 - len(words)), mark)
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    print(f"一致 agree: {agree} / {len(BEDS)}")
    return len(BEDS) - agree


def _has_display() -> bool:
    """Whether a browser could show anything here."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
