"""What a sample is large enough to claim, by the rule of 3 and the rule of 30 of ISO/IEC 19795-1.

Rule of 3: with no error in N independent comparisons, the error rate is below 3 / N with 95 % confidence; so N
comparisons can support no claim below 3 / N. Rule of 30 (Doddington et al., "The NIST speaker recognition evaluation",
Speech Communication 31, 2000): with 30 errors or more, the true rate is within ±30 % of the measured one with 90 %
confidence. Both suppose independent comparisons. Comparisons of the same people are not independent, so what holds for
comparisons is said for people too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.thresholds import Comparisons
from renzheng.errors import BadInput

RULE_OF_THREE = 3
RULE_OF_THIRTY = 30
ASKED_FMRS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False match rates of which a report says whether the sample supports them."""


@dataclass(frozen=True)
class Claim:
    """Whether a sample supports an error rate, and how firmly.

    ``comparisons`` are what there is, ``needed`` what the rule of 3 asks for. ``expected_errors`` at the rate say how
    precise a measurement can be (rule of 30). ``units`` are independent: pairs of people for FMR, people for FNMR.
    """

    rate: float
    comparisons: int
    units: int

    @property
    def needed(self) -> int:
        """Comparisons that the rule of 3 asks for."""
        return math.ceil(RULE_OF_THREE / self.rate - 1e-6)

    @property
    def supported(self) -> bool:
        """Whether there are enough comparisons."""
        return self.comparisons >= self.needed

    @property
    def expected_errors(self) -> float:
        """Errors among the comparisons if the rate is just met."""
        return self.comparisons * self.rate

    @property
    def precise(self) -> bool:
        """Whether the rule of 30 is met."""
        return self.expected_errors >= RULE_OF_THIRTY

    @property
    def independent(self) -> bool:
        """Whether even the independent units alone are enough."""
        return self.units >= self.needed


def fmr_claim(comparisons: Comparisons, rate: float) -> Claim:
    """The claim that strangers match at most at ``rate``."""
    people = comparisons.people
    return Claim(rate, len(comparisons.non_mated), people * (people - 1) // 2)


def fnmr_claim(comparisons: Comparisons, rate: float) -> Claim:
    """The claim that a person fails to match at most at ``rate``."""
    return Claim(rate, len(comparisons.mated), int((comparisons.pictures_of >= 2).sum()))


def refuse_small_sample(comparisons: Comparisons, target_fmr: float, target_fnmr: float) -> None:
    """Raise :class:`BadInput`, with what there is and what is needed, when a target cannot be supported."""
    problems = []
    fmr, fnmr = fmr_claim(comparisons, target_fmr), fnmr_claim(comparisons, target_fnmr)
    pictures = len(comparisons.embeddings) / max(comparisons.people, 1)
    if not fmr.supported:
        problems.append(
            f"a false match rate of {target_fmr:g} needs at least {fmr.needed:,} non-mated comparisons (rule of 3, "
            f"ISO/IEC 19795-1), got {fmr.comparisons:,}; with {pictures:.1f} pictures a person that is about "
            f"{people_needed(fmr.needed, pictures):,} people. {_supports(fmr, '--target-fmr')}"
        )
    if not fnmr.supported:
        each = max(pictures * (pictures - 1) / 2, 1)
        problems.append(
            f"a false non-match rate of {target_fnmr:g} needs at least {fnmr.needed:,} mated comparisons (rule of 3, "
            f"ISO/IEC 19795-1), got {fnmr.comparisons:,}; with {pictures:.1f} pictures a person that is about "
            f"{math.ceil(fnmr.needed / each):,} people. {_supports(fnmr, '--target-fnmr')}"
        )
    if problems:
        raise BadInput("the sample is too small: " + "; ".join(problems))


def people_needed(non_mated: int, pictures_each: float) -> int:
    """The fewest people whose pictures give so many non-mated comparisons: P·(P − 1)/2 · pictures²."""
    pairs = non_mated / max(pictures_each, 1) ** 2
    return math.ceil((1 + math.sqrt(1 + 8 * pairs)) / 2)


def _supports(claim: Claim, option: str) -> str:
    if not claim.comparisons:
        return "There are none"
    return f"This sample supports {option} {_round_up(RULE_OF_THREE / claim.comparisons):g} or more"


def _round_up(rate: float) -> float:
    """The next number with two digits, so that the advice itself is supported."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(math.ceil(rate / step) * step)
