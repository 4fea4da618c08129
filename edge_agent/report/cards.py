"""What the page shows of one swipe, worked out so that the template only places it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge_agent.explain import accept_few, deciding_rule, strongest_track, swipe_on_camera_offset
from edge_agent.report.facts import ReportFacts
from edge_agent.report.geometry import Axis, anchor
from edge_agent.report.pictures import STILL_PX, data_uri, inside
from edge_agent.report_words import FIELD_WORDS
from renzheng.contracts import FLAGGED, FaceSample, IdentityCheck, TrackEvidence, TrackRole, Verdict, Words

MOST_PICTURES = 5
MOST_STRIP_ROWS = 6
SCALE = Axis(-0.2, 1.0)
_MASKED = frozenset({"certno", "mdtrt_cert_no", "card_sn"})
_NAMES_THE_CASE = frozenset({"psn_no", "setl_id"})
_IDENTITY_NUMBER = r"(?<!\d)\d{17}[\dXxＸｘ](?![\dXxＸｘ])"
_MOBILE_NUMBER = r"(?<!\d)(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
_TELLTALE = re.compile(f"{_IDENTITY_NUMBER}|{_MOBILE_NUMBER}")
"""What looks like an 18-character identity number (GB 11643) or a mainland mobile number."""
_ROLE_ORDER = (
    TrackRole.HOLDER,
    TrackRole.AGENT,
    TrackRole.CONFLICT,
    TrackRole.UNCERTAIN,
    TrackRole.OTHER,
    TrackRole.NOT_ASSESSABLE,
    TrackRole.STAFF,
    TrackRole.OUTSIDE,
)


@dataclass(frozen=True)
class Picture:
    """One sample as shown."""

    sample: FaceSample
    uri: str | None


@dataclass(frozen=True)
class Dot:
    """One sample's score on the scale."""

    x: str
    assessable: bool


@dataclass(frozen=True)
class Scale:
    """The score among the thresholds, −0.2 to 1.0."""

    reject: str
    accept: str
    few: str
    below_width: str
    between_width: str
    few_width: str
    above_width: str
    reject_anchor: str
    few_anchor: str
    pin: str | None
    pin_anchor: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class StripRow:
    """One track's span in the window."""

    track: TrackEvidence
    x: str
    width: str
    ticks: tuple[Dot, ...]


@dataclass(frozen=True)
class StripTick:
    """One labelled second of the window."""

    x: str
    text: str
    anchor: str


@dataclass(frozen=True)
class Strip:
    """The window from before to after the swipe."""

    before_s: float
    after_s: float
    zero: str
    zero_anchor: str
    rows: tuple[StripRow, ...]
    more: int
    ticks: tuple[StripTick, ...]


@dataclass(frozen=True)
class Clip:
    """The clip as linked: its address from the report, started two seconds before the swipe."""

    href: str
    start_at_s: float
    swipe_at_s: float


@dataclass(frozen=True)
class Card:
    """One swipe."""

    name: str
    check: IdentityCheck
    flagged: bool
    rule: tuple[Words, dict[str, str]]
    enrolled: str | None
    pictures: tuple[Picture, ...]
    still: str | None
    scale: Scale
    strip: Strip
    clip: Clip | None
    platform: tuple[tuple[Words, str], ...]


def cards(checks: Sequence[IdentityCheck], facts: ReportFacts, out_dir: Path) -> Iterator[Card]:
    """One card a check, in the order given, named ``s1``, ``s2`` and so on."""
    enrolled: dict[str, str | None] = {}
    for number, check in enumerate(checks, start=1):
        if check.psn_no not in enrolled:
            enrolled[check.psn_no] = data_uri(facts.enrolled.get(check.psn_no))
        shown = best_samples(check)
        yield Card(
            name=f"s{number}",
            check=check,
            flagged=check.verdict in FLAGGED,
            rule=deciding_rule(check),
            enrolled=enrolled[check.psn_no],
            pictures=tuple(Picture(sample, data_uri(inside(out_dir, sample.crop or ""))) for sample in shown),
            still=data_uri(inside(out_dir, check.still or ""), STILL_PX),
            scale=score_scale(check),
            strip=window_strip(check),
            clip=clip_link(check),
            platform=tuple(platform_rows(facts.platform_fields.get(check.swipe_id, {}))),
        )


def best_samples(check: IdentityCheck) -> list[FaceSample]:
    """Up to five samples (four beside a still) that show best how the verdict came about, by track and then by time.

    A match shows the track that decided and nobody else; otherwise each track in the zone gives its best in turn.
    """
    tracks = sorted(check.tracks, key=lambda t: (_ROLE_ORDER.index(t.role), -(t.holder_score or -1.0), t.track))
    shown = [track for track in tracks if track.in_counter_zone and track.role is not TrackRole.OUTSIDE]
    deciding = strongest_track(check)
    if check.verdict in {Verdict.MATCH, Verdict.PROXY_MATCH} and deciding is not None:
        shown = [deciding]
    queues = [_by_worth(check, track.track) for track in shown]
    picked: list[tuple[int, FaceSample]] = []
    for turn in range(MOST_PICTURES):
        picked += [(place, queue[turn]) for place, queue in enumerate(queues) if turn < len(queue)]
    most = MOST_PICTURES - 1 if check.still else MOST_PICTURES
    ordered = sorted(picked[:most], key=lambda pair: (pair[0], pair[1].offset_s))
    return [sample for _, sample in ordered]


