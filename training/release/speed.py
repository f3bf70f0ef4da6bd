"""The speed test stored in a release: milliseconds a film, per provider that is installed, on one thread."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from hilum.release import Speed

Array = npt.NDArray[np.float32]
BATCHES = (1, 16)
REPEATS = {1: 30, 16: 6}


def machine() -> str:
    """The processor's name; never the host's."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _cpu(model: Path) -> Callable[[Array], object]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda films: session.run(None, {"film": films})


def _openvino(model: Path) -> Callable[[Array], object]:
    import openvino as ov  # noqa: PLC0415 - optional

    # Without the hint OpenVINO computes in bf16 where the processor can: another precision than the release's.
    hints = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(str(model), "CPU", hints)
    return lambda films: compiled({"film": films})


PROVIDERS = {"cpu": _cpu, "openvino": _openvino}


def available() -> tuple[str, ...]:
    """The providers of `PROVIDERS` that are installed."""
    return tuple(name for name in PROVIDERS if name == "cpu" or find_spec(name) is not None)


def measure(model: Path, films: Array, batches: tuple[int, ...] = BATCHES) -> tuple[Speed, ...]:
    """The best of several runs on the first of `films` (N, 1, H, W); the machine may be doing other work besides."""
    runs = {provider: PROVIDERS[provider](model) for provider in available()}
    rows = []
    for batch in batches:
        part = np.resize(films, (batch, *films.shape[1:]))
        best = dict.fromkeys(runs, float("inf"))
        # In turns, so that other work on the machine takes from all alike; the first round warms up.
        for repeat in range(REPEATS.get(batch, 5) + 1):
            for provider, run in runs.items():
                began = time.perf_counter()
                run(part)
                took = time.perf_counter() - began
                best[provider] = min(best[provider], took) if repeat else best[provider]
        rows += [
            Speed(provider=p, threads=1, batch=batch, ms_per_film=round(1000 * b / batch, 3), machine=machine())
            for p, b in best.items()
        ]
    return tuple(rows)
