"""The offline audit: the same checks as at a live counter, over recorded files (DESIGN §1, idea 4).

``run_audit`` reads everything that can be wrong before it looks at footage, checks the swipes that are not yet
finished, and writes the results in one go at the end. Nothing of it depends on the number of workers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import renzheng
from calibration.sets import ThresholdSet, load_set
from calibration.zones import read_zones
from edge_agent.audit_counter import AuditCounter, ClipPolicy, CounterPlan, enrolled_portrait
from edge_agent.audit_journal import Finished, Journal, digest_of
from edge_agent.check_table import write_checks_csv, write_checks_jsonl
from edge_agent.counter import AFTER_S, BEFORE_S
from edge_agent.people_folder import PeopleFolder
from edge_agent.recording_probe import RecordedFile, find_recordings
from edge_agent.tables import AgentTable, SwipeTable, read_agents, read_swipes
from models.pack import DEFAULT_PACK
from renzheng.clock import from_seconds
from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import BadInput, RenzhengError
from renzheng.files import write_atomic
from vision.zones import ZoneKind

CHECKS_NAME = "checks.jsonl"
TABLE_NAME = "checks.csv"
RUN_NAME = "run.json"

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class AuditOptions:
    """What ``renzheng audit`` was asked; times in seconds, ``recording_start`` aware or Asia/Shanghai."""

    recordings: Sequence[Path]
    swipes: Path
    gallery: Path
    out: Path
    recording_start: datetime | None = None
    staff: Path | None = None
    agents: Path | None = None
    zones: Path | None = None
    clock_offset_s: float = 0.0
    before_s: float = BEFORE_S
    after_s: float = AFTER_S
    pack: str = DEFAULT_PACK
    thresholds: str | None = None
    jobs: int = 1
    clips: ClipPolicy = "all"
    exhaustive: bool = False
    skip_bad_rows: bool = False
    skip_bad_recordings: bool = False
    replace: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        if self.before_s < 0 or self.after_s < 0 or not 0 < self.before_s + self.after_s <= 600:
            raise BadInput("--before and --after: expected seconds that are not negative and make 0 to 600 together")
        if abs(self.clock_offset_s) > 86_400:
            raise BadInput(f"--clock-offset: expected at most a day in seconds, got {self.clock_offset_s}")
        if not 1 <= self.jobs <= 256:
            raise BadInput(f"--jobs: expected 1 to 256, got {self.jobs}")


@dataclass(frozen=True)
class AuditResult:
    """What an audit left behind."""

    checks: tuple[IdentityCheck, ...]
    report: Path
    resumed: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Inputs:
    """Everything an audit was given, read and found in order."""

    plan: CounterPlan
    table: SwipeTable
    agents: AgentTable
    thresholds: ThresholdSet
    bad_recordings: tuple[str, ...]
    title: str
    digest: str


def read_inputs(options: AuditOptions) -> Inputs:
    """Read every input. Raises :class:`BadInput` that names the file and what was expected."""
    table = read_swipes(options.swipes, skip_bad_rows=options.skip_bad_rows)
    agents = AgentTable()
    if options.agents:
        agents = read_agents(options.agents, skip_bad_rows=options.skip_bad_rows)
    thresholds_name = options.thresholds or options.pack
    threshold_set, threshold_digest = load_set(thresholds_name)
    if threshold_set.pack != options.pack:
        raise BadInput(f"{thresholds_name}: made for the pack {threshold_set.pack}, not for {options.pack}")
    if options.zones:
        read_zones(options.zones)
    for folder in filter(None, (options.gallery, options.staff)):
        PeopleFolder(folder)
    recordings, bad_recordings = _recordings(options)
    plan = CounterPlan(
        recordings=recordings,
        gallery=options.gallery,
        out=options.out,
        pack=options.pack,
        thresholds=thresholds_name,
        staff=options.staff,
        agents=agents,
        zones=options.zones,
        before_s=options.before_s,
        after_s=options.after_s,
        clock_offset_s=options.clock_offset_s,
        exhaustive=options.exhaustive,
        clips=options.clips,
    )
    title = options.title or options.swipes.name
    digest = _digest(options, plan, threshold_digest)
    return Inputs(plan, table, agents, threshold_set, bad_recordings, title, digest)


def _recordings(options: AuditOptions) -> tuple[tuple[RecordedFile, ...], tuple[str, ...]]:
    """The recordings to look at, and what was wrong with those left out. Raises :class:`BadInput` that lists every
    bad one, unless they may be left out and one is left."""
    found = find_recordings(options.recordings, options.recording_start)
    wrong = tuple(map(str, found.bad))
    if wrong and not (options.skip_bad_recordings and found.recordings):
        raise BadInput(wrong[0] if len(options.recordings) == 1 else _all_bad(wrong, found.recordings))
    return found.recordings, tuple(f"left out: {message}" for message in wrong)


def _all_bad(wrong: Sequence[str], usable: Sequence[RecordedFile]) -> str:
    advice = "Put them right, or go on without them with --skip-bad-recordings." if usable else "No recording is left."
    return (
        "\n  ".join((f"{len(wrong)} of {len(wrong) + len(usable)} recordings cannot be used:", *wrong)) + f"\n{advice}"
    )


def cautions(plan: CounterPlan) -> tuple[str, ...]:
    """What the operator left out that weakens every verdict of the run."""
    if plan.staff or (plan.zones and read_zones(plan.zones).of_kind(ZoneKind.STAFF)):
        return ()
    return (
        "neither --staff nor a staff zone was given: a clerk's face counts as a customer's, and may be called a "
        "mismatch where only the clerk was there",
    )


def _digest(options: AuditOptions, plan: CounterPlan, threshold_digest: str) -> str:
    """One digest over all that the results depend on; where files lie does not matter."""
    facts = {
        "version": renzheng.__version__,
        "pack": plan.pack,
        "thresholds": threshold_digest,
        "window": [plan.before_s, plan.after_s, plan.clock_offset_s],
        "how": [plan.exhaustive, plan.clips, options.skip_bad_rows],
        "recordings": [
            [r.path.name, r.start_s, r.end_s, r.path.stat().st_size, r.path.stat().st_mtime_ns] for r in plan.recordings
        ],
    }
    files = [path for path in (options.swipes, options.agents, options.zones) if path]
    return digest_of(facts, files, filter(None, (plan.gallery, plan.staff)))


def run_audit(options: AuditOptions, on_progress: OnProgress = lambda _done, _all: None) -> AuditResult:
    """Audit recordings against swipes and write ``checks.jsonl``, ``checks.csv``, ``report.html`` and the clips.

    Raises :class:`BadInput` before any footage is looked at, and :class:`StorageFull` when the disk fills up; what
    was finished by then is taken up by the next run.
    """
    started = time.time()
    inputs = read_inputs(options)
    journal = Journal(options.out, inputs.digest)
    journal.open(replace=options.replace)
    swipes = inputs.table.swipes
    resumed = sum(swipe.setl_id in journal.finished for swipe in swipes)
    open_swipes = [swipe for swipe in swipes if swipe.setl_id not in journal.finished]
    on_progress(resumed, len(swipes))
    for count, done in enumerate(_check_all(inputs.plan, open_swipes, options.jobs), start=1):
        journal.add(done)
        on_progress(resumed + count, len(swipes))
    finished = [journal.finished[swipe.setl_id] for swipe in swipes]
    report = _write_results(options, inputs, finished)
    _write_run(options.out, started, len(swipes), resumed)
    warnings = (*cautions(inputs.plan), *inputs.bad_recordings, *inputs.table.warnings, *inputs.agents.warnings)
    return AuditResult(tuple(done.check for done in finished), report, resumed, warnings)


def _check_all(plan: CounterPlan, swipes: Sequence[Swipe], jobs: int) -> Iterator[Finished]:
    """Check swipes here, or in worker processes; in whatever order they finish."""
    if not swipes:
        return
    if jobs == 1 or len(swipes) == 1:
        counter = AuditCounter(plan)
        yield from map(counter.check, swipes)
        return
    workers = min(jobs, len(swipes))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_open_worker, initargs=(plan,))
    try:
        futures = [pool.submit(_check_in_worker, swipe) for swipe in swipes]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise RenzhengError(
            "a worker process died (out of memory, or killed); finished swipes are kept: run the same command again, "
            "with fewer --jobs if memory was short"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: list[AuditCounter] = []


def _open_worker(plan: CounterPlan) -> None:
    _worker.append(AuditCounter(plan))


def _check_in_worker(swipe: Swipe) -> Finished:
    return _worker[0].check(swipe)


def _write_results(options: AuditOptions, inputs: Inputs, finished: Sequence[Finished]) -> Path:
    """The files a person or a program reads, each whole or not at all; the same inputs give the same bytes."""
    from edge_agent.audit_report import facts_of
    from edge_agent.report import write_report

    checks = [done.check for done in finished]
    write_checks_jsonl(checks, options.out / CHECKS_NAME)
    write_checks_csv(checks, options.out / TABLE_NAME)
    portraits = {check.psn_no: options.out / enrolled_portrait(check.psn_no) for check in checks}
    return write_report(checks, facts_of(inputs, finished, portraits), options.out)


def _write_run(out: Path, started: float, swipes: int, resumed: int) -> None:
    """When and how fast it ran: kept apart, because everything else is the same on every run."""
    ended = time.time()
    facts = {
        "started": from_seconds(started).isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "seconds": round(ended - started, 3),
        "swipes": swipes,
        "resumed": resumed,
        "python": sys.version.split()[0],
    }
    write_atomic(out / RUN_NAME, json.dumps(facts, indent=2) + "\n")


def recorded_seconds(recordings: Sequence[RecordedFile]) -> float:
    """Seconds of footage in all files."""
    return sum(recording.duration_s for recording in recordings)
