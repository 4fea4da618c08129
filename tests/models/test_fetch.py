from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from models import fetch
from models.fetch import cached_path, fetch_asset, fetch_file, fetch_pack, verify_pack, wheel_commands
from models.manifest import InstalledSource, Licence, PinnedFile, Source, UrlSource, WheelSource
from renzheng.errors import BadInput, MissingPart
from tests.models.conftest import SetSettings

RIGHT, WRONG = b"the right bytes", b"some other bytes"
MIT = Licence(name="MIT", url="https://example.org/licence", commercial=True)
WHEEL = WheelSource(kind="wheel", requirement="weights==1.0", member="weights/net.onnx")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pinned(*sources: Source) -> PinnedFile:
    return PinnedFile(file="net.onnx", sha256=sha256(RIGHT), size_bytes=len(RIGHT), licence=MIT, sources=sources)


def files_under(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


class Downloader:
    """Stands in for pip: each call writes a wheel with the next content, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *contents: bytes | None) -> None:
        self.contents = list(contents)
        self.calls = 0
        monkeypatch.setattr(fetch, "wheel_commands", lambda requirement, folder: [["pip", str(folder)]])
        monkeypatch.setattr(fetch, "_run_downloader", self.run)

    def run(self, command: list[str]) -> str | None:
        content = self.contents[min(self.calls, len(self.contents) - 1)]
        self.calls += 1
        if content is None:
            return "no index could be reached"
        folder = Path(command[1])
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "weights-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(WHEEL.member, content)
        return None


def test_a_member_of_a_wheel_lands_in_the_cache_under_its_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Downloader(monkeypatch, RIGHT)
    path = fetch_file(pinned(WHEEL), tmp_path)
    assert path == tmp_path / "weights" / sha256(RIGHT) / "net.onnx"
    assert path.read_bytes() == RIGHT


def test_the_second_time_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    downloader = Downloader(monkeypatch, RIGHT)
    fetch_file(pinned(WHEEL), tmp_path)
    fetch_file(pinned(WHEEL), tmp_path)
    assert downloader.calls == 1


def test_a_weights_file_with_the_wrong_digest_is_refused_and_names_both_digests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Downloader(monkeypatch, WRONG)
    with pytest.raises(BadInput) as refusal:
        fetch_file(pinned(WHEEL), tmp_path)
    assert all(part in str(refusal.value) for part in ("net.onnx", sha256(RIGHT), sha256(WRONG)))


def test_wrong_bytes_are_fetched_once_more_and_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    downloader = Downloader(monkeypatch, WRONG)
    with pytest.raises(BadInput):
        fetch_file(pinned(WHEEL), tmp_path)
    assert downloader.calls == 2
    assert [path for path in files_under(tmp_path) if path.is_file()] == []


def test_wrong_bytes_followed_by_right_ones_are_forgiven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Downloader(monkeypatch, WRONG, RIGHT)
    assert fetch_file(pinned(WHEEL), tmp_path).read_bytes() == RIGHT


def test_a_cached_file_that_rotted_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Downloader(monkeypatch, RIGHT)
    path = cached_path(pinned(WHEEL), tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(WRONG)
    assert fetch_file(pinned(WHEEL), tmp_path).read_bytes() == RIGHT


def test_where_nothing_can_be_reached_the_error_lists_what_was_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Downloader(monkeypatch, None)
    absent = InstalledSource(kind="installed", package="no_such_package_here", member="net.onnx")
    with pytest.raises(MissingPart) as failure:
        fetch_file(pinned(absent, WHEEL), tmp_path)
    message = str(failure.value)
    assert "no_such_package_here: the package is not installed" in message
    assert "no index could be reached" in message
    assert "RENZHENG_WEIGHTS_DIR" in message


def test_an_address_that_does_not_answer_is_one_more_thing_that_was_tried(tmp_path: Path) -> None:
    nobody = UrlSource(kind="url", url="http://127.0.0.1:9/net.onnx")
    with pytest.raises(MissingPart, match=r"127\.0\.0\.1:9"):
        fetch_file(pinned(nobody), tmp_path)


def test_the_operators_own_folder_is_asked_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_settings: SetSettings
) -> None:
    downloader = Downloader(monkeypatch, WRONG)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "net.onnx").write_bytes(RIGHT)
    set_settings(weights_dir=mirror)
    assert fetch_file(pinned(WHEEL), tmp_path / "cache").read_bytes() == RIGHT
    assert downloader.calls == 0


def test_a_wrong_file_in_the_operators_folder_does_not_stop_the_next_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_settings: SetSettings
) -> None:
    Downloader(monkeypatch, RIGHT)
    (tmp_path / "net.onnx").write_bytes(WRONG)
    set_settings(weights_dir=tmp_path)
    assert fetch_file(pinned(WHEEL), tmp_path / "cache").read_bytes() == RIGHT


def test_an_installed_package_is_located_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "explodes"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "net.onnx").write_bytes(RIGHT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    source = InstalledSource(kind="installed", package="explodes", member="net.onnx")
    assert fetch_file(pinned(source), tmp_path / "cache").read_bytes() == RIGHT


def test_a_bar_is_shown_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the captured stream for a terminal
    Downloader(monkeypatch, RIGHT)
    fetch_file(pinned(WHEEL), tmp_path / "quiet")
    assert capsys.readouterr().err == ""
    fetch_file(pinned(WHEEL), tmp_path / "shown", progress=True)
    assert "net.onnx" in capsys.readouterr().err


def test_an_environment_without_pip_falls_back_to_uv_and_to_any_other_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name))
    monkeypatch.setattr(shutil, "which", lambda program, path="/bin": f"{path}/{program}")
    monkeypatch.setattr(sys, "base_prefix", "/base")
    commands = wheel_commands("weights==1.0", tmp_path)
    assert [command[:-8] for command in commands[1:]] == [
        ["/base/bin/python3", "-m", "pip"],
        ["/bin/python3", "-m", "pip"],
        ["/bin/pip"],
    ]
    assert commands[0][:3] == ["/bin/uv", "pip", "install"]


def test_an_environment_with_pip_asks_its_own_pip_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "pip" else find_spec(name))
    command = wheel_commands("weights==1.0", tmp_path)[0]
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command


def test_an_unknown_pack_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="opencv-zoo"):
        fetch_pack("opencv-zo", tmp_path)


def test_an_unknown_asset_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="demo-people"):
        fetch_asset("people", tmp_path)


def test_verifying_a_pack_that_was_never_fetched_reports_its_files_as_absent(tmp_path: Path) -> None:
    states = verify_pack("opencv-zoo", tmp_path)
    assert [state.actual_sha256 for state in states] == [None, None]
    assert not any(state.is_right for state in states)
