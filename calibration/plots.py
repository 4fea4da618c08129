"""The two pictures of a calibration: the DET curve, and the scores with the decision bands. Labels are in English."""

from __future__ import annotations

import io
from statistics import NormalDist
from typing import Any

import numpy as np

from calibration.result import OPENCV_COSINE, Calibration
from calibration.thresholds import DoubleArray
from renzheng.errors import MissingPart

SIZE_IN = (12.0, 5.2)
DPI = 130
TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
FLOOR, CEILING = 5e-7, 0.5
STEP = 0.001
MATED, NON_MATED, MARK, QUIET = "#1f6f5c", "#8a5a2b", "#b3261e", "#8b9099"


def deviate(rates: DoubleArray) -> DoubleArray:
    """Normal deviates of rates (N,), the axes of a DET curve (Martin et al., Eurospeech 1997); clipped to the axes."""
    normal = NormalDist()
    return np.array([normal.inv_cdf(float(np.clip(rate, FLOOR, CEILING))) for rate in rates], dtype=np.float64)


def det_points(calibration: Calibration) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Thresholds and the FMR and FNMR there, each (N,), where both are above zero."""
    mated, non_mated = (
        a.astype(np.float64) for a in (calibration.comparisons.mated, calibration.comparisons.non_mated)
    )
    thresholds = np.arange(-1.0, 1.0 + STEP, STEP)
    fmr = 1 - np.searchsorted(non_mated, thresholds, side="left") / len(non_mated)
    fnmr = np.searchsorted(mated, thresholds, side="left") / len(mated)
    shown = (fmr > 0) & (fnmr > 0)
    return thresholds[shown], fmr[shown], fnmr[shown]


def draw(calibration: Calibration) -> bytes:
    """Both pictures side by side as a PNG. Raises :class:`MissingPart` without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPart("the report needs matplotlib: pip install 'renzheng[calibrate]'") from error
    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    det, scores = figure.subplots(1, 2)
    _draw_det(det, calibration)
    _draw_scores(scores, calibration)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _draw_det(axes: Any, calibration: Calibration) -> None:
    _, fmr, fnmr = det_points(calibration)
    axes.plot(deviate(fmr), deviate(fnmr), color=MATED, linewidth=1.8)
    unsupported = 3 / len(calibration.comparisons.non_mated)
    axes.axvspan(*deviate(np.array([FLOOR, unsupported])), color=QUIET, alpha=0.18, linewidth=0)
    axes.annotate("below 3 / comparisons:\nno claim", (0.02, 0.03), xycoords="axes fraction", fontsize=8, color="#555")
    for rates, label, above in ((calibration.accept, "accept", True), (calibration.reject, "reject", False)):
        _mark(axes, rates.fmr.value, rates.fnmr.value, f"{label} {rates.threshold:.4f}", above=above)
    for rates in calibration.table:
        if rates.threshold == OPENCV_COSINE:
            _mark(axes, rates.fmr.value, rates.fnmr.value, f"{OPENCV_COSINE} (OpenCV)", above=True, color=QUIET)
    ticks = deviate(np.array(TICKS))
    labels = [f"{tick:.0e}".replace("e-0", "e-") if tick < 1e-3 else f"{tick:.1%}" for tick in TICKS]
    axes.set_xticks(np.delete(ticks, 5), [*labels[:5], *labels[6:]], fontsize=8)  # 1 % and 2 % lie too close there
    axes.set_yticks(ticks[3:], labels[3:], fontsize=8)
    axes.set_xlim(*deviate(np.array([FLOOR, CEILING])))
    axes.set_ylim(*deviate(np.array([5e-4, CEILING])))
    axes.grid(color=QUIET, alpha=0.25, linewidth=0.6)
    axes.set(xlabel="FMR (strangers taken for the holder)", ylabel="FNMR (holders not recognised)", title="DET curve")


def _mark(axes: Any, fmr: float, fnmr: float, label: str, *, above: bool, color: str = MARK) -> None:
    """A point of operation; one without errors stands at the edge of the axes."""
    x, y = deviate(np.array([fmr, max(fnmr, 5e-4)]))
    axes.plot([x], [y], marker="o", color=color, markersize=6, clip_on=False)
    axes.annotate(label, (x, y), xytext=(7, 6 if above else -13), textcoords="offset points", fontsize=8, color=color)


def _draw_scores(axes: Any, calibration: Calibration) -> None:
    bins = np.arange(-0.4, 1.0001, 0.02)
    accept, reject = calibration.accept.threshold, calibration.reject.threshold
    axes.axvspan(reject, accept, color=QUIET, alpha=0.22, linewidth=0)
    for cosines, label, color in (
        (calibration.comparisons.non_mated, "non-mated (strangers)", NON_MATED),
        (calibration.comparisons.mated, "mated (same person)", MATED),
    ):
        weights = np.full(len(cosines), 1 / len(cosines))
        label = f"{label}, {len(cosines):,}"
        axes.hist(cosines, bins=bins, weights=weights, color=color, alpha=0.55, label=label)
    for threshold, label, side in ((reject, "reject", "right"), (accept, "accept", "left")):
        axes.axvline(threshold, color=MARK, linewidth=1.2)
        shift = -3 if side == "right" else 3
        axes.annotate(
            f"{label}\n{threshold:.4f}", (threshold, 0.98), xycoords=("data", "axes fraction"), xytext=(shift, 0),
            textcoords="offset points", ha=side, va="top", fontsize=8, color=MARK,
        )  # fmt: skip
    axes.set(xlabel="cosine", ylabel="share of comparisons", title="Scores and decision bands", xlim=(-0.4, 1.0))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, fontsize=8, frameon=False)
