"""What the routes of bulk enrolment answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from server.enrolment.words import RowProblem
from server.messages import Message


class Outcome(StrEnum):
    """What became of a row."""

    ENROLLED = "enrolled"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Order(Message):
    """One order to enrol many, and how far it is."""

    id: str
    dry_run: bool = Field(description="nothing is kept of it but this report")
    state: Literal["waiting", "running", "done"] = Field(
        description="waiting: its turn has not come, or it was cut off; then the same files, sent again, go on with it"
    )
    rows: int
    outcomes: dict[Outcome, int] = Field(description="rows by outcome; those that are missing are still to come")
    photos_unused: int = Field(description="photos that are named after nobody of the table")
    started_at: datetime
    finished_at: datetime | None


class RowReport(Message):
    """What became of one row."""

    row: int = Field(description="line of the table; the header is line 1")
    outcome: Outcome
    person_id: str | None
    photos_taken: int = Field(description="photos that were not kept before")
    problems: list[RowProblem]


class RowPage(Message):
    """Rows in the order of the table."""

    rows: list[RowReport]
    next_after: int | None = Field(description="ask on with `after` set to this; null when there is no more")
