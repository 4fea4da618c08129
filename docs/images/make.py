"""The README's pictures: the report of the tests' sample day, whose faces are drawn, as a browser shows it.

``python -m docs.images.make``, from the root of the repository; needs Chromium and the Noto CJK fonts.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from edge_agent.report import write_report
from tests.edge_agent.sample_day import sample_day
from tests.edge_agent.test_report_browser import _CHROMIUM, _FLAGS

WIDTH_PX = 1200
LEFT_OUT, LAST_CARD = "#s2", "#s3"
TITLE = "示例：人脸为程序绘制，数据为虚构 · Sample: drawn faces, invented numbers"
COLOURS = 200


def shoot(page: Page, address: str) -> bytes:
    """The top of the report, a holder and somebody else, as a paletted PNG."""
    page.goto(address)
    page.reload()
    page.eval_on_selector(LEFT_OUT, "card => { card.hidden = true }")
    last = page.locator(LAST_CARD).bounding_box()
    assert last is not None
    height = last["y"] + last["height"] + 12
    shot = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH_PX, "height": height})
    small = io.BytesIO()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def main() -> None:
    """Both languages, beside this file."""
    with TemporaryDirectory() as name, sync_playwright() as player:
        checks, facts = sample_day(Path(name))
        report = write_report(checks, replace(facts, title=TITLE), Path(name)).as_uri()
        browser = player.chromium.launch(executable_path=str(_CHROMIUM), args=_FLAGS)
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": 900})
        for language, ending in (("zh", ""), ("en", "#en")):
            path = Path(__file__).with_name(f"report.{language}.png")
            path.write_bytes(shoot(page, report + ending))
            print(path, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
