"""The check of the words checks, and the glossary has every word."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest

from renzheng.contracts import BED_VERDICT_WORDS, REASON_WORDS, VERDICT_WORDS, Words
from tests.translations import main, problems

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_every_verdict_and_reason_has_words_in_both_languages() -> None:
    assert main() == 0


@pytest.mark.parametrize(
    ("blue", "message"),
    [
        (Words("", "blue"), "Colour.BLUE: empty in Chinese"),
        (Words("blue", "blue"), "Colour.BLUE: no Chinese in the Chinese: blue"),
        (Words("蓝", " "), "Colour.BLUE: empty in English"),
        (Words("蓝", "蓝 blue"), "Colour.BLUE: Chinese in the English: 蓝 blue"),
        (Words("蓝", "blue，so to say"), "Colour.BLUE: Chinese in the English: blue，so to say"),
        (Words("红", "blue"), "Colour: Chinese label used more than once: 红"),
        (Words("蓝", "Red"), "Colour: English label used more than once: red"),
    ],
)
def test_wrong_words_are_named(blue: Words, message: str) -> None:
    assert problems(Colour, {Colour.RED: Words("红", "red"), Colour.BLUE: blue}) == [message]


def test_missing_words_are_named() -> None:
    assert problems(Colour, {Colour.RED: Words("红", "red")}) == ["Colour.BLUE: no words"]


@pytest.mark.parametrize(("code", "words"), [*VERDICT_WORDS.items(), *BED_VERDICT_WORDS.items(), *REASON_WORDS.items()])
def test_the_glossary_has_every_verdict_and_reason_with_both_labels(code: StrEnum, words: Words) -> None:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()

    assert any(line.startswith(f"| {words.zh} | {words.en} | `{code.value}` |") for line in lines), (
        f"docs/glossary.md: expected a line | {words.zh} | {words.en} | `{code.value}` | meaning |"
    )
