"""The operator's pages of the server say what the program does: settings, defaults, reasons, metrics, commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from server.commands import app
from server.health.metrics import ServerMetrics
from server.keeping.jobs import JOBS
from server.keeping.periodic import Periodic
from server.permissions import Role
from server.settings import ServerSettings
from server.tables import UnjoinedReason
from tests.server.conftest import House

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/server.md", "docs/server.zh-CN.md")
SETTINGS, ROLES, JOIN = 2, 3, 4


def section(page: str, number: int) -> str:
    """One part of a page, by the order of its second headings."""
    return (ROOT / page).read_text(encoding="utf-8").split("\n## ")[number]


def told(default: Any) -> tuple[str, ...]:
    """How a default may be written."""
    if default is None or default == "":
        return ("none", "无")
    if isinstance(default, bool):
        return (f"`{str(default).lower()}`",)
    if isinstance(default, list):
        return ("`" + str(default).replace("'", '"') + "`",)
    return (f"`{default}`" if isinstance(default, str) else f"`{default:g}`",)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_is_in_the_table_with_its_default(page: str) -> None:
    found = dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+) \|", section(page, SETTINGS), re.MULTILINE))
    fields = ServerSettings.model_fields
    assert list(found) == list(fields)
    wrong = {
        name: said
        for name, said in found.items()
        if said not in (("required", "必填") if fields[name].is_required() else told(fields[name].default))
    }
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_role_and_every_reason_is_told(page: str) -> None:
    roles = set(re.findall(r"`([a-z_]+)`(?=[^|]*\|)", section(page, ROLES)))
    assert {role.value for role in Role} <= roles
    reasons = re.findall(r"^\| `([a-z_]+)` \|", section(page, JOIN), re.MULTILINE)
    assert sorted(reasons) == sorted(reason.value for reason in UnjoinedReason)


@pytest.mark.parametrize("page", PAGES)
def test_metrics_and_commands_that_are_named_exist(page: str, sqlite_house: House) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    metrics = ServerMetrics(sqlite_house.server, Periodic(sqlite_house.server, JOBS))
    metrics.answered("GET", "/healthz", 200, 0.01)
    known = metrics.text().decode()
    named = set(re.findall(r"\brenzheng_server_[a-z_]+", text))
    assert named
    assert [name for name in named if name not in known] == []
    commands = {
        one.name or (one.callback.__name__.replace("_", "-") if one.callback else "") for one in app.registered_commands
    }
    assert set(re.findall(r"renzheng server ([a-z-]+)", text)) - commands == set()
