"""What an audit was asked and given: everything that can be wrong is read, and refused, before footage is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import renzheng
from calibration.sets import load_set
from calibration.zones import read_zones
from edge_agent.audit_counter import ClipPolicy, CounterPlan
from edge_agent.audit_journal import digest_of
from edge_agent.footage import AFTER_S, BEFORE_S, USUAL_MINUTES, USUAL_MINUTES_MAX
from edge_agent.people_folder import PeopleFolder
from edge_agent.recording_probe import FoundRecordings, RecordedFile, find_recordings
from edge_agent.tables import AgentTable, SwipeTable, read_agents, read_swipes
from models.licences import pack_licence
from models.pack import DEFAULT_PACK, load_pack
from renzheng.contracts import Swipe
from renzheng.errors import BadInput
from renzheng.settings import settings
from vision.zones import ZoneKind, Zones

OVERLAPS_SHOWN_MAX = 20


@dataclass(frozen=True)
class AuditOptions:
    """What ``renzheng audit`` was asked; times in seconds, ``recording_start`` aware or Asia/Shanghai."""

    recordings: Sequence[Path]
    swipes: Path
    gallery: Path
    out: Path
    recording_start: datetime | None = None
    terminals: Sequence[str] = ()
    staff: Path | None = None
    agents: Path | None = None
    zones: Path | None = None
    clock_offset_s: float = 0.0
    before_s: float = BEFORE_S
    after_s: float = AFTER_S
    usual_minutes: float = USUAL_MINUTES
    pack: str = DEFAULT_PACK
    thresholds: str | None = None
    jobs: int = 1
    clips: ClipPolicy = "all"
    exhaustive: bool = False
    skip_bad_rows: bool = False
    skip_bad_recordings: bool = False
    replace: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        if self.before_s < 0 or self.after_s < 0 or not 0 < self.before_s + self.after_s <= 600:
            raise BadInput("--before and --after: expected seconds that are not negative and make 0 to 600 together")
        if not abs(self.clock_offset_s) <= 86_400:  # not a number is refused too
            raise BadInput(f"--clock-offset: expected at most a day in seconds, got {self.clock_offset_s}")
        if not 0 <= self.usual_minutes <= USUAL_MINUTES_MAX:
            raise BadInput(f"--usual-minutes: expected 0 to {USUAL_MINUTES_MAX:g}, got {self.usual_minutes}")
        if not 1 <= self.jobs <= 256:
            raise BadInput(f"--jobs: expected 1 to 256, got {self.jobs}")


@dataclass(frozen=True)
class Inputs:
    """Everything an audit was given, read and found in order."""

    plan: CounterPlan
    swipes: tuple[Swipe, ...]
    table: SwipeTable
    agents: AgentTable
    cautions: tuple[str, ...]
    title: str
    digest: str


def read_inputs(options: AuditOptions) -> Inputs:
    """Read every input. Raises :class:`BadInput` that names the file and what was expected."""
    table = read_swipes(options.swipes, skip_bad_rows=options.skip_bad_rows)
    agents = read_agents(options.agents) if options.agents else AgentTable()
    thresholds_name = options.thresholds or options.pack
    pack_licence(options.pack)  # an unknown pack is told as such
    threshold_set, threshold_digest = load_set(thresholds_name)
    if threshold_set.pack != options.pack:
        raise BadInput(f"{thresholds_name}: made for the pack {threshold_set.pack}, not for {options.pack}")
    zones = read_zones(options.zones) if options.zones else Zones.whole_picture()
    gallery = PeopleFolder(options.gallery)
    staff = PeopleFolder(options.staff) if options.staff else None
    swipes, other_terminals = _at_this_counter(table.swipes, options.terminals)
    recordings, bad_recordings = _recordings(options)
    plan = CounterPlan(
        recordings=recordings,
        gallery=options.gallery,
        out=options.out,
        pack=options.pack,
        thresholds=thresholds_name,
        staff=options.staff,
        agents=agents,
        zones=options.zones,
        before_s=options.before_s,
        after_s=options.after_s,
        clock_offset_s=options.clock_offset_s,
        usual_minutes=options.usual_minutes,
        exhaustive=options.exhaustive,
        clips=options.clips,
    )
    title = options.title or options.swipes.name
    photos = _photos_needed(gallery, staff, agents, swipes)
    digest = _digest(options, plan, threshold_digest, photos)
    cautions = (
        *_no_staff_known(staff, zones),
        *_nobody_enrolled(gallery, swipes),
        *_rows_left_out(table),
        *other_terminals,
        *bad_recordings,
        *table.warnings,
        *agents.warnings,
    )
    return Inputs(plan, swipes, table, agents, cautions, title, digest)


def _nobody_enrolled(gallery: PeopleFolder, swipes: Sequence[Swipe]) -> tuple[str, ...]:
    """What to say when the gallery holds nobody of the list: most often it is the wrong folder."""
    if any(swipe.psn_no in gallery for swipe in swipes):
        return ()
    return (f"{gallery.folder}: no person of the swipes has a folder in it; expected one folder per psn_no",)


def _rows_left_out(table: SwipeTable) -> tuple[str, ...]:
    lines = len({row.line for row in table.bad_rows})
    return (f"bad rows of the swipes left out: {lines}; the report lists them",) if lines else ()


def _at_this_counter(swipes: Sequence[Swipe], terminals: Sequence[str]) -> tuple[tuple[Swipe, ...], tuple[str, ...]]:
    """The swipes at the terminals that the camera sees, and what to say of the others. Raises :class:`BadInput` when
    none is left."""
    known = sorted({swipe.terminal_id for swipe in swipes})
    if not terminals:
        several = (
            f"swipes of {len(known)} terminals ({', '.join(known[:9])}) are checked against this one camera: where it "
            "does not see them all, name with --terminal those it sees"
        )
        return tuple(swipes), (several,) if len(known) > 1 else ()
    kept = tuple(swipe for swipe in swipes if swipe.terminal_id in terminals)
    if not kept:
        raise BadInput(f"--terminal: no swipe at {', '.join(terminals)}; the swipes are at {', '.join(known[:9])}")
    left_out = len(swipes) - len(kept)
    return kept, (f"swipes at other terminals left out: {left_out}",) if left_out else ()


def _recordings(options: AuditOptions) -> tuple[tuple[RecordedFile, ...], tuple[str, ...]]:
    """The recordings to look at, and what was wrong with those left out. Raises :class:`BadInput` that lists every
    bad one, unless they may be left out and one is left; files that overlap are never left out, since nobody knows
    which of them is wrong."""
    found = find_recordings(options.recordings, options.recording_start)
    wrong = tuple(map(str, found.bad))
    if found.overlaps or (wrong and not (options.skip_bad_recordings and found.recordings)):
        raise BadInput(wrong[0] if len(options.recordings) == 1 else _all_bad(found))
    return found.recordings, tuple(f"left out: {message}" for message in wrong)


def _all_bad(found: FoundRecordings) -> str:
    wrong, overlaps = list(map(str, found.bad)), list(map(str, found.overlaps[:OVERLAPS_SHOWN_MAX]))
    if more := len(found.overlaps) - len(overlaps):
        overlaps.append(f"and {more} more")
    lines = []
    if wrong:
        heading = f"{len(wrong)} of {len(wrong) + len(found.recordings)} recordings cannot be used:"
        lines.append("\n  ".join((heading, *wrong)))
    if overlaps:
        lines.append("\n  ".join(("recordings of one camera overlap:", *overlaps)))
        lines.append("Give the recordings of one camera, each once and with its true beginning.")
    elif found.recordings:
        lines.append("Put them right, or go on without them with --skip-bad-recordings.")
    else:
        lines.append("No recording is left.")
    return "\n".join(lines)


def _no_staff_known(staff: PeopleFolder | None, zones: Zones) -> tuple[str, ...]:
    """What to say when nothing tells staff from customers."""
    if staff or zones.of_kind(ZoneKind.STAFF):
        return ()
    return (
        "neither --staff nor a staff zone was given: a clerk's face counts as a customer's, and may be called a "
        "mismatch where only the clerk was there",
    )


def _digest(options: AuditOptions, plan: CounterPlan, threshold_digest: str, photos: Iterator[tuple[str, Path]]) -> str:
    """One digest over all that the results depend on; where files lie does not matter."""
    facts = {
        "version": renzheng.__version__,
        **_engine(plan.pack),
        "thresholds": threshold_digest,
        "window": [plan.before_s, plan.after_s, plan.clock_offset_s],
        "usual_minutes": plan.usual_minutes,
        "how": [plan.exhaustive, plan.clips, options.skip_bad_rows, options.skip_bad_recordings],
        "terminals": sorted(options.terminals),
        "files": [bool(options.agents), bool(options.zones)],
        "recordings": [
            [r.path.name, r.start_s, r.end_s, r.path.stat().st_size, r.path.stat().st_mtime_ns] for r in plan.recordings
        ],
    }
    files = [path for path in (options.swipes, options.agents, options.zones) if path]
    return digest_of(facts, files, photos)


def _engine(pack_name: str) -> dict[str, object]:
    """What looks at the pictures: the networks by digest, and what decodes and runs them."""
    pack = load_pack(pack_name)
    return {
        "pack": [pack.name, pack.detector_sha256, pack.embedder_sha256],
        "engine": [version("onnxruntime"), version("av"), settings().provider],
    }


def _photos_needed(
    gallery: PeopleFolder, staff: PeopleFolder | None, agents: AgentTable, swipes: Sequence[Swipe]
) -> Iterator[tuple[str, Path]]:
    """Photos of every holder, of the holders' agents and of the staff, each with whose it is; nobody else's matter."""
    holders = {swipe.psn_no for swipe in swipes}
    their_agents = {agency.agent_psn_no for agency in agents.agencies if agency.psn_no in holders}
    for psn_no in sorted(holders | their_agents):
        yield from (("gallery", photo) for photo in gallery.photos(psn_no))
    if staff:
        for staff_id in staff.person_ids():
            yield from (("staff", photo) for photo in staff.photos(staff_id))
