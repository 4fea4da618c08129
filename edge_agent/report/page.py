"""Writes the page: templates, words in two languages, styles and script inline under a strict policy."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edge_agent.explain import accept_few, cosine_text, offset_text, percent_text, swipe_on_camera_offset
from edge_agent.report.cards import SCALE, cards
from edge_agent.report.facts import ReportFacts
from edge_agent.report.geometry import Axis
from edge_agent.report.timeline import days
from edge_agent.report_words import ROLE_WORDS, WORDS
from renzheng.clock import local_text
from renzheng.contracts import FLAGGED, REASON_WORDS, VERDICT_WORDS, IdentityCheck, Verdict, Words
from renzheng.files import write_atomic

REPORT_NAME = "report.html"
_UNCLEAR = (Verdict.NOT_ASSESSABLE, Verdict.NOT_ENROLLED)


def write_report(checks: Sequence[IdentityCheck], facts: ReportFacts, out_dir: Path) -> Path:
    """Write ``out_dir/report.html`` and return its path; the same arguments and pictures give the same bytes.

    Crops and clips of the checks are paths relative to ``out_dir``. Pictures are put into the page; clips stay beside
    it. A picture that is missing or unreadable leaves a placeholder. Raises ``StorageFull``.
    """
    path = out_dir / REPORT_NAME
    write_atomic(path, render(checks, facts, out_dir))
    return path


def render(checks: Sequence[IdentityCheck], facts: ReportFacts, out_dir: Path) -> str:
    """The page as text."""
    environment = _environment()
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    counts = Counter(check.verdict for check in checks)
    shown = list(cards(checks, facts, out_dir))
    return environment.get_template("page.html").render(
        facts=facts,
        cards=shown,
        days=days(checks, facts.recordings, [card.name for card in shown]),
        counts=[(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]],
        bar=Axis(0, max(len(checks), 1)),
        flagged=sum(counts[verdict] for verdict in FLAGGED),
        unclear=sum(counts[verdict] for verdict in _UNCLEAR),
        institutions=facts.institutions or tuple(dict.fromkeys(check.fixmedins_code for check in checks)),
        footage_s=sum(recording.seconds for recording in facts.recordings),
        style=style,
        script=script,
        policy=content_policy(style, script),
    )


def content_policy(style: str, script: str) -> str:
    """A policy that lets exactly this style and script run, pictures from the page and clips from beside it."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].replace("\r\n", "\n")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("edge_agent.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        cosine=cosine_text, offset=offset_text, percent=percent_text, local=local_text, duration=length_words
    )
    environment.globals.update(
        t=t,
        attr=attr,
        column=column,
        phrase=phrase,
        verdict_words=VERDICT_WORDS,
        reason_words=REASON_WORDS,
        role_words=ROLE_WORDS,
        accept_few=accept_few,
        since_swipe=swipe_on_camera_offset,
        length_words=length_words,
        scale_axis=SCALE,
    )
    return environment


def phrase(words: Words, tag: str = "span", **blanks: Any) -> Markup:
    """Both languages in one element: Chinese as its text, English kept beside it for the switch.

    A blank may itself be :class:`Words`.
    """
    zh, en = _filled(words, blanks)
    if zh == en:
        return Markup("<{0}>{1}</{0}>").format(tag, zh)
    return Markup('<{0} data-en="{1}">{2}</{0}>').format(tag, en, zh)


def t(key: str, tag: str = "span", **blanks: Any) -> Markup:
    """:func:`phrase` for an entry of the table of words."""
    return phrase(WORDS[key], tag, **blanks)


def column(key: str) -> Markup:
    """The head of a table's column in both languages."""
    return Markup('<th scope="col" data-en="{1}">{0}</th>').format(*WORDS[key])


def attr(name: str, key: str, **blanks: Any) -> Markup:
    """An attribute in both languages: ``aria-label="…" data-en-aria-label="…"``."""
    zh, en = _filled(WORDS[key], blanks)
    return Markup('{0}="{1}" data-en-{0}="{2}"').format(name, zh, en)


def _filled(words: Words, blanks: dict[str, Any]) -> tuple[str, str]:
    if not blanks:
        return words.zh, words.en  # words may be an outsider's, braces and all
    zh = {name: value.zh if isinstance(value, Words) else value for name, value in blanks.items()}
    en = {name: value.en if isinstance(value, Words) else value for name, value in blanks.items()}
    return words.zh.format(**zh), words.en.format(**en)


def length_words(seconds: float) -> Words:
    """A length of time in both languages: hours and minutes, or minutes and seconds under an hour."""
    whole = round(seconds)
    if whole >= 3600:
        blanks, words = {"h": whole // 3600, "m": whole % 3600 // 60}, WORDS["h_min"]
    else:
        blanks, words = {"m": whole // 60, "s": whole % 60}, WORDS["min_s"]
    return Words(words.zh.format(**blanks), words.en.format(**blanks))
