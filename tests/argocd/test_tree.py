"""The GitOps tree: what a person applies, what machines edit, and what may never be lost."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.charts.tools import ROOT, helm, named, template

ENVIRONMENTS = ("canary", "production", "staging")
DIGEST = "sha256:" + "b" * 64
BUILT = {
    name: {"repository": f"mirror.example.org/hilum/{name}", "digest": DIGEST}
    for name in ("inference", "web", "feedback")
}


def publish() -> ModuleType:
    spec = importlib.util.spec_from_file_location("publish", ROOT / "k8s/publish.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def root() -> list[dict[str, Any]]:
    command = [helm(), "template", "root", str(ROOT / "argocd/root"), "--kube-version", "1.34.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def bundle(environment: str) -> Path:
    return ROOT / "argocd/environments" / environment / "bundle.yaml"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_published_bundle_and_the_environments_values_are_what_the_chart_takes(
    environment: str, tmp_path: Path
) -> None:
    written = publish().write(bundle(environment).read_text(encoding="utf-8"), BUILT, "0123abc")
    (tmp_path / "bundle.yaml").write_text(written, encoding="utf-8")
    done = template("hilum", bundle(environment).with_name("values.yaml"), tmp_path / "bundle.yaml")
    assert done.returncode == 0, done.stderr
    assert f"mirror.example.org/hilum/inference@{DIGEST}" in done.stdout
    assert yaml.safe_load(written)["bundle"]["chart"]["revision"] == "0123abc"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_publishing_changes_nothing_but_digests_and_the_revision(environment: str) -> None:
    before = bundle(environment).read_text(encoding="utf-8")
    after = publish().write(before, {"web": BUILT["web"]}, "0123abc")
    changed = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [line.strip().split(":")[0] for line in changed] == ["web", "revision"]
    assert publish().write(after, {"web": BUILT["web"]}, "0123abc") == after


def test_a_bundle_that_lacks_a_line_is_not_written() -> None:
    with pytest.raises(SystemExit, match="no line for the image trainer"):
        publish().write(bundle("staging").read_text(encoding="utf-8"), {"trainer": BUILT["web"]}, "0123abc")


def test_every_bundle_pins_a_release_by_its_digest() -> None:
    for environment in ENVIRONMENTS:
        release = yaml.safe_load(bundle(environment).read_text(encoding="utf-8"))["bundle"]["release"]
        assert re.fullmatch(r"[0-9a-f]{64}", release["digest"]), environment


def test_removing_a_folder_or_an_application_deletes_nothing() -> None:
    made = root()
    policy = named(made, "ApplicationSet", "environments")["spec"]["syncPolicy"]
    assert policy["preserveResourcesOnDeletion"] is True
    assert policy["applicationsSync"] == "create-update"
    platform = named(made, "Application", "platform")["metadata"]
    assert platform["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
    assert "finalizers" not in platform


def test_an_application_with_a_rollout_is_never_applied_server_side() -> None:
    for document in root():
        assert "ServerSideApply" not in yaml.safe_dump(document)


def test_an_environment_reaches_its_own_namespace_alone_and_makes_no_secret() -> None:
    made = root()
    for name in ("staging", "canary", "production"):
        project = named(made, "AppProject", name)["spec"]
        assert [place["namespace"] for place in project["destinations"]] == [f"hilum-{name}"]
        assert project["clusterResourceWhitelist"] == []
        assert {"group": "", "kind": "Secret"} in project["namespaceResourceBlacklist"]


def test_the_database_comes_before_the_environments() -> None:
    made = root()
    wave = named(made, "Application", "platform")["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
    assert int(wave) < 0
    settings = (ROOT / "k8s/argo/argocd/settings.yaml").read_text(encoding="utf-8")
    assert "resource.customizations.health.argoproj.io_Application" in settings


def test_the_repositorys_address_stands_in_one_file() -> None:
    address = yaml.safe_load((ROOT / "argocd/root.yaml").read_text(encoding="utf-8"))["spec"]["source"]["repoURL"]
    holders = [p for p in (ROOT / "argocd").rglob("*.yaml") if address in p.read_text(encoding="utf-8")]
    assert sorted(p.relative_to(ROOT / "argocd").as_posix() for p in holders) == ["root.yaml", "root/values.yaml"]


def test_publishing_writes_the_platforms_two_images_each_in_its_place() -> None:
    before = (ROOT / "argocd/platform/values.yaml").read_text(encoding="utf-8")
    built = {
        name: {"repository": f"registry/{name}", "digest": f"sha256:{name[0] * 64}"} for name in ("feedback", "mlflow")
    }
    after = yaml.safe_load(publish().write_platform(before, built))
    assert after["tools"]["image"] == f"registry/feedback@sha256:{'f' * 64}"
    assert after["mlflow"]["image"] == f"registry/mlflow@sha256:{'m' * 64}"
    with pytest.raises(SystemExit, match="no image of mlflow"):
        publish().write_platform("tools:\n  image: x\n", built)


def test_a_commit_that_fails_does_not_hold_up_its_correction() -> None:
    """A sync is tried again with the values that failed, and nothing else is taken meanwhile (seen)."""
    made = root()
    policy = named(made, "ApplicationSet", "environments")["spec"]["template"]["spec"]["syncPolicy"]
    assert 0 < policy["retry"]["limit"] <= 5
    # These follow Git itself: a try again takes what Git says by then.
    for found in (
        named(made, "Application", "platform"),
        yaml.safe_load((ROOT / "argocd/root.yaml").read_text("utf-8")),
    ):
        assert found["spec"]["syncPolicy"]["retry"]["refresh"] is True


def test_canarys_pods_come_and_go_by_commits_alone() -> None:
    """Argo CD applies nothing that it is told to ignore: with a Rollout's replicas ignored canary never ran a pod."""
    ignored = named(root(), "ApplicationSet", "environments")["spec"]["template"]["spec"]["ignoreDifferences"]
    assert not [each for each in ignored if each["kind"] == "Rollout"]
