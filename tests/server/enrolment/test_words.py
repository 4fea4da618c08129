"""Every trouble has its words in both languages, and the page for enrollers tells every column and every code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renzheng.contracts import Reason
from server.enrolment.one_row import PHOTOS_MAX
from server.enrolment.people_table import COLUMNS, REQUIRED
from server.enrolment.words import EXPECTED, TROUBLE_WORDS, RowProblem, Trouble, problem, refused_photo

DOCS = Path(__file__).resolve().parents[3] / "docs"
FACTS = {"line": 2, "most": 8, "other": "0" * 32}
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_is_told_in_both_languages_with_the_same_facts(trouble: Trouble) -> None:
    zh, en = TROUBLE_WORDS[trouble]
    assert set(re.findall(r"{\w+}", zh)) == set(re.findall(r"{\w+}", en))
    told = problem("psn_no", trouble, **FACTS)
    assert HAN.search(told.zh) and not HAN.search(told.en)
    assert "{" not in told.zh + told.en


def test_what_is_expected_of_every_column_is_told() -> None:
    for column, words in EXPECTED.items():
        told = problem(column, Trouble.UNEXPECTED)
        assert words.zh in told.zh and words.en in told.en


def test_reasons_of_the_gate_have_the_words_of_the_counter() -> None:
    assert refused_photo("photos.1", (Reason.NO_FACE,)) == [
        RowProblem(field="photos.1", code="no_face", zh="照片中没有人脸", en="no face in the photo")
    ]


@pytest.mark.parametrize("page", ["enrolment.md", "enrolment.zh-CN.md"])
def test_the_page_for_enrollers_tells_every_column_and_code(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    first_cells = set(re.findall(r"^\| `([a-z_]+)`", text, re.MULTILINE))
    assert first_cells == set(COLUMNS) | set(Trouble)
    needed = set(re.findall(r"^\| `([a-z_]+)` \*", text, re.MULTILINE))
    assert needed == set(REQUIRED)
    assert f" {PHOTOS_MAX} " in text
