"""How an agent hands things to the server: batches in which each thing has an id and is taken once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.bed import BedCheck
from renzheng.contracts.check import IdentityCheck
from renzheng.contracts.report import AgentReport
from renzheng.ids import CHECK_ID_MAX

DeliveryId = Annotated[str, Field(min_length=1, max_length=CHECK_ID_MAX)]


class EvidencePiece(Contract):
    """A small file of a check: a face, the still, or sealed samples. The clip is uploaded apart."""

    path: str = Field(description="as the check names it")
    sha256: str
    data: str = Field(description="the file's bytes, base64")


class CheckDelivery(Contract):
    """One finished check. ``clip_due`` says that a clip of the same id follows."""

    delivery_id: DeliveryId
    finished_at: UtcTime
    clip_due: bool
    check: Annotated[IdentityCheck | BedCheck, Field(discriminator="kind")]
    pieces: tuple[EvidencePiece, ...] = Field((), description="files the check names, as far as they may leave the box")


class DeliveryBatch(Contract):
    """What one request carries."""

    contract_version: Literal[1] = CONTRACT_VERSION
    device_id: str
    checks: tuple[CheckDelivery, ...] = ()
    reports: tuple[AgentReport, ...] = ()


class RefusedDelivery(Contract):
    """A delivery the server will never take, and why."""

    delivery_id: str
    why: str


class DeliveryAnswer(Contract):
    """Which deliveries are now safe with the server; one that it had already is accepted again."""

    accepted: tuple[str, ...]
    refused: tuple[RefusedDelivery, ...] = ()
