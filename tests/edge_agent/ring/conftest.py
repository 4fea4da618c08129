"""A plain video for the tests of rings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge_agent.numbered_video import Recipe, write_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", Recipe(frames=240))
