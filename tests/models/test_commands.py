from __future__ import annotations

from pathlib import Path

import pytest

from models.fetch import cached_path
from models.manifest import manifest
from renzheng.cli import run
from tests.models.conftest import SetSettings
from vision.pack import VisionPack


def test_the_list_shows_licence_commercial_use_and_size(pack: VisionPack, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("opencv-zoo", "Apache-2.0", "permitted", "10.8"))


def test_licences_are_shown_with_where_their_text_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "licences"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("MIT", "Apache-2.0", "https://github.com/opencv/opencv_zoo", "demo-people"))


def test_fetching_prints_where_the_prepared_files_lie(pack: VisionPack, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "fetch"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert len(paths) == 2
    assert all(path.is_file() for path in paths)


def test_fetched_files_that_are_right_are_said_to_be_right(
    pack: VisionPack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "verify"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["right", "right"]


def test_a_file_that_rotted_fails_the_verification_by_name(
    tmp_path: Path, set_settings: SetSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    set_settings(cache_dir=tmp_path)
    detector, embedder = manifest().pack("opencv-zoo").files
    path = cached_path(detector)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rotten")
    assert run(["models", "verify"]) == 2
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["WRONG", "absent"]
    assert detector.file in printed.err and embedder.file in printed.err
    assert "renzheng models fetch opencv-zoo" in printed.err


def test_an_unknown_pack_leaves_with_an_error_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "fetch", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("renzheng: model pack 'nothing' is not known")
