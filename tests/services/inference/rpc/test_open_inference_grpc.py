"""The Open Inference Protocol V2 over gRPC, with real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from fastapi.testclient import TestClient
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hilum.release import Release
from services.inference.app import create_app
from services.inference.rpc import open_inference_pb2 as pb
from services.inference.rpc.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.releases import FINDINGS, make_tiny_release, pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded
from tests.services.inference.test_open_inference import tensor

SIDE = 128


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def port(release: Release) -> Iterator[int]:
    """A ready service whose gRPC port is open; its HTTP side is `http`."""
    chosen = free_port()
    with TestClient(create_app(settings_for(release.folder, grpc_port=chosen, grpc_max_bytes=1_000_000))) as client:
        wait_until_loaded(client)
        yield chosen


@pytest.fixture(scope="module")
def channel(port: int) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> GRPCInferenceServiceStub:
    return GRPCInferenceServiceStub(channel)


def asked(values: np.ndarray, *, raw: bool = True, outputs: tuple[str, ...] = (), **changes: Any) -> Any:
    """A request for `values`; `changes` replace fields of its one input."""
    given: dict[str, Any] = {"name": "film", "datatype": "FP32", "shape": values.shape, **changes}
    if not raw:
        given["contents"] = pb.InferTensorContents(fp32_contents=values.ravel().tolist())
    return pb.ModelInferRequest(
        model_name="tiny",
        inputs=[pb.ModelInferRequest.InferInputTensor(**given)],
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs],
        raw_input_contents=[values.astype("<f4").tobytes()] if raw else [],
    )


def refused(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


def test_the_server_and_its_model_are_described(stub: GRPCInferenceServiceStub) -> None:
    assert stub.ServerLive(pb.ServerLiveRequest()).live
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    assert stub.ServerMetadata(pb.ServerMetadataRequest()).name == "hilum-inference"
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="tiny", version="1.0.0"))
    assert (metadata.name, list(metadata.versions)) == ("tiny", ["1.0.0"])
    assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [("film", "FP32", [-1, 1, SIDE, SIDE])]
    assert [list(t.shape) for t in metadata.outputs] == [[-1, len(FINDINGS)], [-1]]


@pytest.mark.parametrize(
    ("name", "version", "ready"), [("tiny", "", True), ("tiny", "1.0.0", True), ("tiny", "2", False), ("x", "", False)]
)
def test_only_the_release_that_is_served_is_ready(
    stub: GRPCInferenceServiceStub, name: str, version: str, ready: bool
) -> None:
    assert stub.ModelReady(pb.ModelReadyRequest(name=name, version=version)).ready == ready


@pytest.mark.parametrize("raw", [True, False])
def test_grpc_gives_the_probabilities_of_http(stub: GRPCInferenceServiceStub, client: TestClient, raw: bool) -> None:
    blocks = (2, 0, 1)
    request = asked(tensor(*blocks), raw=raw)
    request.id = "seven"
    answer = stub.ModelInfer(request)
    assert (answer.model_name, answer.model_version, answer.id) == ("tiny", "1.0.0", "seven")
    assert [output.name for output in answer.outputs] == ["probabilities", "domain_distance"]
    rows = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(answer.outputs[0].shape)
    for row, block in zip(rows, blocks, strict=True):
        alone = client.post("/v1/predict", files={"file": pattern_film(block)}).json()
        assert row.tolist() == pytest.approx([f["probability"] for f in alone["findings"]], abs=1e-6)


def test_only_the_outputs_that_are_asked_for_are_answered_over_grpc(stub: GRPCInferenceServiceStub) -> None:
    answer = stub.ModelInfer(asked(tensor(0), outputs=("domain_distance",)))
    assert [(output.name, list(output.shape)) for output in answer.outputs] == [("domain_distance", [1])]
    assert len(answer.raw_output_contents[0]) == 4


NAN = np.full((1, 1, SIDE, SIDE), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (pb.ModelInferRequest(model_name="tiny"), "one tensor, named 'film'"),
        (asked(tensor(0), name="image"), "named 'film'"),
        (asked(tensor(0), datatype="FP16"), "FP32, not 'FP16'"),
        (asked(tensor(0), shape=[]), "no shape"),
        (asked(tensor(0), shape=[1, 1, 64, 256]), "has the shape"),
        (asked(tensor(0), shape=[2, 1, SIDE, SIDE]), "its shape asks for 131072"),
        (asked(tensor(0), shape=[-1, 1, SIDE, SIDE]), "1 to 64"),
        (asked(tensor(0), shape=[2**62, 1, SIDE, SIDE]), "1 to 64"),
        (asked(tensor(0), outputs=("logits",)), "no output 'logits'"),
        (asked(NAN), "not finite"),
        (asked(NAN, raw=False), "not finite"),
        (asked(np.zeros((0,), np.float32), raw=False, shape=[1, 1, SIDE, SIDE]), "has 0 numbers"),
        (asked(tensor(0), contents=pb.InferTensorContents(fp32_contents=[1.0])), "send one of them"),
    ],
    ids=range(13),
)
def test_tensors_that_the_model_does_not_take_are_invalid_arguments(
    stub: GRPCInferenceServiceStub, request_: Any, says: str
) -> None:
    error = refused(lambda: stub.ModelInfer(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert says in error.details()
    assert ("problem-type", "urn:hilum:problem:bad-tensor") in {(k, v) for k, v in error.trailing_metadata()}


@pytest.mark.parametrize(("name", "version"), [("other", ""), ("tiny", "9.9.9")])
def test_another_model_or_version_is_not_found(stub: GRPCInferenceServiceStub, name: str, version: str) -> None:
    request = asked(tensor(0))
    request.model_name, request.model_version = name, version
    assert refused(lambda: stub.ModelInfer(request)).code() is grpc.StatusCode.NOT_FOUND
    described = pb.ModelMetadataRequest(name=name, version=version)
    assert refused(lambda: stub.ModelMetadata(described)).code() is grpc.StatusCode.NOT_FOUND


def test_a_message_above_the_limit_is_refused_and_the_next_is_answered(stub: GRPCInferenceServiceStub) -> None:
    large = asked(np.zeros((32, 1, SIDE, SIDE), dtype=np.float32))
    assert refused(lambda: stub.ModelInfer(large)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.ModelInfer(asked(tensor(0))).model_name == "tiny"


@pytest.mark.parametrize("message", [b"", b"\xff" * 50, b"\x2a\x04abcd", b"\x3a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_message_end_with_a_status(channel: grpc.Channel, message: bytes) -> None:
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    code = refused(lambda: call(message, timeout=10)).code()
    # An empty message is a whole one: a request for a model without a name.
    assert code is (grpc.StatusCode.INVALID_ARGUMENT if message else grpc.StatusCode.NOT_FOUND)
    assert GRPCInferenceServiceStub(channel).ServerLive(pb.ServerLiveRequest()).live


def test_a_call_whose_deadline_has_passed_ends_with_it(stub: GRPCInferenceServiceStub) -> None:
    error = refused(lambda: stub.ModelInfer(asked(tensor(0)), timeout=-1.0))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stub.ModelInfer(asked(tensor(0)), timeout=20).model_name == "tiny"


def test_the_health_service_says_serving(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "inference.GRPCInferenceService"):
        for _ in range(100):
            status = health.Check(health_pb2.HealthCheckRequest(service=name)).status
            if status == health_pb2.HealthCheckResponse.SERVING:
                break
            time.sleep(0.05)
        assert status == health_pb2.HealthCheckResponse.SERVING


def test_without_a_release_calls_are_unavailable_with_the_reason(tmp_path: Path) -> None:
    chosen = free_port()
    with (
        TestClient(create_app(settings_for(tmp_path / "nothing", grpc_port=chosen))) as http,
        grpc.insecure_channel(f"127.0.0.1:{chosen}") as opened,
    ):
        wait_until_loaded(http)
        stub = GRPCInferenceServiceStub(opened)
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        assert not stub.ServerReady(pb.ServerReadyRequest()).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name="tiny")).ready
        error = refused(lambda: stub.ModelInfer(asked(tensor(0))))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "no manifest.json" in error.details()
        assert ("retry-after", "5") in {(k, v) for k, v in error.trailing_metadata()}
        status = health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest()).status
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_port_that_is_taken_ends_the_start(release: Release) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = create_app(settings_for(release.folder, grpc_port=taken.getsockname()[1]))
        with pytest.raises(RuntimeError, match="bind"), TestClient(app):
            pass


def test_calls_under_way_are_answered_while_the_service_ends(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release")
    chosen = free_port()
    # More than the workers finish before the end begins.
    request = asked(np.repeat(tensor(0), 16, axis=0))

    async def main() -> list[Any]:
        app = create_app(settings_for(tmp_path / "release", grpc_port=chosen, queue=64))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{chosen}") as opened:
            stub = GRPCInferenceServiceStub(opened)
            async with app.router.lifespan_context(app):
                while not (await stub.ServerReady(pb.ServerReadyRequest(), wait_for_ready=True)).ready:
                    await asyncio.sleep(0.01)
                calls: list[Awaitable[Any]] = [stub.ModelInfer(request) for _ in range(40)]
                started = [asyncio.ensure_future(call) for call in calls]
                await asyncio.sleep(0.01)
            return await asyncio.gather(*started)

    assert [answer.outputs[0].shape[0] for answer in asyncio.run(main())] == [16] * 40
