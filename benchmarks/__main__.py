"""``make bench``: everything measured in one run, as ratios against the named alternative, with goals beside them."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import ingest, join, settlements
from benchmarks.audit import HOUR_S, AuditRun, run_audit, usual_way
from benchmarks.hour import Hour, cards_of_people_there, cards_of_strangers, make_hour
from benchmarks.load import CAMERAS_GOAL, SECONDS, largest_that_holds, run_load, usual_cores
from benchmarks.models import bench_detector, bench_embedder
from renzheng.contracts import Verdict
from renzheng.demo.footage import ensure_town
from renzheng.files import write_atomic
from renzheng.settings import settings
from vision.pack import VisionPack, open_pack

RESULTS = Path(__file__).parent / "results" / "bench.json"
STREET = Path("video", "street-1080p25.mp4")

Row = dict[str, float | int | str | bool]


def row(what: str, value: float, goal: str, met: bool, note: str = "") -> Row:
    """One line of the table."""
    return {"what": what, "value": round(value, 2), "goal": goal, "met": met, "note": note}


def model_rows() -> list[Row]:
    """(a) detector and (b) embedder."""
    rows = []
    for figures, goal in ((bench_detector(), 2.5), (bench_embedder(), 1.8)):
        ratio = float(figures["ratio"])
        note = f"{figures['ours_ms']} ms against {figures['alternative_ms']} ms ({figures['alternative']})"
        rows.append(row(f"{figures['what']} {figures['size']}: times faster", ratio, f"≥ {goal}", ratio >= goal, note))
    return rows


def search_rows() -> list[Row]:
    """(d) one to many, in a process of its own with one BLAS thread."""
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.search"],
        env=os.environ | one_thread,
        capture_output=True,
        check=True,
        text=True,
    )
    figures = json.loads(run.stdout)
    ratio = float(figures["one probe / bound"])
    note = ", ".join(f"{name} {value}" for name, value in figures.items())
    return [row("1:N over 1,000,000 × 128: times the bandwidth bound", ratio, "≤ 1.5", ratio <= 1.5, note)]


def audit_rows(hour: Hour, stranger_photos: Sequence[Path], pack: VisionPack, folder: Path) -> list[Row]:
    """(c) one hour: swipes that go well, the same exhaustively, and every swipe in doubt, against the usual way."""
    folder.mkdir(parents=True, exist_ok=True)
    well = cards_of_people_there(hour, pack, folder / "well")
    doubt = cards_of_strangers(hour, well.times_s, stranger_photos, folder / "doubt")
    runs = {
        "well": run_audit(hour, well, folder / "out-well"),
        "well, exhaustive": run_audit(hour, well, folder / "out-exhaustive", "--exhaustive"),
        "in doubt": run_audit(hour, doubt, folder / "out-doubt"),
    }
    rows: list[Row] = []
    for name, goal in (("well", 200), ("in doubt", 60)):
        faster = HOUR_S / runs[name].seconds
        rows.append(
            row(f"{hour.name}, swipes {name}: × real time", faster, f"≥ {goal}", faster >= goal, _note(runs[name]))
        )
    peak = max(run.peak_mb for run in runs.values())
    rows.append(row(f"{hour.name}: peak memory, MB", peak, "≤ 500", peak <= 500))
    for name, cards in (("well", well), ("in doubt", doubt)):
        checks = sorted(runs[name].checks, key=lambda check: check.swipe_id)
        usual_s, seen = usual_way(hour, cards, [check.psn_no for check in checks], pack)
        ratio = usual_s / runs[name].seconds
        agree = sum((check.verdict is Verdict.MATCH) == saw for check, saw in zip(checks, seen, strict=True))
        rows.append(
            row(
                f"{hour.name}, swipes {name}: × the usual way",
                ratio,
                "≥ 60",
                ratio >= 60,
                f"usual way {usual_s:.0f} s an hour",
            )
        )
        rows.append(row(f"{hour.name}, swipes {name}: holder there or not as the usual way", agree, "10", agree == 10))
    same = sum(a is b for a, b in zip(runs["well"].verdicts, runs["well, exhaustive"].verdicts, strict=True))
    rows.append(row(f"{hour.name}: verdicts as an exhaustive search gives", same, "10", same == 10))
    return rows


def _note(run: AuditRun) -> str:
    counts = {verdict: run.verdicts.count(verdict) for verdict in dict.fromkeys(run.verdicts)}
    return f"{run.seconds:.1f} s for an hour; " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def load_rows() -> list[Row]:
    """(e) a box: the largest number of cameras that it bears, and what one costs beside the usual way."""
    town = ensure_town(settings().cache_dir)
    usual = usual_cores(town.recordings[0])
    runs = list(largest_that_holds(partial(run_load, town, seconds=SECONDS)))
    most = max((run.cameras for run in runs if run.holds), default=0)
    rows = [row("cameras one box bears on two cores", most, f"≥ {CAMERAS_GOAL}", most >= CAMERAS_GOAL)]
    for run in runs:
        note = f"{run.swipes} swipes, {run.dropped} packets lost, {run.gaps} gaps, {run.memory_mb:.0f} MB"
        rows.append(
            row(f"{run.cameras} cameras: p95 from window to verdict, s", run.p95_s, "≤ 1.5", run.p95_s <= 1.5, note)
        )
    last = max(runs, key=lambda run: run.cameras)
    each = (last.quiet_cores.recorders + last.quiet_cores.vision + last.quiet_cores.main) / last.cameras
    parts = f"recording {1000 * last.quiet_cores.recorders / last.cameras:.1f}"
    parts += f", ambient {1000 * last.quiet_cores.vision / last.cameras:.1f} thousandths of a core a camera"
    note = (
        f"{parts}; one swipe check {last.vision_s_per_swipe:.2f} s of a core; usual way {1000 * usual:.0f} thousandths"
    )
    rows.append(row("a camera without swipes: × the usual way", usual / each, "≥ 10", usual / each >= 10, note))
    return rows


def join_rows() -> list[Row]:
    """(g) settlements imported and joined with checks, by how many there are, on both databases."""
    rows = []
    for database in ("sqlite", "postgresql"):
        for count in join.COUNTS:
            told = join.run_one(database, count)
            met = told["both_s"] <= join.GOAL_S and told["peak_mb"] <= join.GOAL_MB
            what = f"{count:,} settlements imported and joined, {database}, s"
            rows.append(row(what, told["both_s"], f"≤ {join.GOAL_S:.0f}", met, join.show(database, told)))
    return rows


def settlement_rows() -> list[Row]:
    """(f) settlements imported, by how many there are, on both databases."""
    rows = []
    for told in settlements.run_all():
        what = f"{told.rows:,} settlements imported, {told.database}, s"
        note = f"{told.rows_per_s:,.0f} rows/s, {told.peak_mb:.0f} MB; the same file again {told.again_s:.1f} s"
        rows.append(row(what, told.import_s, f"≤ {settlements.GOAL_S_PER_MILLION:.0f}", told.met, note))
    return rows


def ingest_rows() -> list[Row]:
    """(g) checks that one server takes, with PostgreSQL and the boxes on the same machine."""
    told = ingest.run()
    note = (
        f"{told.checks:,} checks, a batch p95 {told.batch_p95_ms:.0f} ms; cores: server {told.server_cores}, PostgreSQL"
        f" {told.database_cores}, boxes {told.boxes_cores}, others {told.other_cores}"
    )
    return [row("checks taken a second, postgresql", told.per_s, f"≥ {ingest.GOAL_PER_S}", told.met, note)]


def hours(data: Path, folder: Path) -> list[Hour]:
    """The demo's footage, and the street where it is there."""
    town = ensure_town(settings().cache_dir)
    made = [make_hour("demo", town.recordings, folder / "demo", town.zones)]
    if (data / STREET).is_file():
        made.append(make_hour("street", [data / STREET], folder / "street"))
    else:
        print(f"{data / STREET} is not there: the street is left out")
    return made


