"""The report of a calibration, on made-up embeddings."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.commands import summary
from calibration.labelled_folder import LabelledFaces, RefusedPicture
from calibration.plots import det_points, deviate
from calibration.report import rate_text, render, write_report
from calibration.result import Calibration, Targets, calibrate
from renzheng.contracts.reasons import Reason
from renzheng.errors import BadInput, MissingPart
from tests.calibration.test_thresholds import population


def sample(refused: tuple[RefusedPicture, ...] = ()) -> LabelledFaces:
    embeddings, person = population(30, 5, 0, spread=0.7)
    paths = tuple(Path(f"p{p}/{i}.png") for i, p in enumerate(person))
    return LabelledFaces(tuple(f"p{i}" for i in range(30)), paths, person, embeddings, refused)


def calibrated(refused: tuple[RefusedPicture, ...] = (), *, gate: bool = True, fmr: float = 1e-3) -> Calibration:
    targets = Targets(fmr, 0.02)
    return calibrate(sample(refused), name="n", pack="p", source="made up", targets=targets, seed=0, gate=gate)


def test_the_set_says_what_it_rests_on():
    made = calibrated((RefusedPicture(Path("p0/x.png"), (Reason.NO_FACE,)),)).threshold_set
    assert (made.people, made.pictures, made.refused_pictures) == (30, 151, 1)
    assert (made.mated_comparisons, made.non_mated_comparisons) == (300, 10_875)
    assert made.fmr_at_accept.value <= 1e-3 and made.fnmr_at_reject.value <= 0.02


def test_the_row_of_thresholds_holds_accept_reject_and_opencvs():
    result = calibrated()
    cosines = [rates.threshold for rates in result.table]
    assert {result.threshold_set.accept, result.threshold_set.reject, 0.363} <= set(cosines)
    assert cosines == sorted(cosines)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1])
def test_a_target_that_is_no_rate_is_refused_by_option(value: float):
    with pytest.raises(BadInput, match="--target-fmr"):
        Targets(value, 0.01)
    with pytest.raises(BadInput, match="--target-fnmr"):
        Targets(0.01, value)


def test_the_page_stands_alone_and_speaks_both_languages():
    page = render(calibrated(), b"png")
    assert not re.search(r"(src|href)=[\"'](?!data:)", page) and "<script" not in page
    assert page.startswith("<!DOCTYPE html>")
    assert page.count('lang="zh-CN"') == page.count('lang="en"') + 1  # the page itself is Chinese


def test_the_page_escapes_names_of_pictures():
    refused = RefusedPicture(Path("p0/<b>.png"), (Reason.FACE_BLURRED,))
    page = render(calibrated((refused,)), b"png")
    assert "&lt;b&gt;.png" in page and "<b>.png" not in page
    assert "人脸模糊" in page and "face blurred" in page


def test_refusals_that_are_copies_have_words():
    page = render(calibrated((RefusedPicture(Path("p0/2.png"), same_as=Path("p0/1.png")),)), b"png")
    assert "与另一张照片完全相同" in page


def test_a_report_without_the_gate_says_so():
    assert "Measured without the quality gate" in render(calibrated(gate=False), b"png")
    assert "(without the quality gate)" in summary(calibrated(gate=False))


def test_the_summary_tells_which_claims_are_refused():
    text = summary(calibrated())
    assert re.search(r"supported +FMR 0\.001: needs 3,000", text)
    assert re.search(r"refused +FMR 0\.0001: needs 30,000", text)
    assert "rule of 30" in text and "435 pairs of people" in text and "one picture with one picture" in text


def test_page_and_plot_are_written_whole_and_the_same_every_time(tmp_path: Path):
    result = calibrated()
    for name in ("a", "b"):
        write_report(result, tmp_path / f"{name}.html", tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.png", "b.html", "b.png"]


def test_a_sample_that_separates_wholly_can_be_drawn(tmp_path: Path):
    embeddings = np.repeat(np.eye(20, dtype=np.float32), 3, axis=0)
    person = np.repeat(np.arange(20), 3).astype(np.int64)
    faces = LabelledFaces(tuple(map(str, range(20))), tuple(Path(str(i)) for i in range(60)), person, embeddings)
    result = calibrate(faces, name="n", pack="p", source="", targets=Targets(0.01, 0.1), seed=0)
    write_report(result, tmp_path / "a.html", tmp_path / "a.png")
    assert result.accept.fnmr.value == 0 and len(det_points(result)[0]) == 0


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPart, match=r"renzheng\[calibrate\]"):
        write_report(calibrated(), tmp_path / "a.html", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_deviates_of_a_det_axis_are_clipped_at_its_ends():
    assert deviate(np.array([0.5, 0.0, 1.0])).tolist() == [0.0, deviate(np.array([1e-9]))[0], 0.0]


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "0"), (1e-5, "1.0e-05"), (0.0123, "1.23%"), (1, "100.00%"), (float("nan"), "–")]
)
def test_rates_read_well(rate: float, text: str):
    assert rate_text(rate) == text
