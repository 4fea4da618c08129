"""Checks of tables of words: both languages there, every word used, no word asked for that is not there."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator, Mapping

from renzheng.contracts import Words

_CALL = re.compile(r"""\b(?:(?:t|said|column)\(\s*|attr\(\s*"[a-z-]+",\s*)["']([a-z0-9_]+)["']""")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def untranslated(tables: Mapping[str, Mapping[str, Words]], *, mixed: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with the tables by name; keys of ``mixed`` may have Chinese in their English."""
    for table, entries in tables.items():
        for key, (zh, en) in entries.items():
            if not zh.strip() or not en.strip():
                yield f"{table}[{key!r}]: expected words in both languages, got {zh!r} and {en!r}"
            if _blanks(zh) != _blanks(en):
                yield f"{table}[{key!r}]: the two languages leave different places open"
            if _CHINESE.search(en) and key not in mixed:
                yield f"{table}[{key!r}]: the English words hold Chinese: {en!r}"


def misused(words: Mapping[str, Words], sources: Mapping[str, str], table: str = "WORDS") -> Iterator[str]:
    """Words that no source (name to text) uses, asked for but not there, or written into a page or script."""
    everything = "\n".join(sources.values())
    for key in words:
        if not re.search(rf"""["']{key}["']""", everything):
            yield f"{table}[{key!r}]: used nowhere"
    for name, text in sources.items():
        yield from (f"{name}: asks for unknown words {key!r}" for key in _CALL.findall(text) if key not in words)
        if name.endswith((".html", ".js")) and _CHINESE.search(text.replace("中文", "")):
            yield f"{name}: holds Chinese words that belong into {table}"


def _blanks(text: str) -> set[str]:
    """Names of the places that a text leaves open."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
