"""What the promoter writes into a bundle, and what the chart makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import yaml

from services.promoter.bundle import read, write
from tests.charts.test_hilum import PRODUCTION
from tests.charts.tools import ROOT, named, objects, template
from tests.services.promoter.site import files

ENVIRONMENTS = ROOT / "argocd/environments"


def rendered(environment: str, folder: Path, **run: float) -> list[dict[str, object]]:
    text = files()[f"argocd/environments/{environment}/bundle.yaml"]
    (folder / "bundle.yaml").write_text(write(text, replace(read(text), **run)), encoding="utf-8")  # type: ignore[arg-type]
    done = template("hilum", ENVIRONMENTS / environment / "values.yaml", folder / "bundle.yaml")
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_canary_runs_pods_and_patients_are_exposed_only_as_the_bundle_says(tmp_path: Path) -> None:
    assert named(rendered("canary", tmp_path), "Rollout", "inference")["spec"]["replicas"] == 0
    assert named(rendered("canary", tmp_path, replicas=1), "Rollout", "inference")["spec"]["replicas"] == 1
    assert "HILUM_EXPOSURE_SHARE" not in json.dumps(rendered("production", tmp_path))
    web = named(rendered("production", tmp_path, exposure=0.05), "Deployment", "web")
    (container,) = web["spec"]["template"]["spec"]["containers"]
    assert {"name": "HILUM_EXPOSURE_SHARE", "value": "0.05"} in container["env"]


def test_each_attempt_is_a_revision_of_its_own_so_that_it_is_analysed_anew(tmp_path: Path) -> None:
    first, again, nobody = (
        named(rendered("staging", tmp_path, attempt=n), "Rollout", "inference")["spec"]["template"] for n in (3, 4, 0)
    )
    assert first["metadata"]["annotations"]["hilum.io/attempt"] == "3"
    assert first != again
    assert "hilum.io/attempt" not in nobody["metadata"]["annotations"]


def test_the_reading_room_gets_its_own_token_of_the_promoter_and_no_other_key_of_its_secret() -> None:
    made = objects(
        "hilum",
        PRODUCTION,
        promoter__enabled="true",
        promoter__git__url="https://git.example.org/hilum.git",
        promoter__secretKeys="{git-token,room-token}",
        networkPolicy__promoter__cidrs="{10.0.0.1/32}",
    )
    pod = named(made, "Deployment", "web")["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "promoter"]
    assert volume["secret"]["items"] == [{"key": "room-token", "path": "room-token"}]
    assert {"name": "HILUM_PROMOTER_URL", "value": "http://promoter:8002"} in pod["containers"][0]["env"]
