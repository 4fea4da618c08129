"""A swipe: one use of an insurance credential at a terminal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime


class Swipe(Contract):
    """One use of an insurance credential, under the national platform's field names."""

    contract_version: Literal[1] = CONTRACT_VERSION
    setl_id: str = Field(min_length=1, max_length=64, description="settlement number; names the swipe")
    psn_no: str = Field(min_length=1, max_length=64, description="person number of the credential's holder")
    fixmedins_code: str = Field(min_length=1, max_length=64, description="designated institution")
    terminal_id: str = Field(min_length=1, max_length=64, description="terminal at which the credential was used")
    setl_time: UtcTime = Field(description="when it was used; without zone taken as Asia/Shanghai, kept in UTC")
    platform_fields: dict[str, str] = Field(
        default_factory=dict, description="the other fields of the row under the platform's names, as given"
    )
