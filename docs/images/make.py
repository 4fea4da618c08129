"""The README's pictures: the report of the tests' sample day, whose faces are drawn, and the page of a sample box.

``python -m docs.images.make``, from the root of the repository; needs Chromium and the Noto CJK fonts.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from edge_agent.box.http import listen, make_app, serve
from edge_agent.edge_config import HttpConfig
from edge_agent.report import write_report
from tests.edge_agent.box.sample_box import SampleView, a_troubled_box
from tests.edge_agent.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.edge_agent.sample_day import sample_day
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake

WIDTH_PX = 1200
LEFT_OUT, LAST_CARD = "#s2", "#s3"
TITLE = "示例：人脸为程序绘制，数据为虚构 · Sample: drawn faces, invented numbers"
COLOURS = 200


def shoot(page: Page, address: str) -> bytes:
    """The top of the report, a holder and somebody else, as a paletted PNG."""
    page.goto(address)
    page.reload()
    page.eval_on_selector(LEFT_OUT, "card => { card.hidden = true }")
    return down_to(page, LAST_CARD)


def down_to(page: Page, selector: str) -> bytes:
    """The page from its top to the foot of an element."""
    last = page.locator(selector).bounding_box()
    assert last is not None
    height = last["y"] + last["height"] + 12
    shot = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH_PX, "height": height})
    small = io.BytesIO()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


@contextmanager
def sample_box() -> Iterator[str]:
    """A box that listens, with an invented state; its address."""
    app, port = make_app(RememberingIntake(), SampleView(a_troubled_box()), HttpConfig(), BOX), listen("127.0.0.1", 0)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    address = f"http://127.0.0.1:{port.getsockname()[1]}/"
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(app, port, stop)), name="box")
    thread.start()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def main() -> None:
    """Both languages, beside this file."""
    with TemporaryDirectory() as name, sync_playwright() as player:
        checks, facts = sample_day(Path(name))
        report = write_report(checks, replace(facts, title=TITLE), Path(name)).as_uri()
        browser = player.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": 900})
        for language, ending in (("zh", ""), ("en", "#en")):
            path = Path(__file__).with_name(f"report.{language}.png")
            path.write_bytes(shoot(page, report + ending))
            print(path, path.stat().st_size)
        with sample_box() as address:
            for language in ("zh", "en"):
                page.goto(f"{address}?lang={language}")
                path = Path(__file__).with_name(f"box.{language}.png")
                path.write_bytes(down_to(page, "main > section:last-of-type"))
                print(path, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
