"""The thread that works on orders."""

from __future__ import annotations

import logging
import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from server.enrolment.runner import ORDERS_MAX, Runner, runner_lifespan, runner_of
from server.errors import TooMany, Unavailable
from tests.server.conftest import House

SOON_S = 10.0


def test_jobs_are_done_one_after_another_and_one_that_fails_ends_itself_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner, done = Runner(), threading.Event()

    def fails(_stop: threading.Event) -> None:
        raise ValueError("as a test")

    def cannot(_stop: threading.Event) -> None:
        raise Unavailable("the database does not answer")

    for job in (fails, cannot, lambda _stop: done.set()):
        runner.take_place()
        runner.submit(job)
    assert done.wait(SOON_S)
    runner.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_more_than_a_few_orders_are_sent_away_until_one_is_done() -> None:
    runner, go, done = Runner(), threading.Event(), threading.Event()
    for _ in range(ORDERS_MAX):
        runner.take_place()
    with pytest.raises(TooMany):
        runner.take_place()

    runner.leave()
    runner.take_place()
    runner.submit(lambda _stop: done.set() if go.wait(SOON_S) else None)
    with pytest.raises(TooMany):
        runner.take_place()
    go.set()
    assert done.wait(SOON_S)
    runner.close()
    runner.take_place()


def test_an_application_that_ends_stops_the_job_at_hand() -> None:
    app, begun = FastAPI(lifespan=runner_lifespan), threading.Event()
    ended: list[bool] = []

    def long(stop: threading.Event) -> None:
        begun.set()
        ended.append(stop.wait(SOON_S))

    with TestClient(app):
        runner = runner_of(app)
        runner.take_place()
        runner.submit(long)
        assert begun.wait(SOON_S)
    assert ended == [True]


def test_the_server_stops_its_runner_before_it_closes_its_database(sqlite_house: House) -> None:
    begun, answers = threading.Event(), []

    def long(stop: threading.Event) -> None:
        begun.set()
        stop.wait(SOON_S)
        with sqlite_house.server.database.transaction(writes=False) as session:
            answers.append(session.scalar(text("SELECT 1")))

    with TestClient(sqlite_house.app):
        runner = runner_of(sqlite_house.app)
        runner.take_place()
        runner.submit(long)
        assert begun.wait(SOON_S)
    assert answers == [1]
