"""The operator's documents of a box say what the program does: settings, defaults, examples, metrics, tests."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge_agent.box.metrics import BoxMetrics
from edge_agent.edge_config import EdgeConfig, KeepConfig, read_config
from edge_agent.swipe_sources.swipe_json import parse_swipe
from renzheng.contracts import BedVerdict, Verdict
from tests.edge_agent.box.sample_box import SampleView, a_troubled_box

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/operations.md", "docs/operations.zh-CN.md")
NONE, REQUIRED, SEE = ("none", "无"), ("required", "必填"), ("see [", "见[")
NAMED_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
SETTING = re.compile(r"^\| `([a-z0-9_.]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LEAVES = re.compile(r"^\| `([a-z_]+)` \| `(report|samples|clip)` \|$", re.MULTILINE)
METRIC = re.compile(r"\brenzheng_edge_[a-z_]+")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    """A document."""
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, number: int) -> str:
    """One part of it, by the order of its second headings, the introduction being 0."""
    return text_of(page).split("\n## ")[number]


SETTINGS, LEAVING, WATCHING, FAULTS = 5, 7, 9, 11


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The tables that a field holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from models_in(part)


def settings(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting by the name an operator knows, tables entered."""
    for name, field in model.model_fields.items():
        tables = list(models_in(field.annotation))
        for table in tables:
            yield from settings(table, f"{before}{name}.")
        if not tables:
            yield before + name, field


def told(field: FieldInfo) -> tuple[str, ...]:
    """How a default may be written, in either language."""
    if field.is_required():
        return REQUIRED
    default = field.default
    if default is None:
        return NONE
    if field.default_factory is not None:
        return SEE
    if isinstance(default, bool):
        return (f"`{str(default).lower()}`",)
    return (f"`{default}`" if isinstance(default, str) else f"`{default:g}`",)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_of_a_box_is_in_the_table_with_its_default(page: str) -> None:
    wanted = dict(settings(EdgeConfig))
    found = {name: default for name, default, _ in SETTING.findall(section(page, SETTINGS))}
    assert set(found) == set(wanted)
    wrong = {name: default for name, default in found.items() if not default.startswith(told(wanted[name]))}
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES)
def test_what_leaves_the_box_is_told_for_every_verdict_as_it_is(page: str) -> None:
    keep = KeepConfig()
    _, swipes, beds = re.split(r"\n\| \S.*\| \S.*\|\n\|---\|---\|\n(?=\| `(?:match|present)`)", section(page, LEAVING))
    assert dict(LEAVES.findall(swipes)) == {verdict.value: keep.leaves_for(verdict) for verdict in Verdict}
    assert dict(LEAVES.findall(beds)) == {verdict.value: keep.leaves_for_bed(verdict) for verdict in BedVerdict}


@pytest.mark.parametrize("page", PAGES)
def test_the_example_of_a_configuration_is_read(page: str, tmp_path: Path) -> None:
    examples = [text for kind, text in FENCED.findall(text_of(page)) if kind == "toml"]
    assert len(examples) == 1
    with_comments_in = re.sub(r"^# (?=ward|token_file|\[swipes|path)", "", examples[0], flags=re.MULTILINE)
    for text in (examples[0], with_comments_in):
        (tmp_path / "edge.toml").write_text(text, encoding="utf-8")
        config = read_config(tmp_path / "edge.toml")
        assert config.server and config.server.clip_windows
    assert config.ward and config.swipes.csv and config.http.token_file


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_swipes_are_swipes(page: str) -> None:
    bodies = re.findall(r'(\{\s*"setl_id".*?\})\'', text_of(page), re.DOTALL)
    assert len(bodies) == 2  # HTTP and MQTT
    assert {parse_swipe(body.encode(), "P33028100001").terminal_id for body in bodies} == {"T01"}


@pytest.mark.parametrize("page", PAGES)
def test_metrics_that_are_to_be_watched_exist(page: str) -> None:
    metrics = BoxMetrics(SampleView(a_troubled_box()))
    metrics.refused("bad_swipe")
    metrics.swipe_taken("http", "new")
    known = set(METRIC.findall(metrics.text().decode()))
    named = set(METRIC.findall(section(page, WATCHING)))
    assert named
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_fault_names_tests_and_they_exist(page: str) -> None:
    rows = [line for line in section(page, FAULTS).splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 40
    assert [row for row in rows if not NAMED_TEST.search(row)] == []
    missing = [f"{file}::{name}" for file, name in NAMED_TEST.findall(text_of(page)) if not is_there(file, name)]
    assert missing == []


def is_there(file: str, name: str) -> bool:
    """Whether a test of that name stands in that file, below tests/edge_agent or tests."""
    paths = (ROOT / "tests" / "edge_agent" / file, ROOT / "tests" / file)
    found = next((path for path in paths if path.is_file()), None)
    return found is not None and f"\ndef {name}(" in found.read_text(encoding="utf-8")


def test_both_languages_name_the_same_tests_and_metrics() -> None:
    english, chinese = (text_of(page) for page in PAGES)
    assert NAMED_TEST.findall(english) == NAMED_TEST.findall(chinese)
    assert METRIC.findall(english) == METRIC.findall(chinese)


def test_the_unit_file_starts_a_command_that_exists_and_waits_long_enough_for_its_end() -> None:
    from edge_agent.agent.agent import DRAIN_S, PROCESSES_END_WITHIN_S
    from edge_agent.agent.commands import app

    unit = text_of("docs/systemd/renzheng-edge.service")
    command = re.search(r"^ExecStart=\S+/renzheng edge (\w+) --config", unit, re.MULTILINE)
    stop_s = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert command and command[1] in {found.callback.__name__ for found in app.registered_commands if found.callback}
    assert stop_s and float(stop_s[1]) >= 3 * DRAIN_S + 2 * PROCESSES_END_WITHIN_S
    for page in PAGES:
        assert f"--stop-timeout {stop_s[1]} " in text_of(page)
