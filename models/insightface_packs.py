"""Packs of insightface's zoo, from files that the operator put under ``insightface_dir``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from models.licences import insightface_folder
from models.pack import Pack
from models.runtime import execution_providers, session_options
from renzheng.errors import MissingPart
from renzheng.files import sha256_file
from renzheng.settings import settings

HOW_TO_INSTALL = "pip install 'renzheng[insightface]' && pip install --no-deps insightface==2.1"
# insightface tells its networks apart by what goes in and comes out; these are its rules for the two we need
DETECTOR_MIN_OUTPUTS = 5
EMBEDDER_INPUT_PX = (112, 112)


def load_insightface_pack(name: str) -> Pack:
    """Find detector and recogniser among ``<insightface_dir>/<name>/*.onnx``.

    Raises :class:`MissingPart` when insightface is not installed, the setting or the folder is absent, or the
    folder lacks one of the two.
    """
    require_insightface(name)
    folder = insightface_folder(name)
    if folder is None or not folder.is_dir():
        raise MissingPart(f"model pack {name!r}: no folder {folder or '(RENZHENG_INSIGHTFACE_DIR is not set)'}")
    detector, embedder = _parts(folder)
    if detector is None or embedder is None:
        lacking = "detector" if detector is None else "112 × 112 recogniser"
        raise MissingPart(f"model pack {name!r}: {folder} holds no {lacking} among its .onnx files")
    return Pack(name, "insightface", detector, embedder, sha256_file(detector), sha256_file(embedder), None)


def require_insightface(name: str) -> None:
    """Raise :class:`MissingPart`, saying how to install it, unless insightface is here."""
    if importlib.util.find_spec("insightface") is None:
        raise MissingPart(f"model pack {name!r} needs insightface: {HOW_TO_INSTALL}")


def open_insightface_model(path: Path) -> Any:
    """The file as insightface's own model object, on our provider and threads."""
    from insightface.model_zoo import get_model

    provider = settings().provider
    return get_model(
        str(path), providers=execution_providers(provider), sess_options=session_options(settings().threads)
    )


def _parts(folder: Path) -> tuple[Path | None, Path | None]:
    """The first detector and the first recogniser in the order of file names."""
    import onnx

    detector = embedder = None
    for path in sorted(folder.glob("*.onnx")):
        graph = onnx.load(str(path), load_external_data=False).graph
        sides = tuple(dimension.dim_value for dimension in graph.input[0].type.tensor_type.shape.dim[2:4])
        if len(graph.output) >= DETECTOR_MIN_OUTPUTS:
            detector = detector or path
        elif sides == EMBEDDER_INPUT_PX:
            embedder = embedder or path
    return detector, embedder
