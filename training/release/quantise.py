"""Static int8: weights per channel, activations by ranges seen on training films (QDQ, onnxruntime.quantization).

Left in fp32: the first convolution, which sees the film itself, and the head, whose output is the logit. Where int8
everywhere else loses too much, the first layers are left in fp32 too: they cost least and lose most (docs/export.md).
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from training.release.graph import sort

Array = npt.NDArray[np.float32]
Method = Literal["minmax", "percentile", "entropy"]
_METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {}),
}
# Of the depth in convolutions: how much of the beginning stays in fp32, tried in this order.
FIRST_IN_FP32 = (0.0, 0.06, 0.25)
OPERATORS = ["Conv", "Add", "Clip", "Gemm", "MatMul", "Relu"]
# Histograms hold every activation of a batch at once.
_BATCH = 8


@dataclass(frozen=True)
class Ranges:
    """Ranges of every activation, as `method` found them."""

    method: Method
    tensors: Any


class _Films(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, films: Array) -> None:
        self._left = [films]

    def get_next(self) -> dict[str, Array] | None:
        return {"film": self._left.pop()} if self._left else None


@contextmanager
def _quiet() -> Iterator[None]:
    """The calibrator prints, and warns through the root logger that the model is not preprocessed (it is)."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def find_ranges(model: onnx.ModelProto, films: Array, method: Method) -> Ranges:
    """Ranges of the activations of `model` on preprocessed training `films` (N, 1, H, W)."""
    kind, extra = _METHODS[method]
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        path = Path(scratch) / "model.onnx"
        onnx.save(model, str(path))
        calibrator = create_calibrator(
            path, OPERATORS, str(Path(scratch) / "seen.onnx"), kind, False, extra_options=extra
        )
        for start in range(0, len(films), _BATCH):
            calibrator.collect_data(_Films(films[start : start + _BATCH]))
        return Ranges(method, calibrator.compute_data())


def depths(model: onnx.ModelProto) -> dict[str, int]:
    """How many convolutions lie on the longest way from the film to each node, itself included, by the node's name."""
    behind: dict[str, int] = {}
    answer = {}
    for node in model.graph.node:
        depth = max((behind.get(name, 0) for name in node.input), default=0) + (node.op_type == "Conv")
        behind.update(dict.fromkeys(node.output, depth))
        answer[node.name] = depth
    return answer


def _head(model: onnx.ModelProto) -> set[str]:
    """The convolutions that make the activation maps: no other convolution lies behind them."""
    makers = {output: node for node in model.graph.node for output in node.output}
    found, waiting, seen = set(), ["logits", "activation"], set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type in {"Conv", "Gemm", "MatMul"}:
            found.add(node.name)
        else:
            waiting.extend(node.input)
    return found


def to_int8(model: onnx.ModelProto, ranges: Ranges, first_in_fp32: float = 0.0) -> onnx.ModelProto:
    """`model` in static int8 but for the head and the first `first_in_fp32` of its depth, at least the first layer."""
    depth = depths(model)
    deepest = max(depth.values())
    kept = {name for name, d in depth.items() if d <= max(1, first_in_fp32 * deepest)} | _head(model)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with _quiet():
        quantiser = QDQQuantizer(
            copy,
            True,
            False,
            QuantType.QInt8,
            QuantType.QUInt8,
            ranges.tensors,
            [],
            sorted(kept),
            OPERATORS,
            {"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        quantiser.quantize_model()
    result: onnx.ModelProto = quantiser.model.model
    sort(result)
    return result


def logits_of(model: onnx.ModelProto, films: Array) -> npt.NDArray[np.float64]:
    """Logits (N, K) of preprocessed `films`."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    parts = [session.run(["logits"], {"film": films[n : n + 64]})[0] for n in range(0, len(films), 64)]
    return np.concatenate(parts).astype(np.float64)


def choose_ranges(
    model: onnx.ModelProto, training: Array, validation: Array, methods: tuple[Method, ...] = ("minmax", "percentile")
) -> Ranges:
    """The method whose int8 logits lie nearest to fp32's on the `validation` films (M, 1, H, W)."""
    wanted = logits_of(model, validation)
    tried = []
    for method in methods:
        ranges = find_ranges(model, training, method)
        gap = logits_of(to_int8(model, ranges), validation) - wanted
        # A shift of all films is taken out by the calibration.
        tried.append((float(np.sqrt(np.mean((gap - gap.mean(axis=0)) ** 2))), ranges))
    return min(tried, key=lambda pair: pair[0])[1]
