"""What the tests of checks over real footage share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibration.sets import shipped_names

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="session")
def faces_dir(shared_dir: Path) -> Path:
    """Folder with ``bbt`` (people to enrol) and ``scenes`` (group pictures with them)."""
    folder = shared_dir / "faces"
    if not (folder / "scenes").is_dir() or not (folder / "bbt").is_dir():
        pytest.skip(f"no pictures of people in {folder}")
    return folder


@pytest.fixture(scope="session")
def thresholds(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of the shipped set."""
    if "opencv-zoo" in shipped_names():
        return "opencv-zoo"
    path = tmp_path_factory.mktemp("sets") / "opencv-zoo.toml"
    rate = "{ value = 0.0, low = 0.0, high = 0.0 }"
    path.write_text(
        'name = "opencv-zoo"\npack = "opencv-zoo"\naccept = 0.46\nreject = 0.28\nfew_samples_margin = 0.1\n'
        f"target_fmr = 1e-4\ntarget_fnmr = 0.01\nfmr_at_accept = {rate}\nfnmr_at_accept = {rate}\n"
        f"fnmr_at_reject = {rate}\npeople = 2\npictures = 4\nrefused_pictures = 0\nmated_comparisons = 2\n"
        'non_mated_comparisons = 4\nsource = "none"\n',
        encoding="utf-8",
    )
    return str(path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium as the system has it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_api.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield opened
        opened.close()
