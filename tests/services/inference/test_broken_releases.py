"""A broken release is never served: the service stays up, says why, and answers 503."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hilum.release.signing import new_key
from services.inference import serving
from services.inference.app import create_app
from tests.releases import FINDINGS, make_tiny_release, pattern_film, trust
from tests.services.inference.conftest import settings_for, wait_until_loaded


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")


def reordered(folder: Path) -> None:
    make_tiny_release(folder, onnx_findings=FINDINGS[::-1])


def reordered_manifest(folder: Path) -> None:
    make_tiny_release(folder)
    edit(folder, lambda d: d["findings"].reverse())


def wrong_width(folder: Path) -> None:
    make_tiny_release(folder, onnx_findings=FINDINGS[:-1])


def wrong_hash(folder: Path) -> None:
    make_tiny_release(folder)
    (folder / "model-fp32.onnx").write_bytes(b"damaged")


def nan_weights(folder: Path) -> None:
    make_tiny_release(folder, gain=float("nan"))


def other_weights(folder: Path) -> None:
    make_tiny_release(folder, gain=1.0)


def wrong_golden(folder: Path) -> None:
    make_tiny_release(folder, golden_shift=0.002)


def missing_file(folder: Path) -> None:
    make_tiny_release(folder)
    (folder / "domain.npz").unlink()


def missing_folder(folder: Path) -> None:
    assert not folder.exists()


def no_calibration(folder: Path) -> None:
    make_tiny_release(folder)
    edit(folder, lambda d: [finding.pop("calibration") for finding in d["variants"][0]["findings"]])


def refuses_itself(folder: Path) -> None:
    domain = {"file": "domain.npz", "threshold": 0.01, "false_refusal": {"value": 1, "low": 1, "high": 1}}
    make_tiny_release(folder, domain=domain)


def not_onnx(folder: Path) -> None:
    make_tiny_release(folder)
    (folder / "model-fp32.onnx").write_bytes(b"not a model")
    digest = hashlib.sha256(b"not a model").hexdigest()
    edit(folder, lambda d: d["files"].update({"model-fp32.onnx": digest}))


DEFECTS = {
    reordered: "their order",
    reordered_manifest: "their order",
    wrong_width: "findings differ",
    wrong_hash: "another sha256",
    nan_weights: "golden film can't be scored",
    other_weights: "golden film's",
    wrong_golden: "golden film's",
    missing_file: "domain.npz is missing",
    missing_folder: "no manifest.json",
    no_calibration: "calibration",
    refuses_itself: "refuses its own golden film",
    not_onnx: "ONNX Runtime can't open",
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_broken_release_is_not_served_and_the_reason_is_told(tmp_path: Path, defect: Callable[[Path], None]) -> None:
    folder = tmp_path / "release"
    defect(folder)
    with TestClient(create_app(settings_for(folder))) as client:
        wait_until_loaded(client)
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["ready"] is False
        assert DEFECTS[defect] in ready.json()["reasons"][0]
        assert client.get("/healthz").status_code == 200
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/health/ready").status_code == 503
        for answer in (
            client.post("/v1/predict", files={"file": pattern_film(0)}),
            client.post("/v1/explain?finding=Effusion&release=x", files={"file": pattern_film(0)}),
            client.get("/v1/model"),
            client.post("/predict", json={"image": "aGVsbG8="}),
            client.get("/v2/models/tiny"),
            client.post("/v1/predict", files=[("file", pattern_film(0)), ("file", pattern_film(1))]),
            client.get("/v2/models/tiny/versions/1.0.0"),
            client.get("/v2/models/tiny/ready"),
            client.post("/v2/models/tiny/infer", json={"inputs": []}),
            client.post("/v2/models/tiny/versions/1.0.0/infer", json={"inputs": []}),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:hilum:problem:not-ready"
            assert int(answer.headers["retry-after"]) > 0
        assert "hilum_model_ready 0.0" in client.get("/metrics").text


def test_a_precision_that_the_release_lacks_is_not_replaced_by_another(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release")
    with TestClient(create_app(settings_for(tmp_path / "release", precision="int8"))) as client:
        wait_until_loaded(client)
        assert "no int8 variant" in client.get("/readyz").json()["reasons"][0]


def test_only_a_trusted_signature_is_served_where_keys_are_listed(tmp_path: Path) -> None:
    ours, theirs = new_key(), new_key()
    make_tiny_release(tmp_path / "ours", key=ours)
    make_tiny_release(tmp_path / "theirs", key=theirs)
    keys = str(trust(tmp_path / "keys.txt", ours))
    for folder, status in (("ours", 200), ("theirs", 503)):
        with TestClient(create_app(settings_for(tmp_path / folder, trusted_keys=keys))) as client:
            wait_until_loaded(client)
            answer = client.get("/readyz")
            assert answer.status_code == status
            assert status == 200 or "not trusted" in answer.json()["reasons"][0]


def test_a_manifest_that_was_changed_after_its_signature_is_not_served(tmp_path: Path) -> None:
    ours = new_key()
    make_tiny_release(tmp_path / "release", key=ours)
    keys = str(trust(tmp_path / "keys.txt", ours))
    # Nothing but a threshold: the hashes of the files still hold.
    edit(tmp_path / "release", lambda d: d["variants"][0]["findings"][0]["alert"].update({"threshold": 0.99}))
    with TestClient(create_app(settings_for(tmp_path / "release", trusted_keys=keys))) as client:
        wait_until_loaded(client)
        assert client.get("/readyz").status_code == 503
        assert "signature" in client.get("/readyz").json()["reasons"][0]


def test_a_missing_list_of_trusted_keys_trusts_nobody(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release")
    gone = str(tmp_path / "gone.txt")
    with TestClient(create_app(settings_for(tmp_path / "release", trusted_keys=gone))) as client:
        wait_until_loaded(client)
        assert "can't be read" in client.get("/readyz").json()["reasons"][0]


def test_a_release_that_arrives_late_is_served_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RETRY_SECONDS", 0.02)
    with TestClient(create_app(settings_for(tmp_path / "release"))) as client:
        wait_until_loaded(client)
        assert client.get("/readyz").status_code == 503
        make_tiny_release(tmp_path / "release")
        for _ in range(500):
            if client.get("/readyz").status_code == 200:
                break
            time.sleep(0.01)
        assert client.get("/v1/model").status_code == 200


def test_a_release_that_is_damaged_while_it_is_served_stays_as_it_was_loaded(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release")
    with TestClient(create_app(settings_for(tmp_path / "release"))) as client:
        wait_until_loaded(client)
        before = client.get("/v1/model").json()
        (tmp_path / "release" / "model-fp32.onnx").write_bytes(b"")
        make_tiny_release(tmp_path / "other", findings=("Edema",))
        (tmp_path / "other" / "manifest.json").replace(tmp_path / "release" / "manifest.json")
        assert client.get("/v1/model").json() == before
        answer = client.post("/v1/predict", files={"file": pattern_film(1)}).json()
        assert [f["name"] for f in answer["findings"] if f["present"]] == [FINDINGS[1]]
