"""Identity numbers of residents (公民身份号码) as GB 11643 writes them: six digits of a district, eight of the birth
date, three of order, and a check digit."""

from __future__ import annotations

import re
from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
MALE, FEMALE = "1", "2"
"""``gend`` of the platform."""


def check_digit(first_17: str) -> str:
    """The last character that belongs to the 17 digits before it (GB 11643, which takes it from ISO 7064 MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_17, strict=True))
    return _CHECK_DIGITS[total % 11]


def fault_of(number: str) -> str | None:
    """What is wrong with a number, without the number; ``None`` when nothing is."""
    if not _SHAPE.fullmatch(number):
        return "expected 17 digits and a check digit, which is a digit or X"
    if check_digit(number[:17]) != number[17]:
        return "the check digit does not fit the digits before it"
    try:
        born_on(number)
    except ValueError:
        return "digits 7 to 14 are no date"
    return None


def born_on(number: str) -> date:
    """The birth date that a sound number holds."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def gender_of(number: str) -> str:
    """``gend`` that a sound number holds: its 17th digit is odd for men."""
    return MALE if int(number[16]) % 2 else FEMALE
