"""A word in time before so many faces are stored that the law asks for a filing."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from server.people import repository
from server.people.messages import Notice

FILING_AT: Final = 100_000
"""Measures for face recognition (in force 2025-06-01): a filing within 30 working days once so many are stored."""

WARN_FROM: Final = 90_000


def filing_notice(session: Session) -> Notice | None:
    """What to tell whoever enrols, from 90,000 people on."""
    people = repository.people_with_photos(session)
    if people < WARN_FROM:
        return None
    if people < FILING_AT:
        return Notice(
            code="filing_near",
            zh=f"已存储 {people} 人的人脸信息，达到 {FILING_AT} 人后须在 30 个工作日内备案",
            en=f"faces of {people} people are stored; from {FILING_AT} on a filing is due within 30 working days",
        )
    return Notice(
        code="filing_due",
        zh=f"已存储 {people} 人的人脸信息，须在达到 {FILING_AT} 人之日起 30 个工作日内备案",
        en=f"faces of {people} people are stored: a filing is due within 30 working days of reaching {FILING_AT}",
    )