def _by_worth(check: IdentityCheck, track: int) -> list[FaceSample]:
    own = [sample for sample in check.samples if sample.track == track]
    return sorted(own, key=lambda s: (not s.assessable, -s.quality.score, s.offset_s))


def score_scale(check: IdentityCheck) -> Scale:
    """The thresholds, the score and every sample's score, as places on the scale."""
    reject, accept, few = check.thresholds.reject, check.thresholds.accept, accept_few(check)
    zone = {track.track for track in check.tracks if track.in_counter_zone}
    scored = [s for s in check.samples if s.similarity is not None and s.track in zone]
    pin = None if check.score is None else SCALE.share(check.score)
    return Scale(
        reject=SCALE.at(reject),
        accept=SCALE.at(accept),
        few=SCALE.at(few),
        below_width=SCALE.at(reject),
        between_width=SCALE.width(reject, accept),
        few_width=SCALE.width(accept, few),
        above_width=SCALE.width(few, SCALE.high),
        reject_anchor="start" if SCALE.share(reject) < 20 else "end",
        few_anchor="end" if SCALE.share(few) > 70 else "start",
        pin=None if pin is None else f"{pin:.2f}%",
        pin_anchor="middle" if pin is None else anchor(pin, 5.0),
        dots=tuple(Dot(SCALE.at(s.similarity or 0.0), s.assessable) for s in scored),
    )


def window_strip(check: IdentityCheck) -> Strip:
    """The tracks' spans and samples between the window's ends, the swipe at 0."""
    start = swipe_on_camera_offset(check, check.window_start)
    end = max(swipe_on_camera_offset(check, check.window_end), start + 0.1)
    axis = Axis(start, end)
    tracks = sorted(check.tracks, key=lambda t: (_ROLE_ORDER.index(t.role), t.first_seen, t.track))
    return Strip(
        before_s=-start,
        after_s=end,
        zero=axis.at(0),
        zero_anchor=anchor(axis.share(0)),
        rows=tuple(_strip_row(check, axis, track) for track in tracks[:MOST_STRIP_ROWS]),
        more=max(0, len(tracks) - MOST_STRIP_ROWS),
        ticks=tuple(_strip_ticks(axis)),
    )


def _strip_row(check: IdentityCheck, axis: Axis, track: TrackEvidence) -> StripRow:
    first = swipe_on_camera_offset(check, track.first_seen)
    last = swipe_on_camera_offset(check, track.last_seen)
    own = [sample for sample in check.samples if sample.track == track.track]
    ticks = tuple(Dot(axis.at(sample.offset_s), sample.assessable) for sample in own)
    return StripRow(track, axis.at(first), axis.width(first, last, 0.8), ticks)


def _strip_ticks(axis: Axis) -> Iterator[StripTick]:
    length = axis.high - axis.low
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if length / s <= 8), 1800)
    for second in range(-int(-axis.low // step) * step, int(axis.high) + 1, step):
        if second:
            text = f"{second:+d}".replace("-", "−")
            yield StripTick(axis.at(second), text, anchor(axis.share(second), 3.0))


def clip_link(check: IdentityCheck) -> Clip | None:
    """Where the clip lies beside the report; a path that leads elsewhere gives no link."""
    if check.clip is None:
        return None
    parts = check.clip.path.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or ":" in check.clip.path:
        return None
    on_camera = check.swiped_at.timestamp() + check.clock_offset_s - check.clip.start.timestamp()
    swipe_at = max(0.0, on_camera)
    return Clip("/".join(quote(part) for part in parts), max(0.0, round(swipe_at - 2, 1)), swipe_at)


def platform_rows(fields: Mapping[str, str]) -> Iterator[tuple[Words, str]]:
    """The platform's fields with something in them, known ones by their words, secret numbers masked."""
    for name, value in fields.items():
        if value.strip():
            yield FIELD_WORDS.get(name.strip().casefold(), Words(name, name)), shown_value(name, value)


def shown_value(name: str, value: str) -> str:
    """A field's value with certificate, card, identity and mobile numbers covered, whatever its column is called; but
    the numbers that name the case are shown."""
    known = name.strip().casefold()
    if known in _NAMES_THE_CASE:
        return value
    return masked(value) if known in _MASKED else _TELLTALE.sub(lambda found: masked(found[0]), value)


def masked(number: str) -> str:
    """A certificate or card number with its middle covered: enough to compare, too little to use."""
    kept = 4 if len(number) >= 12 else 1
    return f"{number[:kept]}{'*' * max(3, len(number) - 2 * kept)}{number[-kept:]}" if number else ""
