"""Logs are one JSON object a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.logs import facts, start_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = kept, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_when_how_grave_which_process_where_what_and_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("main")
    logging.getLogger("some.room").warning("a swipe came %s", "late", extra=facts(swipe="S1", path=Path("a"), s=1.5))
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line.pop("at")).tzinfo is not None
    assert line == {
        "level": "warning", "process": "main", "where": "some.room", "what": "a swipe came late", "swipe": "S1",
        "path": "a", "s": 1.5,
    }  # fmt: skip


def test_a_traceback_and_odd_text_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("main")
    try:
        raise RuntimeError("two\nlines 药店")
    except RuntimeError:
        logging.getLogger("room").exception("it failed")
    (line,) = lines(capsys)
    assert "two\nlines 药店" in line["traceback"]


def test_what_is_not_worth_a_line_makes_none(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("vision")
    logging.getLogger("room").debug("a detail")
    logging.getLogger("httpx").info("HTTP Request: GET https://server/v1/templates/3302")
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines(capsys) == []


def test_starting_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("main")
    start_logging("main")
    logging.getLogger("room").info("once")
    assert len(lines(capsys)) == 1
