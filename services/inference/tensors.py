"""The Open Inference Protocol's tensors: checked, run, answered. Knows nothing of HTTP or gRPC.

A request comes as JSON (`data`), as JSON with the tensors' bytes behind it (the binary tensor data extension) or as
gRPC messages; each is read into one `Asked`, so that all three are checked by the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.release.bundle import INPUT
from services.inference.scorer import Scorer

Batch = npt.NDArray[np.float32]
OUTPUTS = ("probabilities", "domain_distance")
DATATYPE = "FP32"
# Little-endian whatever this machine is: so the extension and `raw_input_contents` say.
WIRE = np.dtype("<f4")


class BadTensor(ValueError):
    """The request's tensors are not those that the model takes; the text says which are."""


class UnknownModel(LookupError):
    """Another model, or another version of it, was asked for."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """One input as it was sent. `values`: raw little-endian bytes, or numbers flat or nested in rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: memoryview | Sequence[Any]


@dataclass(frozen=True, eq=False)
class Asked:
    """A checked request: a finite batch (n, 1, height, width) and the names of the outputs wanted, in order."""

    batch: Batch
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Answered:
    """The outputs, by name in the order asked for: `probabilities` (n, K) and `domain_distance` (n), FP32."""

    outputs: dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class TensorInfo:
    """What the metadata say of one tensor; -1 is a size that varies."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def inputs_of(scorer: Scorer) -> list[TensorInfo]:
    """The one input."""
    return [TensorInfo(INPUT, DATATYPE, (-1, 1, scorer.manifest.input.height, scorer.manifest.input.width))]


def outputs_of(scorer: Scorer) -> list[TensorInfo]:
    """Both outputs."""
    return [
        TensorInfo("probabilities", DATATYPE, (-1, len(scorer.manifest.findings))),
        TensorInfo("domain_distance", DATATYPE, (-1,)),
    ]


def check_name(scorer: Scorer, name: str, version: str = "") -> None:
    """Raise UnknownModel unless the release that is served has this name and, where one is given, this version."""
    manifest = scorer.manifest
    if name != manifest.name:
        raise UnknownModel(f"No model of this name is served; this is {manifest.name}.")
    if version not in {"", manifest.version}:
        raise UnknownModel(f"No version {version[:32]!r} of {name} is served; this is {manifest.version}.")


def ask(scorer: Scorer, tensors: Sequence[Tensor], outputs: Sequence[str] | None, max_batch_size: int) -> Asked:
    """Check a request; raises BadTensor. Raw bytes are not copied where they lie aligned in memory."""
    wanted = tuple(dict.fromkeys(outputs)) if outputs else OUTPUTS
    if unknown := sorted(set(wanted) - set(OUTPUTS)):
        raise BadTensor(f"The model has no output {unknown[0][:32]!r}; it has {', '.join(OUTPUTS)}.")
    if [tensor.name for tensor in tensors] != [INPUT]:
        raise BadTensor(f"The model takes one tensor, named '{INPUT}'.")
    tensor, spec = tensors[0], scorer.manifest.input
    if tensor.datatype != DATATYPE:
        raise BadTensor(f"'{INPUT}' is {DATATYPE}, not {tensor.datatype[:16]!r}.")
    if tensor.shape[1:] != (1, spec.height, spec.width):
        raise BadTensor(f"'{INPUT}' has the shape (n, 1, {spec.height}, {spec.width}).")
    if not 1 <= tensor.shape[0] <= max_batch_size:
        raise BadTensor(f"One request takes 1 to {max_batch_size} films.")
    values = _from_bytes(tensor) if isinstance(tensor.values, memoryview) else _from_numbers(tensor)
    if not np.isfinite(values).all():
        raise BadTensor(f"'{INPUT}' holds a number that is not finite in FP32.")
    return Asked(values.reshape(tensor.shape), wanted)


def _from_bytes(tensor: Tensor) -> Batch:
    data, expected = tensor.values, math.prod(tensor.shape) * WIRE.itemsize
    assert isinstance(data, memoryview)  # noqa: S101 - told apart by the caller
    if data.nbytes != expected:
        raise BadTensor(f"'{INPUT}' has {data.nbytes} bytes, its shape asks for {expected}.")
    values = np.frombuffer(data, WIRE).astype(np.float32, copy=False)
    # Behind a JSON header of any length the numbers may lie askew; ONNX Runtime is given aligned ones.
    return np.require(values, requirements=["ALIGNED"])


def _from_numbers(tensor: Tensor) -> Batch:
    expected = math.prod(tensor.shape)
    try:
        # Through float64: a number beyond FP32 becomes infinite there and is refused by the caller.
        with np.errstate(over="ignore"):
            values = np.asarray(tensor.values, dtype=np.float64).astype(np.float32)
    except (TypeError, ValueError, OverflowError):
        raise BadTensor(f"The data of '{INPUT}' are not numbers in rows of one length.") from None
    if values.size != expected:
        raise BadTensor(f"'{INPUT}' has {values.size} numbers, its shape asks for {expected}.")
    if values.ndim != 1 and values.shape != tensor.shape:
        raise BadTensor(f"The data of '{INPUT}' are nested otherwise than its shape says.")
    return values


def answer(scorer: Scorer, asked: Asked) -> Answered:
    """Run the model on a checked request; raises NotScorable."""
    outputs = scorer.run(asked.batch)
    results: dict[str, npt.NDArray[np.float32]] = {}
    for name in asked.outputs:
        if name == "probabilities":
            results[name] = scorer.probabilities(outputs.logits).astype(WIRE)
        else:
            results[name] = scorer.distances(outputs.embedding, asked.batch).astype(WIRE)
    return Answered(results)
