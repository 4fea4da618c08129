"""A readable account of how one verdict came about, in Chinese or English (``renzheng explain``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from edge_agent.report_words import ROLE_WORDS, WORDS
from renzheng.clock import local_text
from renzheng.contracts import (
    REASON_WORDS,
    VERDICT_WORDS,
    FaceSample,
    IdentityCheck,
    Reason,
    TrackEvidence,
    TrackRole,
    Verdict,
    Words,
)

Language = Literal["zh", "en"]
Blanks = dict[str, str]

_RULES = {
    Verdict.MATCH: "rule_match",
    Verdict.PROXY_MATCH: "rule_proxy_match",
    Verdict.MISMATCH: "rule_mismatch",
    Verdict.HOLDER_ABSENT: "rule_holder_absent",
    Verdict.STAFF_ONLY: "rule_staff_only",
    Verdict.NOT_ASSESSABLE: "rule_not_assessable",
    Verdict.NOT_ENROLLED: "rule_not_enrolled",
    Verdict.PENDING_REFERENCE: "rule_pending_reference",
}


def cosine_text(value: float | None) -> str:
    """Three decimals with a true minus sign; a dash when there is none."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def offset_text(seconds: float) -> str:
    """Seconds from the swipe with a sign and one decimal: ``−1.2 s``, ``+0.0 s``."""
    rounded = round(seconds, 1) + 0.0
    return f"{rounded:+.1f} s".replace("-", "−")


def percent_text(share: float) -> str:
    """A share as whole per cent; never shows 100 % for less than all of it, nor 0 % for more than nothing."""
    whole = round(share * 100)
    if whole == 100 and share < 1:
        whole = 99
    return "<1%" if whole == 0 and share > 0 else f"{whole}%"


def swipe_on_camera_offset(check: IdentityCheck, moment: datetime) -> float:
    """Seconds from the swipe to ``moment`` on the camera's clock; negative is before the swipe."""
    return (moment - check.swiped_at).total_seconds() - check.clock_offset_s


def accept_few(check: IdentityCheck) -> float:
    """The accept that holds under three independent samples."""
    return check.thresholds.accept + check.thresholds.few_samples_margin


def strongest_track(check: IdentityCheck) -> TrackEvidence | None:
    """The track that speaks most for the holder, or for the agent when the verdict is a proxy's."""
    if check.verdict is Verdict.PROXY_MATCH:
        agents = [track for track in check.tracks if track.role is TrackRole.AGENT]
        return max(agents, key=lambda track: track.agent_score or -1.0, default=None)
    scored = [track for track in check.tracks if track.holder_score is not None]
    return max(scored, key=lambda t: (t.role is TrackRole.HOLDER, t.holder_score or -1.0), default=None)


def deciding_rule(check: IdentityCheck) -> tuple[Words, Blanks]:
    """The sentence, in both languages, that names the rule which decided, and the numbers it leaves open."""
    key = _RULES[check.verdict]
    if check.verdict is Verdict.MATCH and Reason.STRONG_SAMPLE in check.reasons:
        key = "rule_match_few"
    track = strongest_track(check)
    roles = {Verdict.STAFF_ONLY: {TrackRole.STAFF}, Verdict.MISMATCH: {TrackRole.OTHER}}.get(check.verdict, set())
    return WORDS[key], {
        "track": str(track.track) if track else "–",
        "independent": str(track.independent_samples) if track else "0",
        "agent": (track.agent_psn_no if track else None) or "–",
        "agent_score": cosine_text(track.agent_score if track else None),
        "score": cosine_text(check.score),
        "accept": cosine_text(check.thresholds.accept),
        "reject": cosine_text(check.thresholds.reject),
        "few": cosine_text(accept_few(check)),
        "recorded": percent_text(check.coverage.recorded_share),
        "n": str(sum(t.role in roles and t.in_counter_zone for t in check.tracks)),
    }


def explain(
    check: IdentityCheck,
    recomputed: Verdict | None = None,
    recomputed_reasons: Sequence[Reason] = (),
    *,
    lang: Language = "zh",
) -> str:
    """How the verdict came about: window, coverage, every track, the rule that decided, and the recomputation.

    ``recomputed`` is what ``vision.verdict`` makes of the stored numbers now; ``None`` when it was not asked.
    Returns lines of plain text ending in a newline.
    """
    teller = _Teller(check, lang)
    lines = [*teller.head(), "", *teller.tracks(), "", *teller.decision(recomputed, recomputed_reasons)]
    return "\n".join(lines) + "\n"


