"""The OpenAPI document: schemathesis finds nothing against it, and it has examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bench.fuzz import running
from hilum.release import Release

# A schema can't say which bytes are a film, nor that 16,384 numbers belong to a shape: what is valid by the schema
# may be refused, and every other check holds.
EXCLUDED = "positive_data_acceptance"


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(release: Release, tmp_path: Path) -> None:
    settings = {"HILUM_RELEASE": str(release.folder), "HILUM_TRUSTED_KEYS": "", "HILUM_DRAIN_SECONDS": "0"}
    tool = Path(sys.executable).with_name("schemathesis")
    with running(**settings) as target:
        done = subprocess.run(
            [tool, "run", f"{target.url}/openapi.json", "--seed", "20261121", "--max-examples", "8", "--no-color",
             "--checks", "all", "--exclude-checks", EXCLUDED],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    selected = re.search(r"Selected: (\d+)/(\d+)", done.stdout)
    assert selected is not None
    assert int(selected[1]) == int(selected[2]) >= 18


def test_every_call_with_a_body_has_an_example_or_describes_its_form(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert call["summary"]
            assert call.get("description"), path
            for kind, content in call.get("requestBody", {}).get("content", {}).items():
                if kind == "application/json":
                    assert "example" in content or "examples" in content, path
                else:
                    assert content["schema"].get("properties") or content["schema"].get("description"), path


def test_every_refusal_that_is_documented_is_a_problem_document(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    infer = document["paths"]["/v2/models/{name}/infer"]["post"]["responses"]
    assert set(infer) >= {"200", "400", "404", "413", "415", "503"}
    assert "application/problem+json" in infer["400"]["content"]
    predict = document["paths"]["/v1/predict"]["post"]["responses"]
    assert set(predict) >= {"200", "400", "413", "415", "422", "503"}
    assert len(predict["200"]["content"]["application/json"]["examples"]) == 2
