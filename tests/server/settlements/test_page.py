"""The page for whoever imports says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.settlements.imports import BATCH
from server.settlements.kinds import FIELDS, ImportWarning
from server.settlements.tally import PROBLEMS_KEPT

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["settlements.md", "settlements.zh-CN.md"])
def test_the_page_for_importers_tells_every_column_and_warning(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    sections = re.split(r"^###? ", text, flags=re.MULTILINE)
    for kind, fields in FIELDS.items():
        (section,) = [part for part in sections if f"`{kind.value}`\n" in part]
        told = re.findall(r"^\| `([a-z_]+)`( \*)? \| ([^|]*) \|", section, re.MULTILINE)
        assert [(name, star) for name, star, _ in told] == [(one.name, " *" * one.needed) for one in fields]
        assert [re.split("、|, ", names) for _, _, names in told] == [list(one.names) or [""] for one in fields]
    warnings = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \|$", text, re.MULTILINE)
    assert warnings == list(ImportWarning)
    for number in (BATCH, PROBLEMS_KEPT):
        assert f"{number:,}" in text
