"""The report in a real browser: switch, filter, jumps, paper. Skipped where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edge_agent.report import write_report
from tests.edge_agent.sample_day import sample_day


@pytest.fixture(scope="module")
def day_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the report of the sample day."""
    out_dir = tmp_path_factory.mktemp("day")
    checks, facts = sample_day(out_dir)
    write_report(checks, facts, out_dir)
    return out_dir


@pytest.fixture
def tab(browser: Any, day_dir: Path) -> Any:
    """The sample day's page, open; what it asks for and complains of is collected in ``asked`` and ``said``."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto((day_dir / "report.html").as_uri())
    yield page
    asked, said = [url for url in page.asked if not url.startswith(("file:", "data:"))], page.said
    context.close()
    assert (asked, said) == ([], [])


def test_the_switch_changes_the_words_and_the_address_remembers(tab: Any) -> None:
    assert tab.inner_text("h1") == "医保刷卡人证核验报告"
    tab.click("button[data-lang=en]")
    assert tab.inner_text("h1") == "Identity checks of insurance swipes"
    assert tab.get_attribute("html", "lang") == "en"
    assert tab.get_attribute("#s1 .own img", "alt").startswith("Enrolled photo of")
    assert tab.url.endswith("#en")
    tab.reload()
    assert tab.inner_text("#s3 .badge") == "somebody else"
    assert not re.search(r"[\u4e00-\u9fff]", tab.inner_text("#s3 .why"))
    tab.click("button[data-lang=zh]")
    assert tab.inner_text("#s3 .badge") == "非本人"


def test_the_filter_hides_cards_and_says_how_many_are_left(tab: Any) -> None:
    tab.click("[data-filter=mismatch]")
    assert tab.locator(".card:visible").count() == 1
    assert tab.inner_text(".shown") == "显示 1 / 14 条"
    tab.click("[data-filter=flagged]")
    assert tab.locator(".card:visible").count() == 6
    tab.click("[data-filter=flagged]")
    assert tab.locator(".card:visible").count() == 14


def test_a_mark_jumps_to_its_swipe_in_the_chosen_language_even_when_filtered_out(tab: Any) -> None:
    tab.click("button[data-lang=en]")
    tab.click("[data-filter=mismatch]")
    tab.focus(".mark[href='#s13']")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.activeElement.id === 's13'")
    assert tab.url.endswith("#en/s13")
    assert tab.inner_text("#s13 .badge") == "holder present"
    assert tab.evaluate("document.getElementById('s13').getBoundingClientRect().top < innerHeight")


def test_nothing_is_wider_than_a_telephone(tab: Any) -> None:
    tab.set_viewport_size({"width": 420, "height": 900})
    tab.click("button[data-lang=en]")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 420


def test_paper_gets_whole_cards_and_everything_folded_at_the_end(tab: Any, day_dir: Path) -> None:
    printed = tab.pdf(prefer_css_page_size=True)
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
    tab.emulate_media(media="print")
    assert not tab.locator("video:visible, .switch:visible").count()


def test_without_script_the_page_is_chinese_and_offers_no_dead_buttons(browser: Any, day_dir: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((day_dir / "report.html").as_uri())
    assert page.locator("text=非本人").count() > 0
    assert not page.locator(".switch:visible").count()
    assert page.locator(".card:visible").count() == 14
    context.close()
