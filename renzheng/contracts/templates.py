"""Templates on their way from the server to a box, for one person and a short time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime


class PersonTemplates(Contract):
    """The templates of one enrolled person."""

    person_id: str = Field(min_length=1, max_length=64, description="psn_no, or a staff number")
    embedder_sha256: str = Field(description="digest of the model that made the templates")
    templates: tuple[str, ...] = Field(description="each a unit vector of float32, little endian, base64")


class TemplateQuestion(Contract):
    """Whom a box needs. It is a request's body, because addresses end up in logs and person numbers must not."""

    contract_version: Literal[1] = CONTRACT_VERSION
    psn_no: str = Field(min_length=1, max_length=64)
    at: UtcTime = Field(description="when the person was to be there")
    embedder_sha256: str = Field(description="digest of the model that the box compares with")


class AgentOfHolder(Contract):
    """An approved agent and when the approval holds."""

    person: PersonTemplates
    valid_from: UtcTime
    valid_to: UtcTime | None = None


class TemplateAnswer(Contract):
    """Everything a box may compare one holder's swipes with on the day (Asia/Shanghai) of the question.

    ``holder`` is null when nobody is enrolled so. ``agents`` are all whose approval holds at some time of that day; one
    who is approved but not enrolled is there without templates, because a stranger may then be that agent.
    """

    contract_version: Literal[1] = CONTRACT_VERSION
    psn_no: str
    holder: PersonTemplates | None
    agents: tuple[AgentOfHolder, ...] = ()
    expires_at: UtcTime


class StaffAnswer(Contract):
    """Everybody who works at the institution."""

    contract_version: Literal[1] = CONTRACT_VERSION
    staff: tuple[PersonTemplates, ...]
    expires_at: UtcTime
