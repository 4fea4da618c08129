"""Parameters of addresses that many routes take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

NO_NUL = r"^[^\x00]+$"
"""PostgreSQL keeps no U+0000 in text, and fails over one in a question."""

Word = Annotated[str, Query(min_length=1, max_length=64, pattern=NO_NUL)]

Purpose = Annotated[
    str,
    Query(min_length=1, max_length=200, pattern=NO_NUL, description="why it is looked at; kept in the audit log"),
]
