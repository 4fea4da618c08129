"""``renzheng audit`` and ``renzheng explain``."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from renzheng.errors import BadInput


def audit(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="video files of one camera")],
    swipes: Annotated[Path, typer.Option(help="swipes.csv or .xlsx under the platform's field names")],
    gallery: Annotated[Path, typer.Option(help="photos of insured persons: DIR/<psn_no>/*.jpg")],
    out: Annotated[Path, typer.Option(help="folder for the results; a killed run resumes there")],
    recording_start: Annotated[
        str | None,
        typer.Option(metavar="ISO8601", help="when the first recording begins; else from its name or container"),
    ] = None,
    terminal: Annotated[
        list[str] | None, typer.Option(metavar="TERMINAL", help="check only swipes at this terminal; may be repeated")
    ] = None,
    staff: Annotated[Path | None, typer.Option(help="photos of the staff: DIR/<id>/*.jpg")] = None,
    agents: Annotated[Path | None, typer.Option(help="agents.csv: who may act for whom")] = None,
    zones: Annotated[Path | None, typer.Option(help="zones.toml: counter, staff and private")] = None,
    clock_offset: Annotated[
        float, typer.Option(help="seconds to add to the terminal's time to reach the camera's")
    ] = 0.0,
    before: Annotated[float, typer.Option(help="seconds to look at before a swipe")] = 6.0,
    after: Annotated[float, typer.Option(help="seconds to look at after a swipe")] = 4.0,
    usual_minutes: Annotated[
        float, typer.Option(help="nobody is called absent where less was recorded around a swipe; 0 to 20")
    ] = 10.0,
    pack: Annotated[str, typer.Option(help="model pack")] = "opencv-zoo",
    thresholds: Annotated[str | None, typer.Option(help="threshold set: a shipped NAME or a FILE")] = None,
    jobs: Annotated[int, typer.Option(help="worker processes")] = 1,
    clips: Annotated[Literal["all", "flagged", "none"], typer.Option(help="which clips to keep")] = "all",
    exhaustive: Annotated[bool, typer.Option("--exhaustive", help="search every window whole")] = False,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="leave out bad rows of the swipes")] = False,
    skip_bad_recordings: Annotated[
        bool, typer.Option("--skip-bad-recordings", help="leave unreadable recordings out and go on")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="overwrite the results of other inputs in --out")] = False,
) -> None:
    """Tell for each swipe whether the holder was at the counter, show why, and keep the clip."""
    from edge_agent.audit import run_audit
    from edge_agent.audit_inputs import AuditOptions

    options = AuditOptions(
        recordings=recordings,
        swipes=swipes,
        gallery=gallery,
        out=out,
        recording_start=_moment(recording_start),
        terminals=tuple(terminal or ()),
        staff=staff,
        agents=agents,
        zones=zones,
        clock_offset_s=clock_offset,
        before_s=before,
        after_s=after,
        usual_minutes=usual_minutes,
        pack=pack,
        thresholds=thresholds,
        jobs=jobs,
        clips=clips,
        exhaustive=exhaustive,
        skip_bad_rows=skip_bad_rows,
        skip_bad_recordings=skip_bad_recordings,
        replace=replace,
    )
    with _Progress() as progress:
        result = run_audit(options, progress.update)
    _tell(result.checks, result.resumed, result.warnings, result.report)


def explain(
    checks: Annotated[Path, typer.Argument(metavar="CHECKS.jsonl")],
    swipe_id: Annotated[str, typer.Argument()],
    lang: Annotated[Literal["zh", "en"], typer.Option(help="language of the account")] = "zh",
) -> None:
    """Show how one verdict came about, and work it out again from the stored numbers."""
    from edge_agent.check_table import read_checks_jsonl
    from edge_agent.explain import explain as account
    from vision.recompute import recompute

    check = next((check for check in read_checks_jsonl(checks) if check.swipe_id == swipe_id), None)
    if check is None:
        raise BadInput(f"{checks}: holds no check of the swipe {swipe_id}")
    again = recompute(check)
    print(account(check, again.verdict, again.reasons, lang=lang), end="")
    if again.verdict is not check.verdict:
        raise typer.Exit(1)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput(f"--recording-start: expected a time such as 2026-05-01T09:00:00+08:00, got {text}") from error


class _Progress:
    """A bar on a terminal; nothing where nobody watches."""

    def __enter__(self) -> _Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("核验 audit"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("audit", total=None)
        self._bar.start()
        return self

    def update(self, done: int, total: int) -> None:
        """``done`` of ``total`` swipes are finished."""
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _tell(checks: tuple[object, ...], resumed: int, warnings: tuple[str, ...], report: Path) -> None:
    """Totals on standard output, warnings on standard error."""
    from collections import Counter

    from renzheng.contracts import VERDICT_WORDS, IdentityCheck, Verdict

    counts = Counter(check.verdict for check in checks if isinstance(check, IdentityCheck))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if resumed:
        print(f"{resumed} of {len(checks)} swipes were finished before  此前已完成 {resumed} 条", file=sys.stderr)
    for verdict in Verdict:
        if counts[verdict]:
            words = VERDICT_WORDS[verdict]
            print(f"{counts[verdict]:6d}  {verdict.value:15} {words.zh} / {words.en}")
    print(f"{report}")
