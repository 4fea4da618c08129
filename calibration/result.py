"""One calibration: a labelled sample in, a threshold set with everything that a report says about it out."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.claims import ASKED_FMRS, Claim, fmr_claim, fnmr_claim, refuse_small_sample
from calibration.labelled_folder import LabelledFaces
from calibration.sets import Rate, ThresholdSet
from calibration.thresholds import (
    Comparisons,
    Estimate,
    Rates,
    accept_at_fmr,
    compare,
    held_out_fmr,
    rates_at,
    reject_at_fnmr,
)
from renzheng.errors import BadInput
from vision.verdict import FEW_SAMPLES_MARGIN

OPENCV_COSINE = 0.363
"""The threshold that OpenCV's tutorial gives for SFace; listed so that a reader sees how loose it is."""

TABLE_COSINES = (0.25, 0.30, 0.35, OPENCV_COSINE, 0.40, 0.45, 0.50, 0.55, 0.60)


@dataclass(frozen=True)
class Targets:
    """The error rates asked for."""

    fmr: float
    fnmr: float

    def __post_init__(self) -> None:
        for option, value in (("--target-fmr", self.fmr), ("--target-fnmr", self.fnmr)):
            if not 0 < value < 1:
                raise BadInput(f"{option}: expected a rate between 0 and 1, got {value:g}")


@dataclass(frozen=True)
class Calibration:
    """A threshold set and what was measured on the way to it."""

    threshold_set: ThresholdSet
    faces: LabelledFaces
    comparisons: Comparisons
    accept: Rates
    reject: Rates
    table: tuple[Rates, ...]
    held_out_fmr: float
    fmr_claims: tuple[Claim, ...]
    fnmr_claim: Claim
    gate: bool


def calibrate(
    faces: LabelledFaces, *, name: str, pack: str, source: str, targets: Targets, seed: int, gate: bool = True
) -> Calibration:
    """Thresholds at the target rates, with intervals. Raises :class:`BadInput` when the sample cannot support them."""
    comparisons = compare(faces.embeddings, faces.person)
    refuse_small_sample(comparisons, targets.fmr, targets.fnmr)
    accept_cosine = accept_at_fmr(comparisons.non_mated, targets.fmr)
    reject_cosine = reject_at_fnmr(comparisons.mated, targets.fnmr, accept_cosine)
    accept, reject = (rates_at(comparisons, cosine, seed=seed) for cosine in (accept_cosine, reject_cosine))
    row = sorted({*TABLE_COSINES, accept_cosine, reject_cosine})
    return Calibration(
        _threshold_set(faces, comparisons, accept, reject, targets, name=name, pack=pack, source=source),
        faces,
        comparisons,
        accept,
        reject,
        tuple(rates_at(comparisons, cosine, seed=seed) for cosine in row),
        held_out_fmr(comparisons, targets.fmr),
        tuple(fmr_claim(comparisons, rate) for rate in sorted({*ASKED_FMRS, targets.fmr}, reverse=True)),
        fnmr_claim(comparisons, targets.fnmr),
        gate,
    )


def _threshold_set(
    faces: LabelledFaces,
    comparisons: Comparisons,
    accept: Rates,
    reject: Rates,
    targets: Targets,
    *,
    name: str,
    pack: str,
    source: str,
) -> ThresholdSet:
    return ThresholdSet(
        name=name,
        pack=pack,
        accept=accept.threshold,
        reject=reject.threshold,
        few_samples_margin=FEW_SAMPLES_MARGIN,
        target_fmr=targets.fmr,
        target_fnmr=targets.fnmr,
        fmr_at_accept=_rate(accept.fmr),
        fnmr_at_accept=_rate(accept.fnmr),
        fnmr_at_reject=_rate(reject.fnmr),
        people=comparisons.people,
        pictures=faces.pictures,
        refused_pictures=len(faces.refused),
        mated_comparisons=len(comparisons.mated),
        non_mated_comparisons=len(comparisons.non_mated),
        source=source,
    )


def _rate(estimate: Estimate) -> Rate:
    value, low, high = (_digits(x) for x in (estimate.value, estimate.low, estimate.high))
    return Rate(value=value, low=low, high=high)


def _digits(rate: float) -> float:
    """Four digits: more would claim a precision that no sample has."""
    return float(f"{rate:.4g}")
