"""The report of a calibration: one HTML file that needs nothing else, and the plots beside it."""

from __future__ import annotations

import base64
import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from calibration.caveats import caveats
from calibration.plots import draw
from calibration.result import OPENCV_COSINE, Calibration
from calibration.thresholds import CONFIDENCE, REPLICATES, Estimate
from renzheng.contracts.reasons import REASON_WORDS, Reason, Words
from renzheng.files import write_atomic

TEMPLATE = "report_template.html"
REFUSED_LISTED = 200
DUPLICATE = Words("与另一张照片完全相同", "the same file as another picture")


def write_report(calibration: Calibration, html_path: Path, png_path: Path) -> None:
    """Write both files whole. Raises :class:`MissingPart` without matplotlib, ``StorageFull`` when the disk is full."""
    png = draw(calibration)
    write_atomic(png_path, png)
    write_atomic(html_path, render(calibration, png))


def render(calibration: Calibration, png: bytes) -> str:
    """The page; the same arguments give the same text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(rate=rate_text, between=interval_text)
    return environment.get_template(TEMPLATE).render(
        set=calibration.threshold_set,
        calibration=calibration,
        faces=calibration.faces,
        plot=base64.b64encode(png).decode("ascii"),
        opencv=OPENCV_COSINE,
        caveats=caveats(calibration),
        refusals=[(_reason_words(key), count) for key, count in calibration.faces.refusals.most_common()],
        listed=calibration.faces.refused[:REFUSED_LISTED],
        words=_picture_words(calibration),
        confidence=CONFIDENCE,
        replicates=REPLICATES,
    )


def rate_text(rate: float) -> str:
    """A rate for people: per cent where that reads well, a power of ten below one in a thousand."""
    if math.isnan(rate):
        return "–"
    if rate == 0:
        return "0"
    return f"{rate:.2%}" if rate >= 1e-3 else f"{rate:.1e}"


def interval_text(estimate: Estimate) -> str:
    """The interval of an estimate."""
    return f"{rate_text(estimate.low)} – {rate_text(estimate.high)}"


def _reason_words(key: str) -> Words:
    return DUPLICATE if key == "duplicate" else REASON_WORDS[Reason(key)]


def _picture_words(calibration: Calibration) -> dict[Path, list[Words]]:
    return {
        refused.path: [DUPLICATE] if refused.same_as else [REASON_WORDS[reason] for reason in refused.reasons]
        for refused in calibration.faces.refused[:REFUSED_LISTED]
    }
