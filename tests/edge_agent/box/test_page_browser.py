"""The status page in a real browser, from a box that listens. Skipped where there is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.box.http import listen, make_app, serve
from edge_agent.edge_config import HttpConfig
from tests.edge_agent.box.sample_box import SampleView, a_healthy_box, a_troubled_box
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake


@pytest.fixture(scope="module")
def view() -> SampleView:
    view = SampleView(a_troubled_box())
    picture = np.full((360, 640, 3), (150, 160, 165), np.uint8)
    cv2.rectangle(picture, (0, 250), (640, 360), (90, 110, 130), -1)
    cv2.circle(picture, (320, 150), 60, (170, 190, 220), -1)
    view.picture = cv2.imencode(".jpg", picture)[1].tobytes()
    return view


@pytest.fixture(scope="module")
def address(view: SampleView) -> Iterator[str]:
    """A box that listens, in a thread with a loop of its own."""
    app, port = make_app(RememberingIntake(), view, HttpConfig(), BOX), listen("127.0.0.1", 0)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    number = port.getsockname()[1]
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(app, port, stop)), name="box")
    thread.start()
    yield f"http://127.0.0.1:{number}/"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def tab(browser: Any, address: str) -> Any:
    """A tab without scripts; whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    page.goto(address)
    yield page
    context.close()
    assert said == []


def test_the_page_is_in_the_browsers_language_and_can_be_switched(tab: Any) -> None:
    assert tab.inner_text("h1") == "人证核验终端"
    tab.click("text=English")
    assert tab.inner_text("h1") == "Identity check box"
    assert tab.get_attribute("html", "lang") == "en"


def test_a_picture_opens_and_closes(tab: Any) -> None:
    assert tab.locator("img").count() == 0
    tab.click("tr:has-text('counter-1') a")
    assert tab.locator(".snapshot img").bounding_box()["width"] == 640
    tab.click(".snapshot a")
    assert tab.locator("img").count() == 0


def test_nothing_is_wider_than_a_telephone(tab: Any, address: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 900})
    for language in ("zh", "en"):
        tab.goto(f"{address}?lang={language}&camera=counter-1")
        assert tab.locator("main").bounding_box()["width"] <= 390
        assert tab.locator("html").bounding_box()["width"] <= 390


def test_the_style_is_applied(tab: Any, view: SampleView, address: str) -> None:
    badge, plain = tab.locator(".badge").first.bounding_box(), tab.locator("h1").bounding_box()
    assert badge["height"] < plain["height"]
    lamp = tab.locator(".lamp").bounding_box()
    assert (lamp["width"], lamp["height"]) == (40, 40)
    view.shown = a_healthy_box()
    tab.goto(address)
    assert tab.inner_text(".standing-word") == "一切正常"
    view.shown = a_troubled_box()
