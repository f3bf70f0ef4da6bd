"""One model opened by one execution provider: a small protocol and its two runtimes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from hilum.release.bundle import INPUT

Array = npt.NDArray[np.float32]
# ONNX Runtime's own names, the first of which must be the one that runs.
ORT_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


class Session(Protocol):
    """Safe to call from several threads."""

    provider: str

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        """`outputs` by name for `batch` (n, 1, H, W), each with n rows."""


def ort_options(threads: int) -> ort.SessionOptions:
    """Options that every session of ONNX Runtime shares."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait by spinning take the processor from the other services on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class OrtSession:
    """ONNX Runtime: cpu, cuda or tensorrt. Raises RuntimeError where the provider can't be had."""

    def __init__(self, model: bytes, provider: str, threads: int, precision: str, engine_cache: str = "") -> None:
        self.provider = provider
        if provider != "cpu":
            # The libraries that requirements/serve-gpu.txt brings lie where the system's loader doesn't look.
            ort.preload_dlls()
        wanted = [(name, _provider_options(name, precision, engine_cache)) for name in ORT_PROVIDERS[provider]]
        self._session = ort.InferenceSession(model, ort_options(threads), providers=wanted)
        # Without its libraries or its device ONNX Runtime goes on with the processor and only logs it.
        running = self._session.get_providers()[0]
        if running != ORT_PROVIDERS[provider][0]:
            raise RuntimeError(f"ONNX Runtime took {running} instead: a library or the device is missing")
        self._session.disable_fallback()

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        """See Session."""
        arrays: list[Array] = self._session.run(list(outputs), {INPUT: batch})
        return arrays


def _provider_options(name: str, precision: str, engine_cache: str) -> dict[str, str]:
    """The arithmetic is the release's precision, never a faster one that a device would take by itself."""
    if name == "CUDAExecutionProvider":
        return {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    if name == "TensorrtExecutionProvider":
        options = {"trt_fp16_enable": str(precision == "fp16"), "trt_bf16_enable": str(precision == "bf16")}
        if engine_cache:
            options |= {"trt_engine_cache_enable": "True", "trt_engine_cache_path": engine_cache}
        return options
    return {}


class OpenVinoSession:
    """OpenVINO on the processor; each thread has its own request. Raises RuntimeError or ImportError."""

    provider = "openvino"

    def __init__(self, model: bytes, threads: int, streams: int, precision: str, weights: bytes | None = None) -> None:
        import openvino  # noqa: PLC0415 - optional: requirements/serve-openvino.txt

        core = openvino.Core()
        read = core.read_model(BytesIO(model)) if weights is None else core.read_model(model, weights)
        # By itself OpenVINO rounds to bfloat16 where the processor can: another precision than the release's.
        hint = {"fp16": "f16", "bf16": "bf16"}.get(precision, "f32")
        settings = {
            "INFERENCE_NUM_THREADS": str(threads * streams),
            "NUM_STREAMS": str(streams),
            "INFERENCE_PRECISION_HINT": hint,
        }
        self._compiled = core.compile_model(read, "CPU", settings)
        self._places = {output.get_any_name(): k for k, output in enumerate(self._compiled.outputs)}
        self._local = threading.local()

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        """See Session."""
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer({INPUT: batch}, share_inputs=True)
        # Copied: the request's own memory is overwritten by this thread's next film.
        return [np.array(request.get_output_tensor(self._places[name]).data, dtype=np.float32) for name in outputs]


def describe(session: Any) -> Mapping[str, str]:
    """Which runtime and version runs a session of this provider."""
    if session.provider == "openvino":
        import openvino  # noqa: PLC0415

        return {"runtime": "openvino", "version": str(openvino.__version__).split("-")[0]}
    return {"runtime": "onnxruntime", "version": ort.__version__}
