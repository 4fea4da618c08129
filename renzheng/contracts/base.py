"""What every contract shares: frozen, no unknown fields, aware times in UTC, a version."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from renzheng.clock import as_utc

CONTRACT_VERSION: Final = 1


def _utc(moment: datetime) -> datetime:
    try:
        return as_utc(moment)
    except OverflowError as error:
        raise ValueError("expected a time whose year in UTC is 1 to 9999") from error


UtcTime = Annotated[datetime, AfterValidator(_utc)]


class Contract(BaseModel):
    """Base of everything that crosses a process."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")
