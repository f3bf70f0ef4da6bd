"""The bodies of `infer` over HTTP: JSON, and JSON with the tensors' bytes behind it (binary tensor data extension).

The extension is described at
docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from hilum.problems import Problem
from services.inference.api.bodies import parse
from services.inference.scorer import Scorer
from services.inference.tensors import DATATYPE, Answered, Asked, BadTensor, Tensor, ask

HEADER = "inference-header-content-length"
EXTENSION = "binary_tensor_data"


def _numbers(value: object) -> object:
    """Numbers are looked at by numpy, once; here only their container is."""
    if not isinstance(value, list):
        raise ValueError("Input should be a list of numbers, flat or nested in rows")
    return value


Data = Annotated[Any, BeforeValidator(_numbers), WithJsonSchema({"type": "array", "items": {}})]
Dimension = Annotated[int, Field(strict=True, ge=1, le=2**31)]


class _Part(BaseModel):
    """Unknown fields and parameters are let pass: the protocol asks servers to."""

    model_config = ConfigDict(extra="ignore")


class InputParameters(_Part):
    """`binary_data_size`: how many bytes behind the JSON are this tensor's."""

    binary_data_size: int | None = Field(default=None, ge=0, strict=True)


class TensorIn(_Part):
    """One tensor: row-major `data`, flat or nested, or `parameters.binary_data_size` bytes behind the JSON."""

    name: str
    shape: list[Dimension] = Field(min_length=1, max_length=8)
    datatype: str
    parameters: InputParameters = InputParameters()
    data: Data = None


class OutputParameters(_Part):
    """`binary_data`: answer this output as bytes."""

    binary_data: StrictBool | None = None


class OutputAsked(_Part):
    """One of the outputs, by name."""

    name: str
    parameters: OutputParameters = OutputParameters()


class RequestParameters(_Part):
    """`binary_data_output`: answer every output as bytes, where the output itself does not say otherwise."""

    binary_data_output: StrictBool = False


class InferenceRequest(_Part):
    """Body of `infer`. Without `outputs` every output is answered."""

    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: list[TensorIn]
    outputs: list[OutputAsked] | None = None


def read(scorer: Scorer, body: bytes, header: str | None, max_batch_size: int) -> tuple[InferenceRequest, Asked]:
    """Read and check one body; `header` is the value of Inference-Header-Content-Length, None without one.

    Raises the 400 problem or BadTensor.
    """
    size = len(body) if header is None else _size(header, len(body))
    # Without the extension the body itself is parsed: no copy.
    request = parse(InferenceRequest, body if size == len(body) else body[:size], status=400)
    tensors, at = [], size
    view = memoryview(body)
    for tensor in request.inputs:
        count = tensor.parameters.binary_data_size
        if (count is None) == (tensor.data is None):
            raise BadTensor(f"{tensor.name[:32]!r} needs either 'data' or 'parameters.binary_data_size'.")
        if count is None:
            values: memoryview | list[Any] = tensor.data
        elif header is None:
            raise BadTensor("'binary_data_size' needs the request header Inference-Header-Content-Length.")
        else:
            values = view[at : at + count]
            at += count
        tensors.append(Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), values))
    if at != len(body):
        raise BadTensor(f"{len(body) - size} bytes stand behind the JSON, its tensors ask for {at - size}.")
    names = None if request.outputs is None else [output.name for output in request.outputs]
    return request, ask(scorer, tensors, names, max_batch_size)


def _size(header: str, length: int) -> int:
    if not (header.isascii() and header.isdigit() and len(header) <= 12 and int(header) <= length):
        raise Problem(
            400,
            "invalid-request",
            f"Inference-Header-Content-Length is the length of the JSON, a number up to the body's {length} bytes.",
        )
    return int(header)


def write(scorer: Scorer, request: InferenceRequest, answered: Answered) -> tuple[bytes, int | None]:
    """The body of the answer, and the length of its JSON where tensors' bytes stand behind it, else None."""
    binary = {output.name: output.parameters.binary_data for output in request.outputs or []}
    every = request.parameters.binary_data_output
    outputs, blobs = [], []
    for name, values in answered.outputs.items():
        own = binary.get(name)
        output: dict[str, Any] = {"name": name, "datatype": DATATYPE, "shape": values.shape}
        if every if own is None else own:
            blobs.append(values.tobytes())
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = values.ravel().tolist()
        outputs.append(output)
    document: dict[str, Any] = {
        "model_name": scorer.manifest.name,
        "model_version": scorer.manifest.version,
        "outputs": outputs,
    }
    if request.id is not None:
        document["id"] = request.id
    top = pydantic_core.to_json(document)
    return (b"".join([top, *blobs]), len(top)) if blobs else (top, None)
