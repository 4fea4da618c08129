"""Whatever is said in one language is said in the other: ``python -m tests.translations``, part of ``make check``.

Verdicts and reasons, the words of the report, and the documents that exist in Chinese and English.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from edge_agent import report_words
from edge_agent.box import words as box_words
from renzheng.contracts import BED_VERDICT_WORDS, REASON_WORDS, VERDICT_WORDS, BedVerdict, Reason, Verdict, Words

Code = TypeVar("Code", bound=StrEnum)

HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
CHINESE_SIGNS = re.compile(r"[\u3000-\u303f\uff00-\uffef]")

ROOT = Path(__file__).resolve().parents[1]
IN_BOTH_LANGUAGES = (
    "README",
    "docs/audit",
    "docs/enrolment",
    "docs/server",
    "docs/operations",
    "docs/settlements",
    "docs/verdicts",
    "docs/wards",
)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ ", re.MULTILINE)


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


def document_problems(root: Path = ROOT) -> list[str]:
    """Documents that should exist in both languages and do not, or whose headings or code blocks differ in number."""
    found = []
    for stem in IN_BOTH_LANGUAGES:
        english, chinese = root / f"{stem}.md", root / f"{stem}.zh-CN.md"
        absent = [path.relative_to(root) for path in (english, chinese) if not path.is_file()]
        if absent:
            found += [f"{path}: is not there" for path in absent]
            continue
        texts = [path.read_text(encoding="utf-8") for path in (english, chinese)]
        outlines = [HEADING.findall(CODE_BLOCK.sub("", text)) for text in texts]
        if outlines[0] != outlines[1]:
            found.append(f"{stem}: other headings in English ({len(outlines[0])}) than in Chinese ({len(outlines[1])})")
        blocks = [len(CODE_BLOCK.findall(text)) for text in texts]
        if blocks[0] != blocks[1]:
            found.append(f"{stem}: {blocks[0]} code blocks in English, {blocks[1]} in Chinese")
        if not HAN.search(texts[1]):
            found.append(f"{chinese.relative_to(root)}: no Chinese in the Chinese")
    return found


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    found = problems(Verdict, VERDICT_WORDS) + problems(BedVerdict, BED_VERDICT_WORDS) + problems(Reason, REASON_WORDS)
    found += report_words.missing() + box_words.missing() + document_problems()
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
