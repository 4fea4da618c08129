"""Structured logs: one JSON object a line on standard error, the same from every process of an agent.

A message is a short fixed sentence; what varies goes into ``extra={"facts": {...}}``. Person numbers, names and faces
never do.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from renzheng.clock import from_seconds


class JsonLines(logging.Formatter):
    """``at``, ``level``, ``process``, ``where``, ``what``, then the facts."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback becomes a field."""
        line: dict[str, Any] = {
            "at": from_seconds(record.created).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "where": record.name,
            "what": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


LEVEL_VARIABLE = "RENZHENG_LOG_LEVEL"
"""Environment variable that every process of an agent inherits: DEBUG, INFO (the default), WARNING or ERROR."""


def start_logging(process: str) -> None:
    """Send what this process logs to standard error as JSON lines."""
    level = logging.getLevelNamesMapping().get(os.environ.get(LEVEL_VARIABLE, "").upper(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.access", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def only_errors() -> Iterator[None]:
    """Have this process and those it starts tell errors alone, unless the environment says otherwise."""
    given = os.environ.get(LEVEL_VARIABLE)
    os.environ.setdefault(LEVEL_VARIABLE, "ERROR")
    start_logging("main")
    try:
        yield
    finally:
        if given is None:
            del os.environ[LEVEL_VARIABLE]


def facts(**values: object) -> dict[str, dict[str, object]]:
    """The ``extra`` of a log call."""
    return {"facts": values}
