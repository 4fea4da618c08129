"""The status page as text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edge_agent.box import words
from edge_agent.box.pages import render_page, style
from edge_agent.box.view import BoxState, CheckView, CurrentProblem, Problem
from renzheng.contracts import BED_VERDICT_WORDS, VERDICT_WORDS, BedVerdict, CameraState, Verdict
from tests.edge_agent.box.sample_box import NOW_S, a_camera, a_healthy_box, a_troubled_box

HAN = re.compile(r"[\u3400-\u9fff]")


def seen(page: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


def test_the_words_are_there_in_both_languages_and_all_in_use() -> None:
    assert words.missing() == []


@pytest.mark.parametrize("state", [a_healthy_box(), a_troubled_box()])
def test_the_english_page_is_english_and_the_chinese_one_chinese(state: BoxState) -> None:
    english = seen(render_page(state, "en")).replace("中文", "")
    assert not HAN.search(english)
    chinese = seen(render_page(state, "zh"))
    shared = {"English", "Unauthorized", "server_unreachable", "clock_stepped", "Renzheng", "timed", "connect"}
    foreign = [
        word for word in re.findall(r"[A-Za-z_]{5,}", chinese)
        if word not in shared and word not in "counter-1 ward-3f yuyao-p0012-box 2026-05-01-night-2-bed-07 recorder"
        and word not in {"glance", "clip_dropped_budget", "vision", "final"}
    ]  # fmt: skip
    assert foreign == []


def test_every_verdict_and_state_has_its_sign_on_the_page() -> None:
    recent = tuple(
        CheckView(f"n{n}", "swipe", "T", NOW_S - n, verdict=verdict, finished_s=NOW_S)
        for n, verdict in enumerate([*Verdict, *BedVerdict])
    )
    cameras = tuple(a_camera(state.value, state) for state in CameraState)
    page = render_page(replace(a_healthy_box(), recent=recent, cameras=cameras), "en")
    for verdict in [*Verdict, *BedVerdict]:
        assert f'<symbol id="v-{verdict.value}"' in page
        assert f".v-{verdict.value} " in style()
    for pair in [*VERDICT_WORDS.values(), *BED_VERDICT_WORDS.values(), *words.CAMERA_STATE_WORDS.values()]:
        assert pair.en in page


def test_times_are_those_of_shanghai() -> None:
    text = seen(render_page(a_healthy_box(), "en"))
    assert "2026-05-01 11:12:34" in text
    assert "11:12:32" in text, "today without the day"
    assert "2026-04-30 21:12:34" in text, "another day with it"


def test_a_healthy_box_says_so_and_one_in_trouble_says_what_and_since_when() -> None:
    assert "All is well" in render_page(a_healthy_box(), "en")
    troubled = seen(render_page(a_troubled_box(), "en"))
    assert "Working, with problems" in troubled and "All is well" not in troubled
    assert "a camera gives no picture door since 2026-04-29 11:12:34 401 Unauthorized" in troubled
    assert "112 checks · 9 clips · 18 reports the oldest for 90 min 2 refused by the server" in troubled
    stopped = replace(a_healthy_box(), problems=(CurrentProblem(Problem.VISION_DOWN),))
    assert "Not checking" in render_page(stopped, "en")


def test_the_numbers_of_the_day_are_added_up() -> None:
    text = seen(render_page(a_healthy_box(), "en"))
    assert "101 checks 2 to be reviewed 1 open" in text
    assert " 19 2 / 3 " in text, "visits of today, reconnects and gaps"


def test_a_picture_is_shown_only_when_it_is_asked_for() -> None:
    assert "<img" not in render_page(a_healthy_box(), "zh")
    assert "<img" not in render_page(a_healthy_box(), "zh", 'x" onerror="')
    shown = render_page(a_healthy_box(), "zh", "ward-3f")
    assert re.findall(r'<img src="([^"]+)"', shown) == [f"cameras/ward-3f/snapshot.jpg?at={int(NOW_S)}"]
    assert "?lang=en&amp;camera=ward-3f" in shown, "the switch keeps it open"


def test_what_comes_from_outside_is_text_and_no_markup() -> None:
    bad = "<script>alert(1)</script>"
    box = a_troubled_box()
    hurt = replace(
        box,
        device_id=bad,
        cameras=(a_camera(last_error=bad, codec=bad),),
        recent=(CheckView(bad, "swipe", bad, NOW_S),),
        problems=(CurrentProblem(Problem.SOURCE_FAILED, bad, bad),),
        dropped={bad: 1},
    )
    page = render_page(hurt, "en")
    assert "<script" not in page and page.count("&lt;script&gt;") == 8


def test_nothing_of_the_page_needs_a_script_or_a_style_of_its_own() -> None:
    page = render_page(a_troubled_box(), "en", "counter-1")
    assert not re.search(r"<script|\sstyle=|\son\w+=|javascript:|https?://", page)


def test_a_box_that_has_just_begun_has_a_page() -> None:
    new = BoxState(NOW_S, NOW_S, "0.1.0", "local-1", "P1", (a_camera(last_packet_s=None, fitness=None, footfall=()),))
    text = seen(render_page(new, "en"))
    assert "No checks yet." in text and "none yet" in text and "not configured" in text
