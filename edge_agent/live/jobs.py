"""What the agent asks of its vision process, and what comes back. Plain values: they cross a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from renzheng.contracts import BedCheck, CameraFitness, IdentityCheck, RoundKind, Swipe


@dataclass(frozen=True)
class SwipeJob:
    """Check a swipe. Not ``final``: an opinion from what is recorded so far, of which nothing is kept.

    ``clock_doubt`` says that the swipe's time or the box's clock is in doubt, so that nobody may be accused.
    ``give_up`` asks for the check of a swipe over which the process died again and again: not assessable, and nothing
    is looked at. An error of the swipe's own is no failure either, but gives such a check.
    """

    job_id: str
    swipe: Swipe
    final: bool
    clock_doubt: bool = False
    give_up: bool = False


@dataclass(frozen=True)
class AheadJob:
    """Look at one more stretch of what there is of a swipe's window by now: the final check will have the less to look
    at, and one that is due need not wait for long."""

    job_id: str
    swipe: Swipe


@dataclass(frozen=True)
class BedJob:
    """Check a bed in a window that begins at ``asked_s``, seconds since 1970 (UTC)."""

    job_id: str
    check_id: str
    bed_id: str
    round_kind: RoundKind
    asked_s: float
    give_up: bool = False


@dataclass(frozen=True)
class GlanceJob:
    """Look at the newest keyframe of a camera."""

    job_id: str
    camera_id: str


@dataclass(frozen=True)
class SnapshotJob:
    """Show the newest keyframe of a camera."""

    job_id: str
    camera_id: str


Job = SwipeJob | AheadJob | BedJob | GlanceJob | SnapshotJob


@dataclass(frozen=True)
class EvidenceFile:
    """One file of a finished check, complete and on the disk. ``kind`` is clip, manifest, still, sample or sealed."""

    kind: str
    path: Path
    size_bytes: int


@dataclass(frozen=True)
class CheckDone:
    """A finished check and its files; ``remarks`` are for the log."""

    job_id: str
    check: IdentityCheck | BedCheck
    files: tuple[EvidenceFile, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class LookedAhead:
    """The answer to an :class:`AheadJob`; what was seen stays in the vision process. ``more``: ask again."""

    job_id: str
    more: bool = False


@dataclass(frozen=True)
class GlanceDone:
    """What one glance found: people newly come to the counter, people there now, and the camera's fitness."""

    job_id: str
    camera_id: str
    at_s: float
    arrived: int
    present: int
    fitness: CameraFitness


@dataclass(frozen=True)
class JobFailed:
    """A job that gave nothing. ``storage_full``: try again when there is room. ``vision_down``: the vision process
    could not start, and nothing was tried. Else it was this job's own error.
    """

    job_id: str
    why: str
    storage_full: bool = False
    vision_down: bool = False

    @property
    def is_its_own(self) -> bool:
        """Whether the job itself is to blame, as far as anybody can tell."""
        return not (self.storage_full or self.vision_down)


@dataclass(frozen=True)
class SnapshotDone:
    """A reduced picture as JPEG with private zones black; it is nowhere on the disk."""

    job_id: str
    jpeg: bytes


Answer = CheckDone | LookedAhead | GlanceDone | SnapshotDone | JobFailed
