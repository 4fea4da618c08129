"""Templates on the box: encrypted, bounded, for a while."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.uplink.template_cache import EncryptedTemplateCache
from renzheng.clock import from_seconds, to_seconds
from renzheng.crypto import Sealer
from tests.edge_agent.builders import NOON
from tests.edge_agent.uplink.people import MODEL, a_person, a_staff, an_answer, unit

NOON_S = to_seconds(NOON)
PSN_NO = "33028119540321000X"


def a_cache(folder: Path, model: str = MODEL, key: bytes = b"k" * 32, **given: object) -> EncryptedTemplateCache:
    return EncryptedTemplateCache(folder / "templates.sqlite", Sealer(key), model, **given)  # type: ignore[arg-type]


def test_what_was_put_is_there_for_another_process_with_the_key(tmp_path: Path) -> None:
    answer = an_answer(PSN_NO)
    a_cache(tmp_path).put(answer, NOON, NOON_S)
    a_cache(tmp_path).put_staff(a_staff(a_person("W1", unit(3))), NOON_S)
    assert a_cache(tmp_path).get(PSN_NO, NOON, NOON_S + 60) == answer
    assert a_cache(tmp_path).staff(NOON_S + 60) == a_staff(a_person("W1", unit(3)))
    assert a_cache(tmp_path).get("another", NOON, NOON_S) is None


def test_before_anything_was_put_nothing_is_known_and_no_file_is_made(tmp_path: Path) -> None:
    assert a_cache(tmp_path).get(PSN_NO, NOON, NOON_S) is None
    assert a_cache(tmp_path).staff(NOON_S) is None
    assert list(tmp_path.iterdir()) == []


def test_the_file_names_nobody_and_shows_no_template(tmp_path: Path) -> None:
    answer = an_answer(PSN_NO)
    a_cache(tmp_path).put(answer, NOON, NOON_S)
    path = tmp_path / "templates.sqlite"
    data = path.read_bytes()
    assert answer.holder is not None
    assert PSN_NO.encode() not in data
    assert answer.holder.templates[0].encode() not in data
    assert unit(1).tobytes() not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    a_cache(tmp_path).put(an_answer(PSN_NO), NOON, NOON_S)
    a_cache(tmp_path).put_staff(a_staff(), NOON_S)
    assert a_cache(tmp_path, key=b"x" * 32).get(PSN_NO, NOON, NOON_S) is None
    assert a_cache(tmp_path, key=b"x" * 32).staff(NOON_S) is None


def test_entries_cannot_be_swapped_for_each_other(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put(an_answer("P1"), NOON, NOON_S)
    cache.put(an_answer("P2"), NOON, NOON_S)
    with closing(sqlite3.connect(tmp_path / "templates.sqlite")) as connection, connection:
        (first, one), (second, two) = connection.execute("SELECT name, sealed FROM answers").fetchall()
        connection.executemany("UPDATE answers SET sealed = ? WHERE name = ?", [(two, first), (one, second)])
    assert cache.get("P1", NOON, NOON_S) is None


@pytest.mark.parametrize(
    ("expires_s", "keep_s", "later_s", "known"),
    [
        (100.0, 1000.0, 99.0, True),
        (100.0, 1000.0, 100.0, False),
        (1000.0, 100.0, 99.0, True),
        (1000.0, 100.0, 100.0, False),
        (1000.0, 1000.0, -60.0, True),
        (1000.0, 1000.0, -3600.0, False),
    ],
)
def test_an_entry_counts_until_the_earlier_of_both_ends_and_not_after_the_clock_was_set_back(
    expires_s: float, keep_s: float, later_s: float, known: bool, tmp_path: Path
) -> None:
    cache = a_cache(tmp_path, keep_s=keep_s)
    cache.put(an_answer(expires_at=from_seconds(NOON_S + expires_s)), NOON, NOON_S)
    assert (cache.get("P1", NOON, NOON_S + later_s) is not None) is known
    assert cache.wipe_expired(NOON_S + later_s) == (0 if known else 1)
    assert (cache.get("P1", NOON, NOON_S) is not None) is known


def test_an_answer_is_good_for_its_day_because_agents_change_by_the_day(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put(an_answer(), NOON, NOON_S)
    assert cache.get("P1", NOON + timedelta(hours=11), NOON_S) is not None
    assert cache.get("P1", NOON + timedelta(hours=12), NOON_S) is None


def test_the_one_not_used_for_the_longest_time_gives_way_and_the_staff_never(tmp_path: Path) -> None:
    cache = a_cache(tmp_path, people_max=2)
    cache.put_staff(a_staff(), NOON_S - 100)
    for number, person in enumerate(("P1", "P2")):
        cache.put(an_answer(person), NOON, NOON_S + number)
    cache.touch("P1", NOON, NOON_S + 5)
    cache.put(an_answer("P3"), NOON, NOON_S + 6)
    assert [cache.get(person, NOON, NOON_S + 7) is not None for person in ("P1", "P2", "P3")] == [True, False, True]
    assert cache.staff(NOON_S) is not None


def test_templates_of_another_model_are_not_read_and_wiped_at_the_next_start(tmp_path: Path) -> None:
    a_cache(tmp_path).put(an_answer(), NOON, NOON_S)
    newer = a_cache(tmp_path, model="f" * 64)
    assert newer.get("P1", NOON, NOON_S) is None
    newer.open()
    assert a_cache(tmp_path).get("P1", NOON, NOON_S) is None
    with closing(sqlite3.connect(tmp_path / "templates.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"no database at all, by far", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_moved_aside_told_of_and_begun_anew(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "templates.sqlite"
    path.write_bytes(content)
    events: list[str] = []
    cache = a_cache(tmp_path, on_event=lambda kind, detail: events.append(kind))
    assert cache.get("P1", NOON, NOON_S) is None
    assert path.read_bytes() == content
    cache.put(an_answer(), NOON, NOON_S)
    assert cache.get("P1", NOON, NOON_S) == an_answer()
    assert events == ["template_cache_damaged"]
    assert (tmp_path / "templates.sqlite.damaged").read_bytes() == content


def test_a_damaged_entry_is_taken_for_absent(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put(an_answer(), NOON, NOON_S)
    with closing(sqlite3.connect(tmp_path / "templates.sqlite")) as connection, connection:
        connection.execute("UPDATE answers SET sealed = x'00'")
    assert cache.get("P1", NOON, NOON_S) is None
    cache.put(an_answer(), NOON, NOON_S)
    assert cache.get("P1", NOON, NOON_S) is not None
