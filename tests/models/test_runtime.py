from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.pack import load_pack
from models.runtime import execution_providers, open_session
from renzheng.errors import BadInput, MissingPart
from vision.pack import VisionPack


def test_a_provider_that_is_not_there_is_named_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(MissingPart) as failure:
        execution_providers("cuda")
    message = str(failure.value)
    assert all(part in message for part in ("'cuda'", "CPUExecutionProvider", "onnxruntime-gpu"))


def test_the_processor_stands_behind_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    available = ["OpenVINOExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: available)
    assert execution_providers("openvino") == available
    assert execution_providers("cpu") == ["CPUExecutionProvider"]


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(BadInput, match=r"broken\.onnx"):
        open_session(path, threads=1, provider="cpu")


def test_the_same_input_gives_the_same_bits_twice(pack: VisionPack) -> None:
    session = open_session(load_pack().embedder_path, threads=2, provider="cpu")
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    first, second = (session.run({"data": pixels})[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_running_at_many_sizes_prints_nothing(pack: VisionPack, capfd: pytest.CaptureFixture[str]) -> None:
    session = open_session(load_pack().detector_path, threads=1, provider="cpu")
    for height, width in ((32, 32), (384, 640), (64, 96)):
        session.run({"input": np.zeros((1, 3, height, width), np.float32)})
    assert capfd.readouterr() == ("", "")
