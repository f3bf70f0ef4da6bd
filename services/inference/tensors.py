"""The Open Inference Protocol's tensors: checked, run, answered. Knows nothing of HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from hilum.release.bundle import INPUT
from services.inference.scorer import Array, Scorer

OUTPUTS = ("probabilities", "domain_distance")


class BadTensor(ValueError):
    """The request's tensors are not those that the model takes; the text says which are."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class TensorIn(_Part):
    """One tensor: row-major data, flat or nested."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=8)
    datatype: str
    data: list[Any]


class OutputAsked(_Part):
    """One of the outputs, by name."""

    name: str


class InferenceRequest(_Part):
    """Body of `infer`. Without `outputs` every output is answered."""

    id: str | None = None
    inputs: list[TensorIn]
    outputs: list[OutputAsked] | None = None


def metadata(scorer: Scorer) -> dict[str, Any]:
    """Body of `GET /v2/models/NAME`."""
    manifest = scorer.manifest
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, 1, manifest.input.height, manifest.input.width]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(manifest.findings)]},
            {"name": "domain_distance", "datatype": "FP32", "shape": [-1]},
        ],
        "parameters": {
            "findings": list(manifest.findings),
            "release": scorer.release.digest,
            "precision": scorer.variant.precision,
            "domain_threshold": scorer.variant.domain.threshold,
        },
    }


def _batch(scorer: Scorer, tensors: list[TensorIn], max_batch_size: int) -> Array:
    if [tensor.name for tensor in tensors] != [INPUT]:
        raise BadTensor(f"The model takes one tensor, named '{INPUT}'.")
    tensor = tensors[0]
    spec = scorer.manifest.input
    if tensor.datatype != "FP32":
        raise BadTensor(f"'{INPUT}' is FP32, not {tensor.datatype[:16]}.")
    if tensor.shape[1:] != [1, spec.height, spec.width]:
        raise BadTensor(f"'{INPUT}' has the shape (n, 1, {spec.height}, {spec.width}).")
    if not 1 <= tensor.shape[0] <= max_batch_size:
        raise BadTensor(f"One request takes 1 to {max_batch_size} films.")
    try:
        # Through float64: a number beyond FP32 becomes infinite there and is refused below.
        with np.errstate(over="ignore"):
            values = np.asarray(tensor.data, dtype=np.float64).astype(np.float32)
    except (TypeError, ValueError, OverflowError):
        raise BadTensor(f"The data of '{INPUT}' are not numbers in rows of one length.") from None
    if values.size != int(np.prod(tensor.shape)):
        raise BadTensor(f"'{INPUT}' has {values.size} numbers, its shape asks for {int(np.prod(tensor.shape))}.")
    if values.ndim != 1 and list(values.shape) != tensor.shape:
        raise BadTensor(f"The data of '{INPUT}' are nested otherwise than its shape says.")
    if not np.isfinite(values).all():
        raise BadTensor(f"'{INPUT}' holds a number that is not finite.")
    return values.reshape(tensor.shape)


def infer(scorer: Scorer, request: InferenceRequest, max_batch_size: int) -> dict[str, Any]:
    """Answer `request`; raises BadTensor or NotScorable."""
    wanted = [output.name for output in request.outputs] if request.outputs else list(OUTPUTS)
    if unknown := set(wanted) - set(OUTPUTS):
        raise BadTensor(f"The model has no output {sorted(unknown)[0][:32]!r}; it has {', '.join(OUTPUTS)}.")
    outputs = scorer.run(_batch(scorer, request.inputs, max_batch_size))
    results: dict[str, npt.NDArray[Any]] = {
        "probabilities": scorer.probabilities(outputs.logits),
        "domain_distance": scorer.distances(outputs.embedding),
    }
    answer: dict[str, Any] = {
        "model_name": scorer.manifest.name,
        "model_version": scorer.manifest.version,
        "outputs": [
            {
                "name": name,
                "datatype": "FP32",
                "shape": list(results[name].shape),
                "data": results[name].astype(float).ravel().tolist(),
            }
            for name in wanted
        ],
    }
    return answer if request.id is None else {**answer, "id": request.id}
