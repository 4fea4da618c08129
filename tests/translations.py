"""Every verdict and reason has words in both languages: ``python -m tests.translations``, part of ``make check``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from renzheng.contracts import REASON_WORDS, VERDICT_WORDS, Reason, Verdict, Words

Code = TypeVar("Code", bound=StrEnum)

HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
CHINESE_SIGNS = re.compile(r"[\u3000-\u303f\uff00-\uffef]")


def problems(codes: type[Code], words: Mapping[Code, Words]) -> list[str]:
    """What is wrong with the words of one list of codes, a line each; empty when nothing is."""
    found = [f"{codes.__name__}.{code.name}: no words" for code in codes if code not in words]
    for code, (zh, en) in words.items():
        where = f"{codes.__name__}.{code.name}"
        found += [f"{where}: {message}" for message in (_chinese_problem(zh), _english_problem(en)) if message]
    for language, place in (("Chinese", 0), ("English", 1)):
        labels = [pair[place].strip().casefold() for pair in words.values()]
        shared = sorted({label for label in labels if label and labels.count(label) > 1})
        found += [f"{codes.__name__}: {language} label used more than once: {label}" for label in shared]
    return found


def _chinese_problem(zh: str) -> str:
    if not zh.strip():
        return "empty in Chinese"
    return "" if HAN.search(zh) else f"no Chinese in the Chinese: {zh}"


def _english_problem(en: str) -> str:
    if not en.strip():
        return "empty in English"
    return f"Chinese in the English: {en}" if HAN.search(en) or CHINESE_SIGNS.search(en) else ""


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    found = problems(Verdict, VERDICT_WORDS) + problems(Reason, REASON_WORDS)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
