"""Routes of boxes: templates for a short time (``docs/contracts/uplink.md``)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from renzheng.contracts import StaffAnswer, TemplateAnswer, TemplateQuestion
from server.access import Box
from server.context import LoggedTransaction, ServerOfRequest, Transaction
from server.people.serving import answer_question, staff_answer

router = APIRouter()


@router.post("/v1/templates", summary="Templates of a holder and the agents, for a box")
def templates(box: Box, session: Transaction, server: ServerOfRequest, question: TemplateQuestion) -> TemplateAnswer:
    """Everything that a box may compare one holder's swipes with on a day, logged with the purpose.

    ``holder`` is null where the number is not enrolled, where no legal basis for identity checks is in force, and
    where the person is insured outside the prefecture of the box's institution: templates stay where their pool
    settles. An agent who did not agree to agent checks is there without templates, since a stranger may be that agent.
    """
    return answer_question(session, server, box, question)


@router.get("/v1/staff", summary="Templates of the institution's staff, for a box")
def staff(
    box: Box,
    session: LoggedTransaction,
    server: ServerOfRequest,
    embedder_sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="model that the box compares with")],
) -> StaffAnswer:
    """Everybody who works at the box's institution and has a template of this model, logged with the purpose."""
    return staff_answer(session, server, box, embedder_sha256)
