"""Periodic jobs: by one server each, again when their time has come, and whatever one of them does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from server.context import Server
from server.database import Database
from server.keeping.jobs import JOBS
from server.keeping.periodic import GoOn, Job, Periodic
from server.tables import JobLock

DAY = timedelta(days=1)


def counting(every: timedelta = DAY, *, takes_s: float = 0.0, on_each: bool = False) -> tuple[Job, list[int]]:
    """A job, and a list that grows when it is done."""
    done: list[int] = []

    def work(_server: Server, _go_on: GoOn) -> None:
        done.append(1)
        time.sleep(takes_s)

    return Job("counting", every, work, on_each=on_each), done


def wait_until(true: Callable[[], bool]) -> None:
    """At most 20 s."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_servers_on_one_database_do_a_job_once(server: Server) -> None:
    job, done = counting(takes_s=0.3)
    second = Server(server.settings, Database(server.settings.url), server.keys, server.store)
    both = [Periodic(one, [job]) for one in (server, second)]
    threads = [threading.Thread(target=one.do_if_due, args=(job,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), sum(one.done["counting"] for one in both)) == (1, 1)
    assert not any(one.do_if_due(job) for one in both)
    second.close()


def test_a_job_is_done_again_when_its_time_has_come(server: Server) -> None:
    job, done = counting(timedelta(seconds=0))
    periodic = Periodic(server, [job])
    assert [periodic.do_if_due(job) for _ in range(3)] == [True, True, True]
    assert len(done) == 3


def test_the_lease_of_a_server_that_died_ends(sqlite_server: Server) -> None:
    job, done = counting()
    periodic = Periodic(sqlite_server, [job])
    assert periodic._take(job)  # and dies
    assert not Periodic(sqlite_server, [job]).do_if_due(job)
    with sqlite_server.database.transaction() as session:
        session.execute(update(JobLock).values(until=datetime.now(UTC)))
    assert Periodic(sqlite_server, [job]).do_if_due(job)
    assert len(done) == 1


def test_what_concerns_a_servers_own_disk_is_done_by_each(sqlite_server: Server) -> None:
    job, done = counting(on_each=True)
    both = [Periodic(sqlite_server, [job]) for _ in range(2)]
    assert [one.do_if_due(job) for one in both + both] == [True, True, False, False]
    assert len(done) == 2


def test_a_job_that_fails_does_not_end_the_thread(sqlite_server: Server) -> None:
    def fails(_server: Server, _go_on: GoOn) -> None:
        raise RuntimeError("as a test")

    other, done = counting(timedelta(seconds=0))
    periodic = Periodic(sqlite_server, [Job("failing", timedelta(seconds=0), fails), other], look_every_s=0.01)
    periodic.start()
    wait_until(lambda: len(done) > 1)
    assert (periodic.alive, periodic.failures["failing"]) == (True, 1)
    periodic.stop()
    assert not periodic.alive


def test_a_long_job_is_told_to_stop(sqlite_server: Server) -> None:
    begun = threading.Event()

    def work(_server: Server, go_on: GoOn) -> None:
        begun.set()
        while go_on():
            time.sleep(0.01)

    periodic = Periodic(sqlite_server, [Job("long", DAY, work)])
    periodic.start()
    assert begun.wait(20)
    periodic.stop()
    assert not periodic.alive
    assert periodic.done["long"] == 1


def test_a_stop_before_the_start_is_not_lost(sqlite_server: Server) -> None:
    job, done = counting()
    periodic = Periodic(sqlite_server, [job])
    periodic.stop()
    periodic.start()
    wait_until(lambda: not periodic.alive)
    assert done == []


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_job_of_the_server_runs_over_an_empty_database(server: Server, job: Job) -> None:
    periodic = Periodic(server, JOBS)
    assert periodic.do_if_due(job)
