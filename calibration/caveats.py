"""What a calibration cannot say, in words, for the summary and the report."""

from __future__ import annotations

import math

from calibration.claims import RULE_OF_THIRTY, RULE_OF_THREE, Claim
from calibration.result import Calibration
from renzheng.contracts.reasons import Words


def caveats(calibration: Calibration) -> list[Words]:
    """Everything that limits the claims of a calibration; the first ones weigh most."""
    target = calibration.threshold_set.target_fmr
    fmr = next(claim for claim in calibration.fmr_claims if claim.rate == target)
    notes = [_held_out(calibration)] if math.isfinite(calibration.held_out_fmr) else []
    if not fmr.precise:
        notes.append(_few_errors(fmr))
    if not fmr.independent:
        notes.append(_few_pairs(fmr))
    if not calibration.fnmr_claim.independent:
        notes.append(_few_people(calibration.fnmr_claim))
    notes.append(
        Words(
            "以上为单张照片对单张照片的比对结果；实际核验取多张画面的均值与最相近的建档照片比对，误差通常更小。",
            "These are comparisons of one picture with one picture; a check compares the mean of several samples with "
            "the best reference, which usually errs less.",
        )
    )
    notes.append(
        Words(
            "阈值只对与样本相似的人群、相机和光线成立；换了现场应以现场数据重新标定。",
            "Thresholds hold for people, cameras and light like the sample's; calibrate with pictures of the site.",
        )
    )
    return notes


def _held_out(calibration: Calibration) -> Words:
    rate = calibration.held_out_fmr
    return Words(
        f"通过阈值是在同一批比对上选出的；按人留出验证，对未参与选取的人 FMR 为 {rate:.1e}。",
        f"Accept was chosen on these same comparisons; chosen without them and tried on the people left out, FMR is "
        f"{rate:.1e}.",
    )


def _few_errors(claim: Claim) -> Words:
    needed = math.ceil(RULE_OF_THIRTY / claim.rate - 1e-6)
    return Words(
        f"FMR {claim.rate:g} 仅对应约 {claim.expected_errors:.0f} 次错误；"
        f"按“30 次法则”需要 {needed:,} 次异人比对，数值并不精确。",
        f"FMR {claim.rate:g} rests on about {claim.expected_errors:.0f} errors; the rule of 30 asks for {needed:,} "
        f"non-mated comparisons, so the figure is not precise.",
    )


def _few_pairs(claim: Claim) -> Words:
    alone = RULE_OF_THREE / max(claim.units, 1)
    return Words(
        f"{claim.comparisons:,} 次异人比对来自 {claim.units:,} 对人，彼此并不独立；"
        f"若只按人对计，最多支持 FMR {alone:.1e}。",
        f"The {claim.comparisons:,} non-mated comparisons come from {claim.units:,} pairs of people and are not "
        f"independent; the pairs alone would support no FMR below {alone:.1e}.",
    )


def _few_people(claim: Claim) -> Words:
    return Words(
        f"同人比对来自 {claim.units:,} 人；若要按人（而非按比对）支持 FNMR {claim.rate:g}，需要 {claim.needed:,} 人。",
        f"The mated comparisons come from {claim.units:,} people; to support FNMR {claim.rate:g} over people, not "
        f"comparisons, takes {claim.needed:,}.",
    )
