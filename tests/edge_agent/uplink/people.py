"""Templates as a server would send them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from renzheng.contracts import AgentOfHolder, PersonTemplates, StaffAnswer, TemplateAnswer
from tests.edge_agent.builders import NOON
from vision.types import FloatArray

MODEL = "e" * 64
SIZE = 8
FAR = datetime(2036, 1, 1, tzinfo=UTC)


def unit(number: int, size: int = SIZE) -> FloatArray:
    """A unit row that differs by number."""
    return np.eye(size, dtype=np.float32)[number % size]


def text_of(row: FloatArray) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def a_person(person_id: str, *rows: FloatArray, model: str = MODEL) -> PersonTemplates:
    return PersonTemplates(person_id=person_id, embedder_sha256=model, templates=tuple(map(text_of, rows)))


def an_agent(person_id: str, *rows: FloatArray, since: timedelta = timedelta(days=-30), **given: Any) -> AgentOfHolder:
    return AgentOfHolder(person=a_person(person_id, *rows), valid_from=NOON + since, **given)


def an_answer(psn_no: str = "P1", **given: Any) -> TemplateAnswer:
    values: dict[str, Any] = {"psn_no": psn_no, "holder": a_person(psn_no, unit(1)), "expires_at": FAR}
    return TemplateAnswer(**(values | given))


def a_staff(*people: PersonTemplates, **given: Any) -> StaffAnswer:
    return StaffAnswer(staff=people, expires_at=given.get("expires_at", FAR))
