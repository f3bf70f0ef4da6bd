"""The Open Inference Protocol V2."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from hilum.imaging.preprocess import preprocess
from hilum.release import InputSpec, Release
from tests.releases import FINDINGS, pattern, pattern_film

SPEC = InputSpec(height=128, width=128)


def tensor(*blocks: int) -> np.ndarray:
    return np.stack([preprocess(pattern(k).astype(np.float32) / np.float32(255), SPEC) for k in blocks])


def body(values: np.ndarray, *, nested: bool = False, **changes: Any) -> dict[str, Any]:
    data = values.tolist() if nested else values.ravel().tolist()
    return {"inputs": [{"name": "film", "shape": list(values.shape), "datatype": "FP32", "data": data, **changes}]}


@pytest.mark.parametrize("nested", [False, True])
def test_preprocessed_films_give_the_probabilities_of_predict(client: TestClient, nested: bool) -> None:
    blocks = (2, 0, 1)
    answer = client.post("/v2/models/tiny/infer", json={"id": "7", **body(tensor(*blocks), nested=nested)}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", "1.0.0", "7")
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert outputs["probabilities"]["shape"] == [3, len(FINDINGS)]
    assert outputs["domain_distance"]["shape"] == [3]
    rows = np.array(outputs["probabilities"]["data"]).reshape(3, len(FINDINGS))
    for row, block in zip(rows, blocks, strict=True):
        alone = client.post("/v1/predict", files={"file": pattern_film(block)}).json()
        assert row.tolist() == pytest.approx([f["probability"] for f in alone["findings"]], abs=1e-6)


def test_only_the_outputs_that_are_asked_for_are_answered(client: TestClient) -> None:
    asked = {**body(tensor(0)), "outputs": [{"name": "domain_distance"}]}
    outputs = client.post("/v2/models/tiny/infer", json=asked).json()["outputs"]
    assert [output["name"] for output in outputs] == ["domain_distance"]


def test_the_metadata_say_shapes_and_the_order_of_findings(client: TestClient, release: Release) -> None:
    metadata = client.get("/v2/models/tiny").json()
    assert metadata["inputs"] == [{"name": "film", "datatype": "FP32", "shape": [-1, 1, 128, 128]}]
    assert metadata["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(FINDINGS)]}
    assert metadata["parameters"]["findings"] == list(FINDINGS)
    assert metadata["parameters"]["release"] == release.digest


def test_server_and_health(client: TestClient) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/tiny/ready").json() == {"name": "tiny", "ready": True}


@pytest.mark.parametrize("model", ["other", "other/versions/1.0.0", "tiny/versions/9"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/ready"), ("POST", "/infer")])
def test_another_model_or_version_is_unknown(client: TestClient, method: str, path: str, model: str) -> None:
    answer = client.request(method, f"/v2/models/{model}{path}", json={})
    assert answer.status_code == 404
    assert answer.json()["error"] == answer.json()["detail"]
    assert "this is " in answer.json()["error"]


def test_the_version_that_is_served_may_be_named(client: TestClient) -> None:
    path = "/v2/models/tiny/versions/1.0.0"
    assert client.get(path).json() == client.get("/v2/models/tiny").json()
    assert client.get(f"{path}/ready").json() == {"name": "tiny", "ready": True}
    asked = body(tensor(1))
    assert client.post(f"{path}/infer", json=asked).json() == client.post("/v2/models/tiny/infer", json=asked).json()


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"inputs": []},
        {"inputs": "film"},
        {**body(tensor(0)), "outputs": [{"name": "logits"}]},
        body(tensor(0), name="image"),
        body(tensor(0), datatype="UINT8"),
        body(tensor(0), shape=[1, 128, 128]),
        body(tensor(0), shape=[1, 1, 64, 256]),
        body(tensor(0), shape=[2, 1, 128, 128]),
        body(tensor(0), shape=[0, 1, 128, 128]),
        body(tensor(0), shape=[-1, 1, 128, 128]),
        body(tensor(0), shape=[10**9, 1, 128, 128]),
        body(tensor(0), data=[0.1, 0.2]),
        body(tensor(0), data=["x"] * 128 * 128),
        body(tensor(0), data=[[0.0] * 128] * 128),
        body(tensor(0), data=[[0.0], [0.0, 1.0]]),
        body(tensor(0), data=[1e39] * 128 * 128),
        body(tensor(0), data=[None] * 128 * 128),
        {"inputs": body(tensor(0))["inputs"] * 2},
    ],
    ids=range(19),
)
def test_tensors_that_the_model_does_not_take_are_400(client: TestClient, request_: dict[str, Any]) -> None:
    answer = client.post("/v2/models/tiny/infer", json=request_)
    assert answer.status_code == 400, answer.text[:200]
    assert answer.json()["detail"]


def test_more_films_than_the_setting_allows_are_refused(client: TestClient) -> None:
    answer = client.post("/v2/models/tiny/infer", json=body(np.zeros((65, 1, 128, 128), dtype=np.float32)))
    assert answer.status_code == 400
    assert "1 to 64" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[[[[[[", b"\x00\x01", b"[" * 100_000, b'{"inputs": [{"data": [NaN]}]}']
)
def test_garbage_is_400(client: TestClient, content: bytes) -> None:
    answer = client.post("/v2/models/tiny/infer", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def binary(values: np.ndarray, *, behind: bytes | None = None, size: object = None, **changes: Any) -> dict[str, Any]:
    """A request by the binary tensor extension, as httpx takes it; `changes` replace fields of its JSON."""
    raw = values.astype("<f4").tobytes() if behind is None else behind
    given = {"name": "film", "shape": list(values.shape), "datatype": "FP32"}
    document = {"inputs": [{**given, "parameters": {"binary_data_size": len(raw) if size is None else size}}]}
    top = json.dumps({**document, **changes}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(top))}
    return {"content": top + raw, "headers": headers}


def outputs_of(answer: httpx.Response) -> dict[str, np.ndarray]:
    """Outputs by name, from JSON or from the bytes behind it."""
    size = int(answer.headers.get("inference-header-content-length", len(answer.content)))
    rest, found = answer.content[size:], {}
    for output in json.loads(answer.content[:size])["outputs"]:
        count = output.get("parameters", {}).get("binary_data_size", 0)
        values = np.array(output["data"]) if "data" in output else np.frombuffer(rest[:count], "<f4")
        rest = rest[count:]
        found[output["name"]] = values.reshape(output["shape"])
    assert rest == b""
    return found


@pytest.mark.parametrize("padding", range(4))
def test_binary_tensors_score_like_json_wherever_they_lie(client: TestClient, padding: int) -> None:
    values = tensor(1, 2)
    expected = outputs_of(client.post("/v2/models/tiny/infer", json=body(values)))
    answer = client.post("/v2/models/tiny/infer", **binary(values, id="x" * padding))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["id"] == "x" * padding
    for name, given in outputs_of(answer).items():
        assert given.tolist() == expected[name].tolist()


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        ({"parameters": {"binary_data_output": True}}, {"probabilities", "domain_distance"}),
        ({"outputs": [{"name": "domain_distance", "parameters": {"binary_data": True}}]}, {"domain_distance"}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [
                    {"name": "probabilities", "parameters": {"binary_data": False}},
                    {"name": "domain_distance"},
                ],
            },
            {"domain_distance"},
        ),
    ],
    ids=["all", "one", "all but one"],
)
@pytest.mark.parametrize("sent", ["json", "binary"])
def test_outputs_come_as_bytes_where_they_are_asked_for_so(
    client: TestClient, asked: dict[str, Any], raw: set[str], sent: str
) -> None:
    values = tensor(0, 3)
    given: dict[str, Any] = {"json": {**body(values), **asked}} if sent == "json" else binary(values, **asked)
    answer = client.post("/v2/models/tiny/infer", **given)
    assert answer.headers["content-type"] == "application/octet-stream"
    document = json.loads(answer.content[: int(answer.headers["inference-header-content-length"])])
    assert {o["name"] for o in document["outputs"] if "binary_data_size" in o.get("parameters", {})} == raw
    expected = outputs_of(client.post("/v2/models/tiny/infer", json=body(values)))
    for name, values_ in outputs_of(answer).items():
        assert values_.ravel().tolist() == pytest.approx(expected[name].ravel().tolist())


def test_a_client_that_names_no_content_type_is_served(client: TestClient) -> None:
    """Triton's own names none, neither for JSON nor for bytes."""
    json_ = {"content": json.dumps(body(tensor(0))).encode()}
    bytes_ = binary(tensor(0))
    del bytes_["headers"]["content-type"]
    for request_ in (json_, bytes_):
        assert client.post("/v2/models/tiny/infer", **request_).status_code == 200


