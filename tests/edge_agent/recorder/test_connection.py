"""States and pauses of a camera's connection, by tables of what happens when."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.recorder.connection import Connection, News, Pauses
from renzheng.contracts.report import CameraState


def a_connection(**given: Any) -> Connection:
    """A connection without jitter that stalls after 10 s and has 25 s to connect."""
    values: dict[str, Any] = {"stall_after_s": 10.0, "connect_within_s": 25.0, "draw": lambda: 0.5}
    return Connection(**(values | given))


def retry_after(connection: Connection, now_s: float) -> float:
    """Seconds from ``now_s`` until the camera is to be opened."""
    return next(tenths / 10 for tenths in range(100_000) if connection.is_due(now_s + tenths / 10 + 1e-6))


def test_a_new_connection_is_opened_at_once_and_only_once() -> None:
    connection = a_connection()
    assert connection.is_due(0)
    connection.opening(0)
    assert connection.state is CameraState.CONNECTING
    assert not connection.is_due(1)


def test_the_first_packet_makes_it_live() -> None:
    connection = a_connection()
    connection.opening(0)
    assert connection.received(1) == News("is live")
    assert connection.state is CameraState.LIVE
    assert connection.received(2) is None
    assert connection.reconnects == 0


def test_pauses_double_up_to_the_longest() -> None:
    connection = a_connection()
    waited = []
    for number in range(9):
        connection.opening(number * 1000)
        connection.failed(number * 1000, "no answer")
        assert connection.state is CameraState.WAITING
        waited.append(retry_after(connection, number * 1000))
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_camera_that_refuses_is_asked_seldom() -> None:
    connection = a_connection()
    waited = []
    for number in range(6):
        connection.opening(number * 5000)
        connection.failed(number * 5000, "401", refused=True)
        assert connection.state is CameraState.REFUSED
        waited.append(retry_after(connection, number * 5000))
    assert waited == [60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize(("drawn", "first_s"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_jitter_varies_the_pause_by_its_share(drawn: float, first_s: float) -> None:
    connection = a_connection(draw=lambda: drawn, pauses=Pauses(jitter=0.2))
    connection.opening(0)
    connection.failed(0, "no answer")
    assert retry_after(connection, 0) == pytest.approx(first_s, abs=0.11)


def test_a_live_camera_that_sends_nothing_is_stalled_and_tried_again() -> None:
    connection = a_connection()
    connection.opening(0)
    connection.received(1)
    connection.received(5)
    assert connection.overdue(14.9) is None
    news = connection.overdue(15)
    assert news == News("sent nothing to record for 10 s", is_trouble=True)
    assert connection.state is CameraState.STALLED
    assert connection.overdue(16) is None
    assert retry_after(connection, 15) == 1
    connection.opening(16)
    assert connection.received(17) == News("is live, after: sent nothing to record for 10 s")
    assert connection.reconnects == 1


def test_a_camera_that_does_not_get_live_is_given_up_in_time() -> None:
    connection = a_connection()
    connection.opening(0)
    assert connection.overdue(24.9) is None
    assert connection.overdue(25) == News("nothing that can be recorded came within 25 s", is_trouble=True)
    assert connection.state is CameraState.WAITING


def test_the_first_failure_warns_and_repeats_are_only_for_the_curious() -> None:
    connection = a_connection()
    told = []
    for number, why in enumerate(("no route", "no route", "no route", "404", "404")):
        connection.opening(number * 100)
        told.append(connection.failed(number * 100, why).is_repeat)
    assert told == [False, True, True, False, True]
    connection.opening(600)
    assert connection.received(601) == News("is live, after: 404")


def test_a_camera_that_drops_out_again_and_again_is_told_once_and_not_hammered() -> None:
    connection = a_connection()
    repeats, waited = [], []
    for number in range(4):
        at = number * 100.0
        connection.opening(at)
        live = connection.received(at)
        down = connection.failed(at + 3, "closed")
        assert live is not None
        repeats.append((live.is_repeat, down.is_repeat))
        waited.append(retry_after(connection, at + 3))
    assert repeats == [(False, False), (False, True), (True, True), (True, True)]
    assert waited == [1, 2, 4, 8]


def test_a_camera_that_was_live_for_long_begins_with_the_first_pause_and_warns_again() -> None:
    connection = a_connection()
    for at in (0, 100):
        connection.opening(at)
        connection.received(at)
        connection.failed(at + 3, "closed")
    connection.opening(200)
    connection.received(200)
    assert connection.failed(231, "closed") == News("closed", is_trouble=True)
    assert retry_after(connection, 231) == 1


def test_a_camera_that_ended_is_not_tried_again() -> None:
    connection = a_connection()
    connection.opening(0)
    connection.received(1)
    connection.ended(2)
    assert connection.state is CameraState.STOPPED
    assert not connection.is_due(1e9)
    assert connection.overdue(1e9) is None