def show(rows: Sequence[Row]) -> None:
    """The table on standard output."""
    for line in rows:
        state = "ok   " if line["met"] else "SHORT"
        print(f"{state}  {line['what']:62} {line['value']:>9}  {line['goal']:>6}  {line['note']}")


def main() -> None:
    """Measure, print and keep as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    default_data = os.environ.get("RENZHENG_TEST_DATA", str(Path(__file__).parents[2] / "shared"))
    parser.add_argument("--data", type=Path, default=Path(default_data), help="folder with video/street-1080p25.mp4")
    parser.add_argument(
        "--only", choices=["models", "search", "audit", "load", "settlements", "join", "ingest"], help="one part alone"
    )
    arguments = parser.parse_args()
    rows: list[Row] = []
    if arguments.only in (None, "models"):
        rows += model_rows()
    if arguments.only in (None, "search"):
        rows += search_rows()
    if arguments.only in (None, "audit"):
        rows += _all_audits(arguments.data)
    if arguments.only in (None, "load"):
        rows += load_rows()
    if arguments.only in (None, "settlements"):
        rows += settlement_rows()
    if arguments.only in (None, "join"):
        rows += join_rows()
    if arguments.only in (None, "ingest"):
        rows += ingest_rows()
    print(f"\n{platform.processor() or platform.machine()}, Python {platform.python_version()}, one core each")
    show(rows)
    write_atomic(RESULTS, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    print(f"\n{RESULTS}")


def _all_audits(data: Path) -> list[Row]:
    pack = open_pack()
    town = ensure_town(settings().cache_dir)
    with tempfile.TemporaryDirectory(prefix="renzheng-bench-") as name:
        made = hours(data, Path(name))
        strangers = {"street": sorted(town.gallery.glob("*/1.jpg")), "demo": []}
        street = next((hour for hour in made if hour.name == "street"), None)
        if street:
            cards = cards_of_people_there(street, pack, Path(name, "street-people"))
            strangers["demo"] = sorted(cards.gallery.glob("*/1.png"))
        strangers["demo"] = strangers["demo"] or sorted(town.staff.glob("*/1.jpg"))
        rows: list[Row] = []
        for hour in made:
            rows += audit_rows(hour, strangers[hour.name], pack, Path(name, f"{hour.name}-audit"))
    return rows


if __name__ == "__main__":
    main()