ONE = tensor(0)
BYTES = ONE.astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (binary(ONE, behind=BYTES[:-1]), "its shape asks for 65536"),
        (binary(ONE, behind=BYTES + b"0", size=len(BYTES)), "bytes stand behind the JSON"),
        (binary(ONE, behind=BYTES[:-1], size=len(BYTES)), "65535 bytes stand behind the JSON"),
        (binary(ONE, behind=b""), "its shape asks for 65536"),
        (binary(ONE, size=-1), "binary_data_size"),
        (binary(ONE, size="65536"), "binary_data_size"),
        (binary(ONE, size=1.5), "binary_data_size"),
        (binary(ONE, size=2**70), "bytes stand behind the JSON"),
        (binary(ONE, behind=np.full((128, 128), np.nan, "<f4").tobytes()), "not finite"),
        (binary(ONE, behind=np.full((128, 128), np.inf, "<f4").tobytes()), "not finite"),
        (binary(ONE, inputs=body(ONE)["inputs"]), "bytes stand behind the JSON"),
        (binary(ONE, inputs=[{"name": "film", "shape": [1, 1, 128, 128], "datatype": "FP32"}]), "needs either"),
        (binary(ONE, parameters={"binary_data_output": "yes"}), "binary_data_output"),
    ],
    ids=range(13),
)
def test_binary_tensors_that_are_not_whole_are_400(client: TestClient, request_: dict[str, Any], says: str) -> None:
    answer = client.post("/v2/models/tiny/infer", **request_)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


@pytest.mark.parametrize("length", ["", "x", "-1", "1e3", "٣", "999999999", "9" * 5000])
def test_a_json_length_that_is_none_is_400(client: TestClient, length: str) -> None:
    request_ = binary(ONE)
    request_["headers"]["inference-header-content-length"] = length.encode()
    answer = client.post("/v2/models/tiny/infer", **request_)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_both_data_and_bytes_or_bytes_without_the_header_are_400(client: TestClient) -> None:
    both = body(ONE, parameters={"binary_data_size": 65536})
    assert "needs either" in client.post("/v2/models/tiny/infer", json=both).json()["error"]
    alone = body(ONE, parameters={"binary_data_size": 65536})
    del alone["inputs"][0]["data"]
    assert "Content-Length" in client.post("/v2/models/tiny/infer", json=alone).json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/octet-stream"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "text/plain", "inference-header-content-length": "2"},
    ],
)
def test_other_content_types_and_compressed_bodies_are_415(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/v2/models/tiny/infer", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error"]
