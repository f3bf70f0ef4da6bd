"""PyTorch to ONNX: one file with the outputs, names and metadata that `hilum.release` asks for."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from hilum.release import InputSpec
from training.network.film_net import Ensemble
from training.release.graph import optimise

OPSET = 18
# Tensors below this size (biases, scales) stay fp32: they cost nothing.
_SMALL = 4096


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large weights as fp16 and cast them at load, which halves the file; arithmetic stays fp32.

    ONNX Runtime folds the casts away when it opens the file.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            continue
        name, half = tensor.name, f"{tensor.name}.fp16"
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


def round_weights(model: onnx.ModelProto) -> None:
    """Give large weights the values that `halve_weights` stores: every precision comes from the same network."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _SMALL:
            rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def trace(network: Ensemble, spec: InputSpec) -> onnx.ModelProto:
    """`network` as an optimised fp32 graph: `film` in, `logits`, `activation`, `embedding` out, dynamic batch."""
    network.eval()
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but it alone gives one self-contained file that needs no further package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, spec.height, spec.width),),
            stream,
            input_names=["film"],
            output_names=["logits", "activation", "embedding"],
            dynamic_axes={name: {0: "batch"} for name in ("film", "logits", "activation", "embedding")},
            opset_version=OPSET,
            dynamo=False,
        )
    return optimise(onnx.load_from_string(stream.getvalue()))


def save(model: onnx.ModelProto, findings: tuple[str, ...], spec: InputSpec, path: Path) -> None:
    """Check `model` and write it to `path` with the findings and the preprocessing in its metadata."""
    helper.set_model_props(model, {"findings": json.dumps(findings), "input": json.dumps(spec.model_dump(mode="json"))})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def export(
    network: Ensemble, findings: tuple[str, ...], spec: InputSpec, path: Path, half_weights: bool = True
) -> onnx.ModelProto:
    """Write `network` to `path` and return its graph with plain fp32 weights, which other precisions start from."""
    plain = trace(network, spec)
    if not half_weights:
        save(plain, findings, spec, path)
        return plain
    round_weights(plain)
    stored = onnx.ModelProto()
    stored.CopyFrom(plain)
    halve_weights(stored)
    save(stored, findings, spec, path)
    return plain
