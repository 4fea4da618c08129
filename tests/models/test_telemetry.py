"""Nothing is reported to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ASK = "import os, models.runtime, onnxruntime; print(os.environ['ORT_DISABLE_TELEMETRY'])"


def told(home: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    run = subprocess.run(
        [sys.executable, "-c", ASK], env=kept | places | environment, capture_output=True, check=True, text=True
    )
    return run.stdout.strip()


def test_onnx_runtime_is_told_not_to_report_before_it_is_imported(tmp_path: Path) -> None:
    assert told(tmp_path) == "1"
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_an_operator_may_decide_otherwise(tmp_path: Path) -> None:
    assert told(tmp_path, ORT_DISABLE_TELEMETRY="0") == "0"


def test_no_module_imports_onnx_runtime_without_the_models_package() -> None:
    root = Path(__file__).parents[2]
    packages = ("renzheng", "vision", "calibration", "edge_agent")
    sources = [path for package in packages for path in (root / package).rglob("*.py")]
    assert not [path for path in sources if "import onnxruntime" in path.read_text(encoding="utf-8")]
