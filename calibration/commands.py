"""``renzheng calibrate``: thresholds with the error rates they stand for."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from calibration.labelled_folder import LabelledFaces
    from calibration.result import Calibration
    from calibration.thresholds import Estimate

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def calibrate() -> None:
    """Turn scores into thresholds. 阈值标定"""


@app.command()
def thresholds(
    faces: Annotated[Path, typer.Option(help="Folder of known people: DIR/<person>/*. 已知人员照片文件夹")],
    name: Annotated[str, typer.Option(help="Name of the set, stored with every check. 阈值集名称")],
    out: Annotated[Path, typer.Option(help="Threshold set to write, FILE.toml. 输出文件")],
    pack: Annotated[str, typer.Option(help="Model pack. 模型包")] = "opencv-zoo",
    source: Annotated[
        str, typer.Option(help="What the pictures are, in words; default: the folder's name. 来源说明")
    ] = "",
    target_fmr: Annotated[float, typer.Option(help="False match rate at accept. 目标误识率")] = 1e-4,
    target_fnmr: Annotated[float, typer.Option(help="False non-match rate at reject. 目标拒识率")] = 0.01,
    report: Annotated[
        Path | None, typer.Option(help="Folder of report and plot; default: beside FILE. 报告文件夹")
    ] = None,
    gate: Annotated[bool, typer.Option(help="--no-gate shows what the quality gate is worth. 质量门控")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap. 随机种子")] = 0,
) -> None:
    """Measure error rates on a folder of known people; write a threshold set and a report. 以已知人员照片标定阈值"""
    from calibration.labelled_folder import list_pictures
    from calibration.report import write_report
    from calibration.result import Targets
    from calibration.result import calibrate as measure
    from calibration.set_file import write_set

    _expect_toml(out)
    targets = Targets(target_fmr, target_fnmr)
    people = list_pictures(faces)
    sample = _read(people, pack, gate)
    what = source or f"{faces.resolve().name}: {len(people)} people, {sample.pictures} pictures"
    result = measure(sample, name=name, pack=pack, source=what, targets=targets, seed=seed, gate=gate)
    folder = report or out.parent
    html, png = (folder / f"{out.stem}{suffix}" for suffix in (".html", ".png"))
    write_report(result, html, png)
    write_set(out, result.threshold_set)
    print(summary(result))
    print(f"\nwritten: {out}, {html}, {png}")


def _expect_toml(out: Path) -> None:
    from renzheng.errors import BadInput

    if out.suffix != ".toml":
        raise BadInput(f"--out {out}: expected a file that ends in .toml")


def _read(people: dict[str, list[Path]], pack_name: str, gate: bool) -> LabelledFaces:
    from calibration.labelled_folder import read_faces
    from vision.pack import open_pack

    pack = open_pack(pack_name)
    with _progress() as bar:
        task = bar.add_task("faces", total=sum(len(paths) for paths in people.values()))
        return read_faces(people, pack, gate=gate, advance=lambda: bar.advance(task))


def _progress() -> AbstractContextManager[Progress]:
    """A bar on a terminal's standard error; silent elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def summary(result: Calibration) -> str:
    """What a calibration found, as lines of text."""
    from calibration.caveats import caveats
    from calibration.thresholds import CONFIDENCE, REPLICATES

    made, faces = result.threshold_set, result.faces
    refused = ", ".join(f"{reason} {count}" for reason, count in faces.refusals.most_common()) or "none"
    lines = [
        f"people       {made.people:,}" + ("" if result.gate else "   (without the quality gate)"),
        f"pictures     {made.pictures:,}, refused {made.refused_pictures:,} ({refused})",
        f"comparisons  {made.mated_comparisons:,} mated, {made.non_mated_comparisons:,} non-mated, one picture each",
        f"accept       {made.accept:.4f}   FMR  {_with_interval(result.accept.fmr)}",
        f"                      FNMR {_with_interval(result.accept.fnmr)}",
        f"reject       {made.reject:.4f}   FNMR {_with_interval(result.reject.fnmr)}",
        f"             intervals: {CONFIDENCE:.0%} over people, {REPLICATES:,} bootstrap draws",
        "",
        *(
            f"  {'supported' if c.supported else 'refused  '}  FMR {c.rate:g}: needs {c.needed:,}"
            for c in result.fmr_claims
        ),
        "",
        *(f"  - {words.en}" for words in caveats(result)),
        *(f"  refused: {r.path.parent.name}/{r.path.name}: {r.why}" for r in faces.refused),
    ]
    return "\n".join(lines)


def _with_interval(estimate: Estimate) -> str:
    from calibration.report import interval_text, rate_text

    return f"{rate_text(estimate.value)} ({interval_text(estimate)})"