class _Teller:
    """Tells one check in one language."""

    def __init__(self, check: IdentityCheck, lang: Language) -> None:
        self._check = check
        self._lang = lang
        self._colon, self._comma = ("：", "；") if lang == "zh" else (": ", "; ")

    def said(self, key: str, **blanks: str) -> str:
        """One entry of the table with its open places filled."""
        return self._of(WORDS[key]).format(**blanks)

    def _of(self, words: Words) -> str:
        return words.zh if self._lang == "zh" else words.en

    def _line(self, key: str, text: str) -> str:
        return f"{self.said(key)}{self._colon}{text}"

    def _reasons(self, reasons: Iterable[Reason]) -> str:
        return self._comma.join(self._of(REASON_WORDS[reason]) for reason in reasons) or self.said("ex_unknown")

    def head(self) -> list[str]:
        """The swipe, the verdict, the window, what was looked at and with what."""
        check, thresholds = self._check, self._check.thresholds
        verdict = f"{self._of(VERDICT_WORDS[check.verdict])} ({check.verdict.value})"
        before = swipe_on_camera_offset(check, check.window_start)
        after = swipe_on_camera_offset(check, check.window_end)
        window = (
            f"{local_text(check.window_start, milliseconds=True)} – {local_text(check.window_end, milliseconds=True)}"
        )
        spread = f"{offset_text(before)} … {offset_text(after)}"
        offset = self.said("ex_offset", offset=offset_text(check.clock_offset_s))
        rates = f"FMR {thresholds.target_fmr:g}, FNMR {thresholds.target_fnmr:g}"
        values = {"accept": thresholds.accept, "reject": thresholds.reject, "few": accept_few(check)}
        limits = {name: cosine_text(value) for name, value in values.items()}
        return [
            self._line("ex_swipe", f"{check.swipe_id}  {local_text(check.swiped_at)}"),
            f"  {self.said('psn_no')} {check.psn_no}  {self.said('institution')} {check.fixmedins_code}"
            f"  {self.said('terminal')} {check.terminal_id}",
            self._line("ex_verdict", verdict),
            self._line("reasons", self._reasons(check.reasons)),
            self._line("ex_window", f"{window} ({spread}{self._comma}{offset})"),
            self._line("ex_coverage", self._coverage()),
            self._line("enrolled", self.said("ex_photos", n=str(check.reference_photos))),
            self._line("ex_thresholds", self.said("set_thresholds_value", name=thresholds.name, **limits)),
            f"  {rates}  {thresholds.digest}",
            self._line("ex_pack", f"{check.pack.name}  (renzheng {check.agent_version})"),
        ]

    def _coverage(self) -> str:
        seen = self._check.coverage
        share, searched = percent_text(seen.recorded_share), percent_text(seen.searched_share)
        parts = [self.said("looked", share=share, frames=str(seen.frames_looked), searched=searched)]
        if seen.damaged_frames:
            parts.append(self.said("damaged", n=str(seen.damaged_frames)))
        if seen.picture_faults:
            parts.append(self.said("ex_faults", faults=self._reasons(seen.picture_faults)))
        if seen.unexplained_presence is not None:
            parts.append(self.said("presence", share=percent_text(seen.unexplained_presence)))
        return self._comma.join(parts)

    def tracks(self) -> list[str]:
        """Every track with its samples."""
        if not self._check.tracks:
            return [self._line("ex_tracks", self.said("no_tracks"))]
        lines = [self.said("ex_tracks") + self._colon.rstrip()]
        for track in self._check.tracks:
            lines += self._track(track)
        return lines

    def _track(self, track: TrackEvidence) -> list[str]:
        head = self.said(
            "ex_track",
            track=str(track.track),
            role=self._of(ROLE_WORDS[track.role]),
            first=offset_text(swipe_on_camera_offset(self._check, track.first_seen)),
            last=offset_text(swipe_on_camera_offset(self._check, track.last_seen)),
            frames=str(track.frames_seen),
            zone=self.said("ex_in_zone" if track.in_counter_zone else "ex_out_zone"),
        )
        counts = self.said(
            "ex_track_samples",
            samples=str(track.samples),
            assessable=str(track.assessable_samples),
            independent=str(track.independent_samples),
            concentration=f"{track.concentration:.3f}",
            lowest=cosine_text(track.lowest_agreement),
        )
        own = [sample for sample in self._check.samples if sample.track == track.track]
        scores = [f"    {score}" for score in self._scores(track)]
        return [f"  {head}", f"    {counts}", *scores, *(f"      {self._sample(sample)}" for sample in own)]

    def _scores(self, track: TrackEvidence) -> list[str]:
        if track.holder_score is None:
            lines = [self.said("ex_unscored")]
        else:
            lines = [self.said("ex_holder", score=cosine_text(track.holder_score), standing=self._standing(track))]
        if track.agent_score is not None:
            lines.append(self.said("ex_agent", who=track.agent_psn_no or "–", score=cosine_text(track.agent_score)))
        if track.staff_score is not None:
            lines.append(self.said("ex_staff", who=track.staff_id or "–", score=cosine_text(track.staff_score)))
        return lines

    def _standing(self, track: TrackEvidence) -> str:
        """Where the holder score of a track lies among the thresholds."""
        score, thresholds = track.holder_score or 0.0, self._check.thresholds
        if score < thresholds.reject:
            return self.said("ex_below")
        if score < thresholds.accept:
            return self.said("ex_between")
        if track.independent_samples < 3 and score < accept_few(self._check):
            return self.said("ex_few_short", few=cosine_text(accept_few(self._check)))
        return self.said("ex_above")

    def _sample(self, sample: FaceSample) -> str:
        poor = self.said("ex_poor", failed=self._reasons(sample.quality.failed))
        return self.said(
            "ex_sample",
            offset=offset_text(sample.offset_s),
            quality=f"{sample.quality.score:.2f}",
            score=cosine_text(sample.similarity),
            state=self.said("ex_good") if sample.assessable else poor,
        )

    def decision(self, recomputed: Verdict | None, reasons: Sequence[Reason]) -> list[str]:
        """The rule that decided, and whether the recomputation agrees."""
        rule, blanks = deciding_rule(self._check)
        return [
            self._line("basis", self._of(rule).format(**blanks)),
            self._line("ex_recomputed", self._agreement(recomputed, reasons)),
        ]

    def _agreement(self, recomputed: Verdict | None, reasons: Sequence[Reason]) -> str:
        if recomputed is None:
            return self.said("ex_not_recomputed")
        verdict = self._of(VERDICT_WORDS[recomputed])
        if recomputed is not self._check.verdict:
            return self.said("ex_differs", verdict=verdict, reasons=self._reasons(reasons))
        if set(reasons) != set(self._check.reasons):
            return self.said("ex_reasons_differ", reasons=self._reasons(reasons))
        return self.said("ex_agrees", verdict=verdict)
