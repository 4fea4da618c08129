"""The offline audit: the same checks as at a live counter, over recorded files.

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

from edge_agent.audit_counter import AuditCounter, CounterPlan
from edge_agent.audit_files import CHECKS_NAME, RUN_NAME, TABLE_NAME, enrolled_portrait
from edge_agent.audit_inputs import AuditOptions, Inputs, read_inputs
from edge_agent.audit_journal import Finished, Journal
from edge_agent.audit_report import facts_of, warnings_of
from edge_agent.check_table import write_checks_csv, write_checks_jsonl
from renzheng.clock import from_seconds
from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import RenzhengError
from renzheng.files import write_atomic

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class AuditResult:
    """What an audit left behind."""

    checks: tuple[IdentityCheck, ...]
    report: Path
    resumed: int
    warnings: tuple[str, ...]


def run_audit(options: AuditOptions, on_progress: OnProgress = lambda _done, _all: None) -> AuditResult:
    """Audit recordings against swipes and write ``checks.jsonl``, ``checks.csv``, ``report.html`` and the clips.

    Raises :class:`BadInput` before any footage is looked at, and :class:`StorageFull` when the disk fills up; what
    was finished by then is taken up by the next run.
    """
    started = time.time()
    inputs = read_inputs(options)
    journal = Journal(options.out, inputs.digest)
    with journal.opened(replace=options.replace):
        resumed = sum(swipe.setl_id in journal.finished for swipe in inputs.swipes)
        _finish(inputs, journal, options.jobs, on_progress)
        finished = [journal.finished[swipe.setl_id] for swipe in inputs.swipes]
        report = _write_results(options, inputs, finished)
        _write_run(options.out, started, len(finished), resumed)
    refused = len({refusal for done in finished for refusal in done.refusals})
    photos = (f"enrolment photos refused: {refused}; the report says why",) if refused else ()
    warnings = (*warnings_of(inputs, finished), *photos)
    return AuditResult(tuple(done.check for done in finished), report, resumed, warnings)


def _finish(inputs: Inputs, journal: Journal, jobs: int, on_progress: OnProgress) -> None:
    """Check the swipes that the journal does not hold yet."""
    open_swipes = [swipe for swipe in inputs.swipes if swipe.setl_id not in journal.finished]
    resumed, total = len(inputs.swipes) - len(open_swipes), len(inputs.swipes)
    on_progress(resumed, total)
    for count, done in enumerate(_check_all(inputs.plan, open_swipes, jobs), start=1):
        journal.add(done)
        on_progress(resumed + count, total)


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
