"""What the report says about the run besides the checks themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from renzheng.contracts import PackReference, Reason, ThresholdValues


@dataclass(frozen=True)
class RecordingFact:
    """One recording on the camera's timeline; ``start`` and ``end`` are aware times."""

    name: str
    start: datetime
    end: datetime
    seconds: float


@dataclass(frozen=True)
class RefusedPhoto:
    """One enrolment photo that did not pass, and why."""

    psn_no: str
    file: str
    reason: Reason


@dataclass(frozen=True)
class ReportFacts:
    """Everything on the page that is not a check. All of it is shown as text, none of it is trusted as markup.

    ``enrolled`` maps a ``psn_no`` to a small picture of the enrolled face. ``platform_fields`` maps a swipe's id to
    the fields of its row under the platform's names; numbers of certificates and cards are shown masked. The page
    holds no time of the run unless ``made_at`` is given, so that the same inputs give the same bytes.
    """

    title: str
    institutions: tuple[str, ...] = ()
    recordings: tuple[RecordingFact, ...] = ()
    before_s: float = 6.0
    after_s: float = 4.0
    clock_offset_s: float = 0.0
    thresholds: ThresholdValues | None = None
    pack: PackReference | None = None
    licences: tuple[str, ...] = ()
    refused_photos: tuple[RefusedPhoto, ...] = ()
    unused_people: int = 0
    bad_rows: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    enrolled: Mapping[str, Path] = field(default_factory=dict)
    platform_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parameters: tuple[tuple[str, str], ...] = ()
    agent_version: str = ""
    made_at: datetime | None = None
