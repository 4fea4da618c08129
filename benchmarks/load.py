"""How many cameras one box bears: recording, ambient and swipe checks on two cores, and what each of them costs.

A camera is the demo's counter at 1080p25, played for ever. Its terminal swipes 200 times a day of ten hours, at random
moments; cards are drawn at random too, so that nearly every check is one in doubt. All goes at the pace of life.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np

from benchmarks.box import RunningBox, Usage, machine_s, write_config
from renzheng.demo.footage import TownFiles, ensure_town
from renzheng.settings import settings

SWIPES_A_DAY = 200
DAY_S = 10 * 3600.0
LATE_GOAL_S = 1.5
CAMERAS_GOAL = 32
SETTLE_S = 15.0
USUAL_S = 20.0
SECONDS = 300.0
"""Some fifty swipes at 32 cameras."""


@dataclass(frozen=True)
class LoadRun:
    """One run with so many cameras."""

    cameras: int
    swipes: int
    dropped: int
    gaps: int
    p95_s: float
    worst_s: float
    quiet_cores: Usage
    busy_cores: Usage
    vision_s_per_swipe: float
    memory_mb: float
    others_cores: float
    verdicts: dict[str, int]

    @property
    def holds(self) -> bool:
        """No packet lost and verdicts in time."""
        return not self.dropped and not self.gaps and self.p95_s <= LATE_GOAL_S


def run_load(town: TownFiles, cameras: int, seconds: float, *, pace: float = 1.0, first_looks: bool = True) -> LoadRun:
    """Start a box, let it settle, measure it without swipes and then with them, ``pace`` times as many as in life."""
    draw = random.Random(cameras)
    cards = [path.name for path in sorted(town.gallery.iterdir())]
    with tempfile.TemporaryDirectory(prefix="renzheng-load-") as name:
        config, port = write_config(Path(name), town, cameras)
        with RunningBox(config, port, cameras, first_looks=first_looks) as box:
            box.wait_until_live()
            time.sleep(SETTLE_S)
            quiet = _cores_over(box, seconds / 3)
            before, began, number = box.usage(), time.monotonic(), 0
            machine_before_s = machine_s()
            while time.monotonic() < began + seconds:
                time.sleep(draw.expovariate(pace * cameras * SWIPES_A_DAY / DAY_S))
                camera = draw.randrange(cameras)
                box.swipe(f"L{cameras}-{number}", draw.choice(cards), f"t{camera}")
                number += 1
            while len(late_s := box.after_window_s()) < number and time.monotonic() < began + seconds + 120:
                time.sleep(0.5)
            lasted, after = time.monotonic() - began, box.usage()
            busy = _difference(before, after, lasted)
            dropped, gaps = box.lost()
            late_s += [float("inf")] * (number - len(late_s))
            return LoadRun(
                cameras=cameras,
                swipes=number,
                dropped=dropped,
                gaps=gaps,
                p95_s=float(np.percentile(late_s, 95, method="higher")),
                worst_s=max(late_s),
                quiet_cores=quiet,
                busy_cores=busy,
                vision_s_per_swipe=(after.vision - before.vision - quiet.vision * lasted) / max(1, number),
                memory_mb=sum(box.memory_mb().values()),
                others_cores=(machine_s() - machine_before_s) / lasted - busy.all,
                verdicts=dict(box.verdicts()),
            )


def _cores_over(box: RunningBox, seconds: float) -> Usage:
    before = box.usage()
    began = time.monotonic()
    time.sleep(seconds)
    return _difference(before, box.usage(), time.monotonic() - began)


def _difference(before: Usage, after: Usage, seconds: float) -> Usage:
    return Usage(
        (after.main - before.main) / seconds,
        (after.vision - before.vision) / seconds,
        (after.recorders - before.recorders) / seconds,
    )


def usual_cores(footage: Path) -> float:
    """Cores one camera takes the usual way: every frame decoded, faces looked for in five a second."""
    from benchmarks.audit import UsualWay

    way = UsualWay()
    began, shown_s = time.perf_counter(), 0.0
    with av.open(str(footage)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            shown_s = float(frame.time or 0.0)
            if number % 5 == 0:
                way.faces_of(frame)
            if shown_s >= USUAL_S:
                break
    return (time.perf_counter() - began) / shown_s


STEPS = (8, 16, 24, 32, 48, 64)


def largest_that_holds(attempt: Callable[[int], LoadRun]) -> Iterator[LoadRun]:
    """Runs from the goal on: upwards while they hold, else downwards until one does."""
    at = STEPS.index(CAMERAS_GOAL)
    first = attempt(CAMERAS_GOAL)
    yield first
    for cameras in STEPS[at + 1 :] if first.holds else reversed(STEPS[:at]):
        run = attempt(cameras)
        yield run
        if run.holds is not first.holds:
            return


def show(run: LoadRun) -> None:
    """One run in a few lines."""
    each = 1000 / run.cameras
    quiet, busy = run.quiet_cores, run.busy_cores
    print(f"{'ok   ' if run.holds else 'SHORT'} {run.cameras} cameras, {run.swipes} swipes")
    print(f"      {run.dropped} packets lost, {run.gaps} gaps; memory {run.memory_mb:.0f} MB in all")
    print(f"      verdict after the window: 95 of 100 within {run.p95_s:.2f} s, all within {run.worst_s:.2f} s")
    costs = f"recording {quiet.recorders * each:.1f}, ambient {quiet.vision * each:.1f}"
    print(f"      thousandths of a core a camera: {costs}")
    print(f"      one swipe check {run.vision_s_per_swipe:.2f} s of a core; {run.verdicts}")
    ours = f"main {busy.main:.2f}, vision {busy.vision:.2f}, recorders {busy.recorders:.2f}"
    print(f"      cores in use: {ours}; the rest of the machine {run.others_cores:.2f}")


def main() -> int:
    """Try numbers of cameras and print each run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument(
        "--cameras", type=int, nargs="+", help="these numbers; else the largest that holds is looked for"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--pace", type=float, default=1.0, help="swipes come so many times as often as in life")
    parser.add_argument("--no-first-looks", action="store_true", help="look at a window only when it is over (ADR 16)")
    given = parser.parse_args()
    town = ensure_town(settings().cache_dir)
    usual = usual_cores(town.recordings[0])
    print(
        f"the usual way: {usual * 1000:.0f} thousandths of a core a camera; {2 / usual:.1f} cameras on two cores",
        flush=True,
    )
    attempt = partial(run_load, town, seconds=given.seconds, pace=given.pace, first_looks=not given.no_first_looks)
    for run in map(attempt, given.cameras) if given.cameras else largest_that_holds(attempt):
        show(run)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
