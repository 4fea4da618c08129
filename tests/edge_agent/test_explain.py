"""The account of how a verdict came about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.explain import deciding_rule, explain, offset_text, percent_text
from edge_agent.report_words import missing
from renzheng.contracts import Coverage, Reason, TrackRole, Verdict
from tests.edge_agent.builders import a_check, a_sample, a_track
from tests.edge_agent.sample_day import sample_day

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_a_match_tells_window_coverage_track_samples_and_rule_in_chinese() -> None:
    text = explain(a_check(), Verdict.MATCH, (Reason.INDEPENDENT_SAMPLES,))
    assert "结论：本人 (match)" in text
    assert "窗口：2026-05-01 11:59:54.000 – 2026-05-01 12:00:04.000 (−6.0 s … +4.0 s" in text
    assert "录像覆盖 100% · 查看 24 帧 · 搜索 46%" in text
    assert "轨迹 0：持卡人，−3.0 s 至 +2.0 s，24 帧，柜台区内" in text
    assert "对持卡人 0.612：达到采信线" in text
    assert "轨迹 0 得分 0.612 ≥ 采信线 0.363，独立画面 3 张" in text
    assert "重新计算：一致：同样得出“本人”" in text


def test_the_english_account_holds_no_chinese(tmp_path: Path) -> None:
    checks, _ = sample_day(tmp_path)
    for check in checks:
        assert not _CHINESE.search(explain(check, lang="en")), check.verdict


def test_a_recomputation_that_differs_is_told_loudly() -> None:
    text = explain(a_check(), Verdict.NOT_ASSESSABLE, (Reason.SCORE_BETWEEN,), lang="en")
    assert "DIFFERS: recomputation gives “not assessable” (score lies between the thresholds)" in text


def test_the_same_verdict_for_other_reasons_is_told() -> None:
    text = explain(a_check(), Verdict.MATCH, (Reason.STRONG_SAMPLE,), lang="en")
    assert "same verdict, other reasons: few samples, but a high score" in text


def test_without_a_recomputation_none_is_claimed() -> None:
    assert explain(a_check(), lang="en").endswith("Recomputed: not recomputed\n")


@pytest.mark.parametrize(
    ("score", "independent", "standing"),
    [
        (0.249, 3, "lies below reject"),
        (0.25, 3, "lies between reject and accept"),
        (0.362, 3, "lies between reject and accept"),
        (0.363, 3, "reaches accept"),
        (0.40, 2, "reaches accept, but samples are few and it is under 0.463"),
        (0.463, 1, "reaches accept"),
    ],
)
def test_a_score_is_told_by_where_it_lies(score: float, independent: int, standing: str) -> None:
    track = a_track(role=TrackRole.UNCERTAIN, holder_score=score, independent_samples=independent)
    text = explain(a_check(Verdict.NOT_ASSESSABLE, [track], score=score), lang="en")
    assert f"against the holder {score:.3f}: {standing}\n" in text


def test_poor_samples_say_what_failed() -> None:
    poor = a_sample(0, 0.7, failed=(Reason.HEAD_TURNED, Reason.FACE_TOO_DARK), similarity=None)
    track = a_track(role=TrackRole.NOT_ASSESSABLE)
    text = explain(a_check(Verdict.NOT_ASSESSABLE, [track], samples=(poor,)), lang="en")
    assert "+0.7 s  quality 0.10  score –  not assessable: head turned away; face too dark" in text


def test_an_empty_window_is_told_with_what_was_wrong_with_the_picture() -> None:
    seen = Coverage(
        recorded_share=0.996, frames_looked=12, searched_share=1.0, damaged_frames=2,
        picture_faults=(Reason.PICTURE_DARK,), unexplained_presence=0.25,
    )  # fmt: skip
    text = explain(a_check(Verdict.NOT_ASSESSABLE, coverage=seen), lang="en")
    assert "99% recorded" in text
    assert "2 frames damaged" in text
    assert "picture too dark" in text
    assert "25% of the zone" in text
    assert "no face tracks" in text


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_rule_whose_blanks_are_filled(verdict: Verdict) -> None:
    words, blanks = deciding_rule(a_check(verdict))
    assert all("{" not in text.format(**blanks) for text in words)


def test_the_mismatch_counts_only_tracks_that_spoke_for_it() -> None:
    tracks = [a_track(0, TrackRole.OTHER), a_track(1, TrackRole.STAFF), a_track(2, TrackRole.NOT_ASSESSABLE)]
    words, blanks = deciding_rule(a_check(Verdict.MISMATCH, tracks, score=0.1))
    assert words.en.format(**blanks).startswith("Every assessable track (1) lies below reject 0.250")


def test_small_numbers_keep_their_sense() -> None:
    assert [offset_text(s) for s in (-1.24, 0.0, -0.04, 0.4)] == ["−1.2 s", "+0.0 s", "+0.0 s", "+0.4 s"]
    assert [percent_text(s) for s in (0.0, 0.001, 0.5, 0.9999, 1.0)] == ["0%", "<1%", "50%", "99%", "100%"]


def test_every_interface_word_exists_in_both_languages_and_is_used() -> None:
    assert missing() == []
