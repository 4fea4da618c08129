"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vision.pack import VisionPack, open_pack


@pytest.fixture(scope="session")
def pack() -> VisionPack:
    """The default pack with its real weights."""
    return open_pack()


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder of test pictures that are too large, or not ours, to be kept here."""
    folder = Path(os.environ.get("RENZHENG_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set RENZHENG_TEST_DATA")
    return folder
