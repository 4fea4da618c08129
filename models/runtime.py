"""The one place that opens ONNX Runtime sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from renzheng.errors import BadInput, MissingPart
from renzheng.settings import Provider, settings

Array = npt.NDArray[Any]

# ONNX Runtime's severities run from 0 (verbose) to 4 (fatal); 3 keeps errors and drops shape and placement chatter
LOG_ERRORS_ONLY = 3


class ProviderPart(NamedTuple):
    """What ONNX Runtime calls a provider and which package brings it."""

    name: str
    package: str


PROVIDERS: dict[Provider, ProviderPart] = {
    "cpu": ProviderPart("CPUExecutionProvider", "onnxruntime"),
    "cuda": ProviderPart("CUDAExecutionProvider", "onnxruntime-gpu"),
    "openvino": ProviderPart("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "tensorrt": ProviderPart("TensorrtExecutionProvider", "onnxruntime-gpu"),
}


class Session(Protocol):
    """A loaded network."""

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Outputs in the order of the graph for inputs by name."""
        ...


class OnnxSession:
    """:class:`Session` over ``onnxruntime.InferenceSession``, which stays reachable as ``raw``."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._output_names = [output.name for output in raw.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Outputs in the order of the graph for inputs by name."""
        outputs: list[Array] = self.raw.run(self._output_names, dict(inputs))
        return outputs

    @property
    def output_shapes(self) -> list[list[int | str | None]]:
        """Declared shape of each output; a string or ``None`` stands for any length."""
        return [list(output.shape) for output in self.raw.get_outputs()]


def session_options(threads: int) -> Any:
    """Options every session of ours is opened with: bounded threads, deterministic kernels, quiet.

    With one thread nothing is ever waited for, so spinning is off as well; an idle camera box must idle.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = LOG_ERRORS_ONLY
    if threads == 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def execution_providers(provider: Provider) -> list[str]:
    """ONNX Runtime's names for the provider, the CPU behind it for what it cannot run.

    Raises :class:`MissingPart` that names the provider, those available and the package to install.
    """
    import onnxruntime

    part = PROVIDERS[provider]
    available = onnxruntime.get_available_providers()
    if part.name not in available:
        raise _missing_provider(provider, f"it is not among {', '.join(available)}")
    fallback = PROVIDERS["cpu"].name
    return [part.name] if part.name == fallback else [part.name, fallback]


def open_session(path: Path, *, threads: int | None = None, provider: Provider | None = None) -> OnnxSession:
    """Open the network in ``path``; threads and provider come from the settings unless given.

    Raises :class:`MissingPart` when the provider is not there, or does not start on this machine, and
    :class:`BadInput` when the file is not a network that ONNX Runtime can read.
    """
    import onnxruntime

    provider = provider or settings().provider
    names = execution_providers(provider)
    try:
        raw = onnxruntime.InferenceSession(str(path), session_options(threads or settings().threads), providers=names)
    except Exception as error:  # onnxruntime raises a family of classes that it does not export
        raise BadInput(f"{path}: ONNX Runtime cannot open this network: {error}") from error
    if names[0] not in raw.get_providers():
        raise _missing_provider(provider, "it is installed but did not start; see its driver's requirements")
    return OnnxSession(raw)


def _missing_provider(provider: Provider, reason: str) -> MissingPart:
    part = PROVIDERS[provider]
    return MissingPart(
        f"execution provider {provider!r} ({part.name}) cannot be used: {reason}. "
        f"Install {part.package} in place of onnxruntime, or set RENZHENG_PROVIDER=cpu"
    )


def as_float32(array: Array) -> npt.NDArray[np.float32]:
    """The same values as a contiguous float32 array; no copy when it is one already."""
    return np.ascontiguousarray(array, dtype=np.float32)
