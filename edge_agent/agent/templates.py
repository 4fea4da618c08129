"""Bringing templates to the box before a check needs them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Templates(Protocol):
    """Brings a holder's templates to the box."""

    async def ensure(self, psn_no: str, at: datetime) -> object:
        """Return when the templates are here, or it is known that they are not to be had now."""
        ...
