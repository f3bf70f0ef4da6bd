"""The six calls of the protocol's gRPC service; its messages in and out, the rest is `services.inference.tensors`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from hilum import __version__
from services.inference import tensors
from services.inference.rpc import open_inference_pb2 as pb
from services.inference.rpc.refusals import refusing
from services.inference.scorer import Scorer
from services.inference.serving import Serving

NAME = "inference.GRPCInferenceService"
SERVER = "hilum-inference"


class OpenInference:
    """Answers from the process's one release, with the films of HTTP in the same queue."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    @refusing
    async def ServerLive(  # noqa: N802 - the protocol's names
        self, request: pb.ServerLiveRequest, context: grpc.aio.ServicerContext
    ) -> pb.ServerLiveResponse:
        """The process answers."""
        return pb.ServerLiveResponse(live=True)

    @refusing
    async def ServerReady(  # noqa: N802
        self, request: pb.ServerReadyRequest, context: grpc.aio.ServicerContext
    ) -> pb.ServerReadyResponse:
        """Whether a verified release is served."""
        return pb.ServerReadyResponse(ready=self._serving.reason is None)

    @refusing
    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelReadyResponse:
        """Whether this model, in this version where one is given, is the one that is served."""
        if self._serving.reason is not None:
            return pb.ModelReadyResponse(ready=False)
        try:
            tensors.check_name(self._serving.scorer, request.name, request.version)
        except tensors.UnknownModel:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    @refusing
    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: grpc.aio.ServicerContext
    ) -> pb.ServerMetadataResponse:
        """Name and version."""
        return pb.ServerMetadataResponse(name=SERVER, version=__version__, extensions=[])

    @refusing
    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelMetadataResponse:
        """Shapes and datatypes. The order of the findings has no place here: GET /v2/models/NAME says it."""
        scorer = self._serving.scorer
        tensors.check_name(scorer, request.name, request.version)
        return pb.ModelMetadataResponse(
            name=scorer.manifest.name,
            versions=[scorer.manifest.version],
            platform="onnxruntime_onnx",
            inputs=[_described(t) for t in tensors.inputs_of(scorer)],
            outputs=[_described(t) for t in tensors.outputs_of(scorer)],
        )

    @refusing
    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelInferResponse:
        """Calibrated probabilities of preprocessed films; the outputs come as raw bytes."""
        scorer = self._serving.scorer
        tensors.check_name(scorer, request.model_name, request.model_version)

        def work() -> tensors.Answered:
            return tensors.answer(scorer, _asked(scorer, request, self._serving.settings.max_batch_size))

        answered = (await self._serving.run(work, client=_client(context), kind="tensor")).result
        return pb.ModelInferResponse(
            model_name=scorer.manifest.name,
            model_version=scorer.manifest.version,
            id=request.id,
            outputs=[
                pb.ModelInferResponse.InferOutputTensor(name=name, datatype=tensors.DATATYPE, shape=values.shape)
                for name, values in answered.outputs.items()
            ],
            raw_output_contents=[values.tobytes() for values in answered.outputs.values()],
        )


def handlers(serving: Serving) -> grpc.GenericRpcHandler:
    """The calls as gRPC takes them. Unlike protoc's own list, bytes that are no message reach the call, as None: it
    answers INVALID_ARGUMENT, where gRPC would say UNKNOWN and log an error of the service.
    """
    service = OpenInference(serving)
    methods = {}
    for method in pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods:
        request = getattr(pb, method.input_type.name)
        methods[method.name] = grpc.unary_unary_rpc_method_handler(
            getattr(service, method.name),
            request_deserializer=partial(_parsed, request),
            response_serializer=getattr(pb, method.output_type.name).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(NAME, methods)


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError:
        return None


def _client(context: grpc.aio.ServicerContext) -> str:
    """Who takes turns: the sender's address, as over HTTP (`ipv4:10.0.0.7:53412`)."""
    return str(context.peer()).partition(":")[2].rpartition(":")[0]


def _described(tensor: tensors.TensorInfo) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)


def _asked(scorer: Scorer, request: pb.ModelInferRequest, max_batch_size: int) -> tensors.Asked:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise tensors.BadTensor(f"There are {len(raw)} raw_input_contents for {len(request.inputs)} inputs.")
    given = []
    for k, tensor in enumerate(request.inputs):
        if raw and tensor.HasField("contents"):
            raise tensors.BadTensor(f"{tensor.name[:32]!r} has contents beside raw_input_contents: send one of them.")
        if not tensor.shape:
            raise tensors.BadTensor(f"{tensor.name[:32]!r} has no shape.")
        values: memoryview | Sequence[Any] = memoryview(raw[k]) if raw else tensor.contents.fp32_contents
        given.append(tensors.Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), values))
    return tensors.ask(scorer, given, [output.name for output in request.outputs] or None, max_batch_size)
