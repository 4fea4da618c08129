"""Exact rewrites of ONNX graphs: the same function, cheaper to run. Each changes the given model in place.

Imports ``onnx``; nothing that runs with a warm cache needs this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]

YUNET_STRIDES = (8, 16, 32)
# one output per head of one level, in the order in which the merged output carries their channels
YUNET_HEADS = ("cls", "obj", "bbox", "kps")
YUNET_LEVEL_CHANNELS = 16


def fold_dequantized(model: Any) -> None:
    """Replace every DequantizeLinear of stored weights (and a Reshape behind it) by its float32 result."""
    constants = _constants(model)
    kept = []
    for node in model.graph.node:
        known = bool(node.input) and all(name in constants for name in node.input)
        if known and node.op_type == "DequantizeLinear":
            constants[node.output[0]] = dequantized(*(constants[name] for name in node.input), **_attributes(node))
        elif known and node.op_type == "Reshape":
            values, shape = (constants[name] for name in node.input)
            constants[node.output[0]] = values.reshape(shape)
        else:
            kept.append(node)
    _replace_nodes(model, kept, constants)


def dequantized(
    quantized: Array, scale: Array, zero_point: Array | None = None, *, axis: int = 1, block_size: int = 0
) -> npt.NDArray[np.float32]:
    """``(quantized − zero_point) · scale`` in float32, as ONNX operator DequantizeLinear (opset 21) defines it.

    ``scale`` is a scalar, one value per index of ``axis``, or one per block of ``block_size`` along ``axis``. A
    ``block_size`` beside a scalar or per-axis scale has no meaning and is passed over: the zoo's files carry such.
    """
    zero_point = np.zeros_like(scale) if zero_point is None else zero_point
    scales, zeros = (
        _spread(values.astype(np.float32), quantized.shape, axis, block_size) for values in (scale, zero_point)
    )
    result: npt.NDArray[np.float32] = (quantized.astype(np.float32) - zeros) * scales
    return result


def _spread(values: Array, shape: tuple[int, ...], axis: int, block_size: int) -> Array:
    if values.size == 1:
        return values.reshape(())
    if block_size and values.ndim == len(shape):
        return np.repeat(values, block_size, axis=axis).take(np.arange(shape[axis]), axis=axis)
    if values.shape != (shape[axis],):
        raise ValueError(f"scale: expected shape {shape[axis]} along axis {axis} of {shape}, got {values.shape}")
    return values.reshape([-1 if index == axis else 1 for index in range(len(shape))])


def name_dimensions(value: Any, names: dict[int, str]) -> None:
    """Make dimensions of a graph input or output symbolic, by index."""
    for index, name in names.items():
        value.type.tensor_type.shape.dim[index].dim_param = name


def split_prelu(model: Any) -> None:
    """Write a per-channel PReLU as two depthwise 1×1 convolutions, which ONNX Runtime runs in its blocked layout.

    ``prelu(x) = (1 − a)·relu(x) + a·x`` holds for every slope ``a``, also above 1 and below 0, where
    ``max(x, a·x)`` does not.
    """
    constants = _constants(model)
    nodes = []
    for node in model.graph.node:
        nodes.extend(_split_one_prelu(node, constants) if node.op_type == "PRelu" else [node])
    _replace_nodes(model, nodes, constants)


def _split_one_prelu(node: Any, constants: dict[str, Array]) -> list[Any]:
    (source, slope_name), (target,) = node.input, node.output
    slope = constants[slope_name].reshape(-1, 1, 1, 1).astype(np.float32)
    constants[f"{target}.above"], constants[f"{target}.below"] = 1 - slope, slope
    depthwise = {"group": slope.shape[0], "kernel_shape": [1, 1]}
    return [
        helper.make_node("Relu", [source], [f"{target}.relu"], name=f"{target}.relu"),
        helper.make_node(
            "Conv", [f"{target}.relu", f"{target}.above"], [f"{target}.a"], name=f"{target}.a", **depthwise
        ),
        helper.make_node("Conv", [source, f"{target}.below"], [f"{target}.b"], name=f"{target}.b", **depthwise),
        helper.make_node("Add", [f"{target}.a", f"{target}.b"], [target], name=f"{target}.sum"),
    ]


def merge_yunet_heads(model: Any) -> None:
    """Give YuNet one output per stride in place of four: 1 × 16 × rows × columns, before the sigmoids.

    The four heads of a level are each a 1×1 convolution of the same 64 channels and a depthwise 3×3; side by side
    they are one of each with 16 channels, in the order score, objectness, box (4), landmarks (10).
    """
    constants = _constants(model)
    made = {node.output[0]: node for node in model.graph.node}
    merged = []
    for stride in YUNET_STRIDES:
        pairs = [_head_convolutions(made, f"{head}_{stride}") for head in YUNET_HEADS]
        merged.extend(_merged_level(pairs, constants, stride))
    outputs = [
        helper.make_tensor_value_info(
            f"level_{stride}", onnx.TensorProto.FLOAT, [1, YUNET_LEVEL_CHANNELS, f"rows_{stride}", f"columns_{stride}"]
        )
        for stride in YUNET_STRIDES
    ]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    _replace_nodes(model, _needed([*model.graph.node, *merged], [output.name for output in outputs]), constants)


def _head_convolutions(made: dict[str, Any], output: str) -> tuple[Any, Any]:
    """The 1×1 and the depthwise convolution that an output of YuNet comes from."""
    node = made[output]
    while node.op_type in ("Sigmoid", "Reshape", "Transpose"):
        node = made[node.input[0]]
    before = made[node.input[0]]
    if (node.op_type, before.op_type) != ("Conv", "Conv"):
        raise ValueError(f"{output}: expected two convolutions, got {before.op_type} and {node.op_type}")
    return before, node


def _merged_level(pairs: list[tuple[Any, Any]], constants: dict[str, Array], stride: int) -> list[Any]:
    sources = {pointwise.input[0] for pointwise, _ in pairs}
    if len(sources) != 1:
        raise ValueError(f"heads of stride {stride}: expected one common input, got {sorted(sources)}")
    names = [f"heads_{stride}.pointwise", f"level_{stride}"]
    nodes = []
    source = sources.pop()
    for name, convolutions in zip(names, zip(*pairs, strict=True), strict=True):
        for part, index in (("weight", 1), ("bias", 2)):
            constants[f"{name}.{part}"] = np.concatenate([constants[node.input[index]] for node in convolutions])
        attributes = _attributes(convolutions[0])
        if name == f"level_{stride}":
            attributes["group"] = YUNET_LEVEL_CHANNELS
        nodes.append(
            helper.make_node("Conv", [source, f"{name}.weight", f"{name}.bias"], [name], name=name, **attributes)
        )
        source = name
    return nodes


def _needed(nodes: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    """The nodes that the outputs rest on, in an order that can be run (the given order, which must be one)."""
    wanted = set(outputs)
    kept = []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _constants(model: Any) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _attributes(node: Any) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _replace_nodes(model: Any, nodes: list[Any], constants: dict[str, Array]) -> None:
    """Put in the nodes, keep the constants they use, drop stale inputs, shape notes and operator sets."""
    graph = model.graph
    used = {name for node in nodes for name in node.input}
    inputs = [value for value in graph.input if value.name in used and value.name not in constants]
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(constants[name]), name) for name in sorted(used & set(constants))
    ]
    nodes = list(nodes)
    del graph.node[:], graph.initializer[:], graph.input[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    graph.input.extend(inputs)
    domains = {node.domain for node in nodes}
    operator_sets = [entry for entry in model.opset_import if entry.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(operator_sets)
