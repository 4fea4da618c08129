"""How a box becomes known to the server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract


class EnrolmentRequest(Contract):
    """What a box says of itself, once, with the token an operator was given for it.

    The same token with the same key gets the same answer again, because an answer may be lost on its way.
    """

    contract_version: Literal[1] = CONTRACT_VERSION
    token: str = Field(min_length=1, description="good for one box")
    public_key: str = Field(description="raw Ed25519 key that the box signs clips with, base64")
    fixmedins_code: str
    agent_version: str


class EnrolmentAnswer(Contract):
    """Who the box is from now on."""

    contract_version: Literal[1] = CONTRACT_VERSION
    device_id: str = Field(min_length=1, max_length=64)
    device_token: str = Field(min_length=16, description="goes with every request; the server can revoke it")
    server_public_key: str = Field(description="raw X25519 key, base64: what only the server may read is sealed for it")
