"""Alive, ready, and what Prometheus reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from fastapi.testclient import TestClient

from hilum.release import Release
from services.inference.app import create_app
from tests.releases import FINDINGS, make_tiny_release, noise_film, pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded


def value(page: str, name: str, **labels: str) -> float | None:
    for line in page.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            found = dict(re.findall(r'(\w+)="([^"]*)"', line.rpartition(" ")[0]))
            if found == labels:
                return float(line.rpartition(" ")[2])
    return None


def test_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"ready": True, "reasons": []}


def test_every_series_begins_at_zero_before_the_first_film(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release", version="9.9.9")
    with TestClient(create_app(settings_for(release.folder))) as client:
        wait_until_loaded(client)
        page = client.get("/metrics").text
        of = {"release": release.digest, "precision": "fp32"}
        for name in FINDINGS:
            assert value(page, "hilum_findings_present_total", finding=name, **of) == 0
            assert value(page, "hilum_prediction_probability_count", finding=name, **of) == 0
        for phase in ("decode", "preprocess", "queue", "infer"):
            assert value(page, "hilum_predict_seconds_count", phase=phase, **of) == 0
        assert value(page, "hilum_films_out_of_domain_total", **of) == 0
        assert value(page, "hilum_model_ready") == 1


def test_a_film_is_counted_once_per_finding(client: TestClient, release: Release) -> None:
    of = {"release": release.digest, "precision": "fp32"}

    def counts() -> list[float]:
        page = client.get("/metrics").text
        return [
            value(page, "hilum_findings_present_total", finding="Effusion", **of) or 0.0,
            value(page, "hilum_findings_present_total", finding="Atelectasis", **of) or 0.0,
            value(page, "hilum_prediction_probability_count", finding="Atelectasis", **of) or 0.0,
            value(page, "hilum_predict_seconds_count", phase="infer", **of) or 0.0,
            value(page, "hilum_films_out_of_domain_total", **of) or 0.0,
        ]

    before = counts()
    client.post("/v1/predict", files={"file": pattern_film(0)})
    client.post("/v1/predict", files={"file": noise_film()})
    client.post("/v1/predict", files={"file": b"no film"})
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 0, 1, 2, 1]


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient) -> None:
    client.get("/v2/models/patient-4711")
    client.get("/patient-4711")
    client.request("BREW", "/healthz")
    page = client.get("/metrics").text
    assert "patient-4711" not in page  # the bare number may be part of some figure
    assert "BREW" not in page
    assert 'route="/v2/models/{name}"' in page


def test_the_service_needs_no_torch() -> None:
    code = (
        "import sys, services.inference.app, services.inference.__main__; "
        "sys.exit(', '.join({'torch', 'timm', 'onnx', 'pandas', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_docs_page_lists_every_call_of_the_service(client: TestClient) -> None:
    page = client.get("/docs").text
    for path in ("/v1/predict", "/v1/explain", "/v1/model", "/predict", "/v2/models/{name}/infer", "/readyz"):
        assert f"<code>{path}</code>" in page
    assert "curl -X POST -F file=@film.png" in page


def test_every_reference_in_the_openapi_document_leads_somewhere(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        found = document
        for part in reference.split("/"):
            found = found[part]
    for call in ("/v1/predict", "/v1/explain", "/predict"):
        assert {"400", "413", "415", "422", "503"} <= set(document["paths"][call]["post"]["responses"])


def test_a_release_tells_how_often_its_findings_should_be_called() -> None:
    with TestClient(create_app(settings_for(Path("models/default")))) as client:
        wait_until_loaded(client)
        page = client.get("/metrics").text
        digest = client.get("/v1/model").json()["release"]["digest"]
    of = {"release": digest, "precision": "fp32", "population": "nih"}
    rate = value(page, "hilum_finding_expected_rate", finding="Effusion", **of)
    assert rate is not None
    assert 0 < rate < 0.5
