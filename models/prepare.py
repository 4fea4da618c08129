"""Make a fetched network fit to run: float32 weights, free sizes, cheaper operators. Done once, then cached.

A prepared file lies at ``<cache_dir>/prepared/<key>/<file>`` with its digest beside it; the key is made of the
digest of the fetched file, :data:`PREPARATION_VERSION` and the version of ONNX Runtime. It is compared with the plain
arithmetic of the fetched file when it is made. What was tried and measured is in ``docs/adr/0002-prepared-models.md``.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.manifest import PinnedFile
from models.runtime import LOG_ERRORS_ONLY, OnnxSession, session_options
from renzheng.errors import RenzhengError
from renzheng.files import atomic_path, sha256_file, write_atomic
from renzheng.settings import settings

PREPARATION_VERSION = 1
# largest difference between prepared and plain outputs, as a part of the largest plain output, or of 1 if that is less:
# scores run to 1, and ONNX Runtime's own sigmoid is only good to 1e-7 of that
PARITY_TOLERANCE = 1e-4
PARITY_SEED = 20240229

Array = npt.NDArray[Any]


class PreparationFailed(RenzhengError):
    """The prepared network does not compute what the fetched one does; it was not kept."""


class Recipe(NamedTuple):
    """How one kind of network is prepared and compared.

    ``restate`` turns the prepared network's outputs into those of the plain one.
    """

    free_dimensions: dict[int, str]
    rewrite: Callable[[Any], None]
    input_shape: tuple[int, int, int, int]
    restate: Callable[[list[Array]], list[Array]]


def prepared_path(file: PinnedFile, cache_dir: Path | None = None) -> Path:
    """Where the prepared form of a fetched file lies, whether or not it does yet."""
    from importlib.metadata import version

    key = hashlib.sha256(f"{file.sha256} {PREPARATION_VERSION} {version('onnxruntime')}".encode()).hexdigest()[:32]
    return (cache_dir or settings().cache_dir) / "prepared" / key / file.file


def prepared(file: PinnedFile, bring: Callable[[], Path], cache_dir: Path | None = None) -> Path:
    """Path of the prepared form; made now if it is absent or its digest is not the one noted beside it.

    ``bring`` gives the path of the fetched file and is called only when it is needed. Raises
    :class:`PreparationFailed` when the result does not agree with the plain arithmetic.
    """
    path = prepared_path(file, cache_dir)
    note = path.with_suffix(".sha256")
    if path.is_file() and note.is_file() and note.read_text(encoding="ascii").strip() == sha256_file(path):
        return path
    prepare_file(bring(), path, recipe_for(file))
    write_atomic(note, sha256_file(path) + "\n")
    return path


def prepare_file(source: Path, target: Path, recipe: Recipe) -> None:
    """Prepare ``source`` into ``target``, compare the two, and leave nothing behind if they differ."""
    import onnx

    plain = folded(source, recipe)
    with tempfile.TemporaryDirectory(prefix="renzheng-prepare-") as folder:
        model = _optimised(plain, Path(folder))
    recipe.rewrite(model)
    with atomic_path(target) as part:
        onnx.save(model, str(part))
        difference = parity(plain.SerializeToString(), str(part), recipe)
        if not difference <= PARITY_TOLERANCE:
            raise PreparationFailed(
                f"{source.name}: prepared and plain outputs differ by {difference:.2g} of the largest value, "
                f"allowed {PARITY_TOLERANCE:.0e}"
            )


def folded(source: Path, recipe: Recipe) -> Any:
    """The fetched network with float32 weights and free sizes, and nothing else changed."""
    import onnx

    from models import graph

    model = onnx.load(str(source))
    graph.fold_dequantized(model)
    graph.name_dimensions(model.graph.input[0], recipe.free_dimensions)
    for output in model.graph.output:
        free = {0: "batch"} if 0 in recipe.free_dimensions else {1: f"cells_{output.name}"}
        graph.name_dimensions(output, free)
    return model


def parity(plain: bytes | str, prepared_model: bytes | str, recipe: Recipe) -> float:
    """Largest difference of the two networks' outputs on a seeded input, measured as :data:`PARITY_TOLERANCE` is."""
    pixels = np.random.default_rng(PARITY_SEED).uniform(0, 255, recipe.input_shape).astype(np.float32)
    wanted, given = (_outputs(model, pixels) for model in (plain, prepared_model))
    pairs = zip(wanted, recipe.restate(given), strict=True)
    return max(float(np.abs(want - got).max() / max(1.0, np.abs(want).max())) for want, got in pairs)


def _outputs(model: bytes | str, pixels: npt.NDArray[np.float32]) -> list[Array]:
    import onnxruntime

    raw = onnxruntime.InferenceSession(model, session_options(1), providers=["CPUExecutionProvider"])
    return OnnxSession(raw).run({raw.get_inputs()[0].name: pixels})


def _optimised(model: Any, folder: Path) -> Any:
    """The model after ONNX Runtime's hardware-independent rewrites, which fuse BatchNormalization into Conv."""
    import onnx
    import onnxruntime

    path = folder / "optimised.onnx"
    options = session_options(1)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = (
        LOG_ERRORS_ONLY + 1
    )  # it warns, at level error, that the saved file is an optimised one
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(str(path))


def _yunet_heads(levels: list[Array]) -> list[Array]:
    """The merged network's three outputs as the twelve of YuNet itself: scores, objectness, boxes, landmarks."""
    cells = [level.reshape(1, level.shape[1], -1).transpose(0, 2, 1) for level in levels]
    scores = [1 / (1 + np.exp(-level[:, :, channel : channel + 1])) for channel in (0, 1) for level in cells]
    return [*scores, *(level[:, :, 2:6] for level in cells), *(level[:, :, 6:] for level in cells)]


def _rewrite_yunet(model: Any) -> None:
    from models import graph

    graph.merge_yunet_heads(model)


def _rewrite_sface(model: Any) -> None:
    from models import graph

    graph.split_prelu(model)


YUNET = Recipe({2: "height", 3: "width"}, _rewrite_yunet, (1, 3, 192, 256), _yunet_heads)
SFACE = Recipe({0: "batch"}, _rewrite_sface, (2, 3, 112, 112), lambda outputs: outputs)
RECIPES = {
    "face_detection_yunet_2023mar_int8bq.onnx": YUNET,
    "face_recognition_sface_2021dec_int8bq.onnx": SFACE,
}


def recipe_for(file: PinnedFile) -> Recipe:
    """The recipe for a file of the manifest. Raises :class:`KeyError` for a file nobody wrote one for."""
    return RECIPES[file.file]
