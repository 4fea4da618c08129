"""Fixtures of the model zoo's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renzheng.settings import settings

SetSettings = Callable[..., None]


@pytest.fixture
def set_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SetSettings]:
    """Set ``RENZHENG_<NAME>`` for one test; no settings file is read."""
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("RENZHENG_SETTINGS", str(tmp_path / "empty.toml"))
    settings.cache_clear()

    def set_them(**values: str | Path) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"RENZHENG_{name.upper()}", str(value))
        settings.cache_clear()

    yield set_them
    settings.cache_clear()
