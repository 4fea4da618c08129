"""What the requests and answers of all rooms share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Base of what is asked and answered: nothing unknown is taken, nothing is changed once made."""

    model_config = ConfigDict(frozen=True, extra="forbid")
