"""The half precisions of an exported graph: fp16 and bf16. Input and outputs stay fp32."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from training.release.graph import sort
from training.release.judge import RefusedVariant


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with fp16 weights and arithmetic, by ONNX Runtime's own converter."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - heavy

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    half = convert_float_to_float16(copy, keep_io_types=True)
    # The converter appends its casts at the end; ONNX asks that a node stands behind those it takes from.
    sort(half)
    return half


def to_bf16(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with bf16 weights and arithmetic: the fp16 graph with its half type exchanged."""
    exact = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    half = to_fp16(model)
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            value = exact.get(tensor.name, numpy_helper.to_array(tensor)).astype(np.float32)
            flat = value.ravel().tolist()
            tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.BFLOAT16, value.shape, flat))
    for node in half.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.BFLOAT16
    for value in (*half.graph.value_info, *half.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    return half


def check_runs(precision: str, model: onnx.ModelProto) -> None:
    """Raise RefusedVariant where ONNX Runtime has no arithmetic for this precision on this machine's processor."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    # onnxruntime raises classes of its own native module, whose common base is Exception.
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise RefusedVariant(f"{precision} is not written: ONNX Runtime can't run it here ({first[:200]})") from error
