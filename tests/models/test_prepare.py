from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import graph
from models.fetch import cached_path, fetch_file
from models.manifest import PinnedFile, manifest
from models.prepare import (
    PARITY_TOLERANCE,
    PreparationFailed,
    Recipe,
    folded,
    parity,
    prepare_file,
    prepared,
    prepared_path,
    recipe_for,
)
from vision.pack import VisionPack

FILES = manifest().pack("opencv-zoo").files


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.file.split("_2")[0])
def test_a_prepared_network_computes_what_the_plain_one_does(pack: VisionPack, file: PinnedFile) -> None:
    recipe = recipe_for(file)
    plain = folded(fetch_file(file), recipe).SerializeToString()
    assert parity(plain, str(prepared_path(file)), recipe) <= PARITY_TOLERANCE / 10


def test_a_rewrite_that_changes_the_function_is_refused_and_leaves_nothing(pack: VisionPack, tmp_path: Path) -> None:
    file = FILES[1]

    def spoil(model: Any) -> None:
        recipe_for(file).rewrite(model)
        bias = model.graph.initializer[0]
        values = graph.numpy_helper.to_array(bias) * 1.01
        bias.CopyFrom(graph.numpy_helper.from_array(values, bias.name))

    recipe = Recipe({0: "batch"}, spoil, (1, 3, 112, 112), lambda outputs: outputs)
    with pytest.raises(PreparationFailed, match="differ by"):
        prepare_file(cached_path(file), tmp_path / "net.onnx", recipe)
    assert list(tmp_path.iterdir()) == []


def test_a_prepared_file_that_rotted_is_made_again(pack: VisionPack, tmp_path: Path) -> None:
    file = FILES[0]
    path = prepared(file, lambda: fetch_file(file), tmp_path)
    right = path.read_bytes()
    path.write_bytes(right[:1000])
    assert prepared(file, lambda: fetch_file(file), tmp_path).read_bytes() == right


def test_a_warm_cache_does_not_ask_for_the_fetched_file(pack: VisionPack) -> None:
    def nobody() -> Path:
        raise AssertionError("the fetched file was asked for")

    assert prepared(FILES[0], nobody).is_file()


def test_the_prepared_detector_gives_one_output_per_stride_at_any_size(pack: VisionPack) -> None:
    import onnx

    outputs = onnx.load(str(prepared_path(FILES[0]))).graph.output
    shapes = [[d.dim_value or d.dim_param for d in output.type.tensor_type.shape.dim] for output in outputs]
    assert shapes == [[1, 16, f"rows_{stride}", f"columns_{stride}"] for stride in (8, 16, 32)]


def test_the_prepared_embedder_takes_any_batch_of_one_fixed_size_and_no_weights(pack: VisionPack) -> None:
    import onnx

    (pixels,) = onnx.load(str(prepared_path(FILES[1]))).graph.input
    assert [d.dim_value or d.dim_param for d in pixels.type.tensor_type.shape.dim] == ["batch", 3, 112, 112]


@pytest.mark.parametrize(
    ("scale", "zero_point", "options", "expected"),
    [
        (np.float32(0.5), np.int8(2), {}, [[-0.5, 0.0, 0.5, 1.0], [1.5, 2.0, 2.5, 3.0]]),
        (np.array([0.5], np.float32), None, {"block_size": 9}, [[0.5, 1.0, 1.5, 2.0], [2.5, 3.0, 3.5, 4.0]]),
        (np.array([1, 10], np.float32), None, {"axis": 0}, [[1, 2, 3, 4], [50, 60, 70, 80]]),
        (
            np.array([[1, 10], [100, 1000]], np.float32),
            np.array([[1, 0], [0, 0]], np.int8),
            {"axis": 1, "block_size": 3},
            [[0, 1, 2, 40], [500, 600, 700, 8000]],
        ),
    ],
    ids=["one scale", "a stray block size", "per axis", "per block, the last one short"],
)
def test_dequantizing_follows_the_operator(scale: Any, zero_point: Any, options: Any, expected: Any) -> None:
    quantized = np.arange(1, 9, dtype=np.int8).reshape(2, 4)
    result = graph.dequantized(quantized, scale, zero_point, **options)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected)


def test_a_scale_of_the_wrong_length_is_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"expected shape 4 .* got \(3,\)"):
        graph.dequantized(np.zeros((2, 4), np.int8), np.ones(3, np.float32))


def test_splitting_a_prelu_is_exact_for_slopes_below_zero_and_above_one() -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    slope = np.array([-0.8, 0.25, 1.0, 1.2], np.float32).reshape(4, 1, 1)
    shape = [1, 4, 3, 5]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    network = helper.make_graph([node], "g", values[:1], values[1:], [numpy_helper.from_array(slope, "slope")])
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    graph.split_prelu(model)
    onnx.checker.check_model(model)
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.where(x >= 0, x, slope * x), atol=1e-6)
