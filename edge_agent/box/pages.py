"""The box's one page, rendered on the box in one language; it needs no script."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edge_agent.box.view import BoxState, CameraView, CheckView, Problem
from edge_agent.box.words import CAMERA_STATE_WORDS, COUNT_WORDS, EVENT_WORDS, PROBLEM_WORDS, SERVER_STATE_WORDS, WORDS
from renzheng.clock import SHANGHAI, as_utc, from_seconds, local_text
from renzheng.contracts import (
    BED_VERDICT_WORDS,
    FLAGGED,
    FLAGGED_BEDS,
    REASON_WORDS,
    VERDICT_WORDS,
    BedVerdict,
    Verdict,
    Words,
)

Language = Literal["zh", "en"]

SEPARATOR = {"zh": "；", "en": "; "}
RENEWED_EVERY_S = 15
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PROBLEMS = frozenset(Problem)
_STEPS = (
    (120.0, 1.0, "age_s"),
    (7200.0, 60.0, "age_min"),
    (172800.0, 3600.0, "age_h"),
    (float("inf"), 86400.0, "age_d"),
)


def render_page(state: BoxState, language: Language, shown_camera: str | None = None) -> str:
    """The page as text; the picture of ``shown_camera`` is shown, where there is such a camera."""
    checks_today = sum(state.checks_today.values())
    return (
        _environment()
        .get_template("status.html")
        .render(
            state=state,
            language=language,
            shown=next((c.camera_id for c in state.cameras if c.camera_id == shown_camera), None),
            standing=_standing(state),
            total=checks_today,
            flagged=sum(n for verdict, n in state.checks_today.items() if is_flagged(verdict)),
            open_checks=sum(check.verdict is None for check in state.recent),
            renewed_every_s=RENEWED_EVERY_S,
            counts=[(verdict, n) for verdict, n in state.checks_today.items() if n],
            **_in_language(language, state),
        )
    )


@cache
def style() -> str:
    """The style sheet: the report's, so that both look alike, then what only this page has."""
    environment = _environment()
    assert environment.loader is not None
    return "\n".join(environment.loader.get_source(environment, name)[0] for name in ("report.css", "status.css"))


def is_flagged(verdict: Verdict | BedVerdict) -> bool:
    """Whether a reviewer should look at it."""
    return verdict in FLAGGED or verdict in FLAGGED_BEDS


def verdict_words(verdict: Verdict | BedVerdict) -> Words:
    """Its words in both languages."""
    return VERDICT_WORDS[verdict] if isinstance(verdict, Verdict) else BED_VERDICT_WORDS[verdict]


def _standing(state: BoxState) -> tuple[str, str]:
    """Which words say how the box stands, and which say what that means."""
    if not state.is_ready:
        return "not_ready", "not_ready_more"
    return ("partly", "partly_more") if state.problems else ("all_well", "all_well_more")


@cache
def _environment() -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader("edge_agent.box", "."), PackageLoader("edge_agent.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _in_language(language: Language, state: BoxState) -> dict[str, Callable[..., Any]]:
    """What the template calls for words, times and amounts."""

    def said(words: Words) -> str:
        return words.zh if language == "zh" else words.en

    def t(key: str, **blanks: object) -> str:
        return said(WORDS[key]).format(**blanks)

    def age(seconds: float) -> str:
        _, unit_s, key = next(step for step in _STEPS if seconds < step[0])
        return t(key, n=max(0, int(seconds // unit_s)))

    def event_said(kind: str) -> str:
        over = kind.endswith("_over")
        code = kind.removesuffix("_over")
        words = PROBLEM_WORDS[Problem(code)] if code in _PROBLEMS else EVENT_WORDS.get(code)
        what = said(words) if words else code
        return t("event_over", what=what) if over else what

    return {
        "t": t,
        "event_said": event_said,
        "count_said": lambda name: said(COUNT_WORDS[name]) if name in COUNT_WORDS else name,
        "age": age,
        "size": _size,
        "bar": _bar,
        "at": _moment_text(state.now_s),
        "local": lambda seconds: local_text(from_seconds(seconds)),
        "verdict_said": lambda verdict: said(verdict_words(verdict)),
        "reasons_said": lambda reasons: SEPARATOR[language].join(said(REASON_WORDS[reason]) for reason in reasons),
        "problem_said": lambda kind: said(PROBLEM_WORDS[kind]),
        "camera_state_said": lambda kind: said(CAMERA_STATE_WORDS[kind]),
        "server_said": lambda kind: said(SERVER_STATE_WORDS[kind]),
        "visits_today": lambda camera: _visits_today(camera, state.now_s),
        "took_s": _took_s,
        "to_s": lambda moment: as_utc(moment).timestamp(),
    }


def _moment_text(now_s: float) -> Callable[[float], str]:
    """Times of today without the day."""
    today = local_text(from_seconds(now_s))[:10]

    def text(seconds: float) -> str:
        full = local_text(from_seconds(seconds))
        return full[11:] if full.startswith(today) else full

    return text


def _size(count: int) -> str:
    """Bytes in binary units."""
    size, units = float(count), ["KiB", "MiB", "GiB", "TiB"]
    unit = "B"
    while size >= 1024 and units:
        size, unit = size / 1024, units.pop(0)
    return f"{size:.0f} {unit}" if size >= 100 or unit == "B" else f"{size:.1f} {unit}"


def _bar(used: int, budget: int, label: str) -> Markup:
    """How full, as a bar."""
    share = min(1.0, used / budget) if budget else 0.0
    return Markup(
        '<svg class="gauge" role="img" aria-label="{} {:.0f}%"><rect class="room" width="100%" height="8" rx="4"/>'
        '<rect class="{}" width="{:.1f}%" height="8" rx="4"/></svg>'
    ).format(label, share * 100, "high" if share >= 0.8 else "used", share * 100)


def _visits_today(camera: CameraView, now_s: float) -> int | None:
    today = from_seconds(now_s).astimezone(SHANGHAI).date()
    hours = [hour.visits for hour in camera.footfall if hour.hour_start.astimezone(SHANGHAI).date() == today]
    return sum(hours) if hours else None


def _took_s(check: CheckView) -> float | None:
    """Seconds from when the box knew of it to its verdict; ``None`` while it is open."""
    asked_s = check.at_s if check.received_s is None else check.received_s
    return None if check.finished_s is None else max(0.0, check.finished_s - asked_s)
