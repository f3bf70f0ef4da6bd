"""The Open Inference Protocol V2."""

from __future__ import annotations

from typing import Any

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
    assert client.get("/v2").json()["extensions"] == []
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/tiny/ready").json() == {"name": "tiny", "ready": True}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/ready"), ("POST", "/infer")])
def test_another_models_name_is_unknown(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"/v2/models/other{path}", json={})
    assert answer.status_code == 404
    assert "tiny" in answer.json()["error"]


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


def test_binary_tensors_and_other_content_types_are_415(client: TestClient) -> None:
    headers = {"inference-header-content-length": "10", "content-type": "application/octet-stream"}
    assert client.post("/v2/models/tiny/infer", content=b"x" * 20, headers=headers).status_code == 415
    assert (
        client.post("/v2/models/tiny/infer", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    )
