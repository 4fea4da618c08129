"""What every contract shares: frozen, no unknown fields, aware times in UTC, a version."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from renzheng.clock import as_utc

CONTRACT_VERSION: Final = 1

UtcTime = Annotated[datetime, AfterValidator(as_utc)]


class Contract(BaseModel):
    """Base of everything that crosses a process."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")
