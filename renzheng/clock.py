"""Times of the house: stored times are aware and in UTC; a time without zone is China Standard Time.

The national platform writes local times of Asia/Shanghai without a zone. China has kept no daylight
saving time since 1991, so the zone is a fixed eight hours and needs no zone database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC; a naive time is taken as Asia/Shanghai."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)


def local_text(moment: datetime, *, milliseconds: bool = False) -> str:
    """``yyyy-MM-dd HH:mm:ss`` in Asia/Shanghai, as the platform writes times."""
    local = as_utc(moment).astimezone(SHANGHAI)
    return local.isoformat(sep=" ", timespec="milliseconds" if milliseconds else "seconds")[
        : 23 if milliseconds else 19
    ]


def from_seconds(seconds: float) -> datetime:
    """Seconds since 1970 (UTC) as an aware time, to the microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(seconds * 1e6))


def to_seconds(moment: datetime) -> float:
    """An aware time (or naive in Asia/Shanghai) as seconds since 1970 (UTC)."""
    return (as_utc(moment) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
