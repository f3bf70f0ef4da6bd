"""A variant as OpenVINO's intermediate representation: graph (.xml) and weights (.bin)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


class NoOpenVino(RuntimeError):
    """OpenVINO is not installed; the text says what to install."""


def _openvino() -> Any:
    try:
        import openvino  # noqa: PLC0415 - optional
    except ImportError as error:
        raise NoOpenVino("openvino is not installed: install requirements/train.txt") from error
    return openvino


def convert(model: Path, xml: Path) -> Path:
    """Write `model` (ONNX) to `xml` and its weights beside it; returns the .bin's path.

    Weights keep their type: rounded to 16 bits throughout, probabilities moved by more than the golden film may.

    Findings and input geometry travel along in the graph's runtime information.
    """
    import onnx  # noqa: PLC0415 - heavy

    ov = _openvino()
    graph = ov.convert_model(str(model))
    for entry in onnx.load(str(model)).metadata_props:
        graph.set_rt_info(entry.value, ["hilum", entry.key])
    ov.save_model(graph, str(xml), compress_to_fp16=False)
    return xml.with_suffix(".bin")


def logits_of(xml: Path, films: Array) -> npt.NDArray[np.float64]:
    """Logits (N, K) of preprocessed `films` (N, 1, H, W) by OpenVINO's runtime, in fp32 arithmetic."""
    compiled = _openvino().Core().compile_model(str(xml), "CPU", F32)
    parts = [compiled({"film": films[n : n + 64]})["logits"] for n in range(0, len(films), 64)]
    return np.concatenate(parts).astype(np.float64)
