"""Pictures of people, and the opened pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.people import faces
from vision.pack import VisionPack


@pytest.fixture(scope="session")
def pictures(shared_dir: Path) -> Path:
    """Folder with a folder of pictures of each of several people."""
    folder = shared_dir / "faces" / "bbt"
    if not folder.is_dir():
        pytest.skip(f"no pictures of people in {folder}")
    return folder


@pytest.fixture
def opened_pack(pack: VisionPack, monkeypatch: pytest.MonkeyPatch) -> VisionPack:
    """The pack of the settings, opened once for the whole run."""
    monkeypatch.setitem(faces._OPENED, pack.name, pack)
    return pack
