"""Settings: where they come from, and that a malformed one is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.errors import BadInput
from renzheng.settings import settings, settings_file


@pytest.fixture(autouse=True)
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty settings file, no settings in the environment, nothing remembered."""
    for name in ("CACHE_DIR", "PROVIDER", "THREADS", "INSIGHTFACE_DIR", "WEIGHTS_DIR", "ACKNOWLEDGED_PACKS"):
        monkeypatch.delenv(f"RENZHENG_{name}", raising=False)
    (tmp_path / "renzheng.toml").touch()
    monkeypatch.setenv("RENZHENG_SETTINGS", str(tmp_path / "renzheng.toml"))
    settings.cache_clear()
    yield tmp_path / "renzheng.toml"
    settings.cache_clear()


def test_without_any_setting_the_defaults_hold(toml: Path) -> None:
    assert (settings().provider, settings().threads, settings().acknowledged_packs) == ("cpu", 1, frozenset())
    assert settings_file() == toml


def test_the_environment_goes_before_the_file(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text('threads = 2\ncache_dir = "/from/file"\nacknowledged_packs = ["insightface:buffalo_l"]\n')
    monkeypatch.setenv("RENZHENG_THREADS", "3")

    assert settings().threads == 3
    assert settings().cache_dir == Path("/from/file")
    assert settings().acknowledged_packs == {"insightface:buffalo_l"}


def test_settings_are_read_once(toml: Path) -> None:
    first = settings()
    toml.write_text("threads = 2\n")

    assert settings() is first


@pytest.mark.parametrize(
    ("name", "value"), [("threads", "many"), ("threads", "0"), ("threads", "999"), ("provider", "abacus")]
)
def test_a_malformed_setting_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"RENZHENG_{name.upper()}", value)

    with pytest.raises(BadInput, match=name):
        settings()


def test_every_malformed_or_unknown_setting_in_the_file_is_named_with_the_file(toml: Path) -> None:
    toml.write_text('threads = "many"\nprovider = "abacus"\nthreds = 2\n')

    with pytest.raises(BadInput) as told:
        settings()

    assert all(part in str(told.value) for part in (str(toml), "threads: ", "provider: ", "threds: "))


def test_a_settings_file_that_is_named_but_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RENZHENG_SETTINGS", str(tmp_path / "nowhere.toml"))
    with pytest.raises(BadInput, match=r"nowhere\.toml: no such file"):
        settings()


def test_a_settings_file_that_is_no_toml_is_told(toml: Path) -> None:
    toml.write_text("threads = [")
    with pytest.raises(BadInput, match=r"renzheng\.toml: expected TOML"):
        settings()


def test_a_list_in_the_environment_that_is_no_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_ACKNOWLEDGED_PACKS", "insightface:buffalo_l")
    with pytest.raises(BadInput, match=r"acknowledged_packs.*JSON"):
        settings()
