"""The operators themselves, for a machine that reaches the Go module proxy and no image registry.

    python -m tests.e2e.operators.operators build [NAME...]     programs out of Go modules, as images of the harness
    python -m tests.e2e.operators.operators install [NAME...]   into namespaces ops-NAME of KUBECONFIG's cluster
    python -m tests.e2e.operators.operators remove [NAME...]

Needs Go, kubectl and helm; `build` needs ../shared/cluster. Each program is the upstream one at the version below:
cert-manager 1.11 is the last whose programs lie in one module; External Secrets is built with the providers `fake` and
`kubernetes` alone. Manifests are those of the modules, in namespaces of ours and with little CPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import helm
from tests.e2e.cluster.kube import ROOT, kubectl, sh

WORK = Path(os.environ.get("OPERATORS_DIR", Path.home() / ".cache" / "hilum" / "operators"))
CLUSTER = ROOT / "../shared/cluster/cluster"
REQUESTS = {"cpu": "5m", "memory": "64Mi"}
EXTERNAL = "github.com/external-secrets/external-secrets"
PROMETHEUS = "github.com/prometheus-operator/prometheus-operator"


# `=` alone is an operator's word in the Prometheus CRDs; YAML 1.1 has a type of its own for it.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


@dataclass(frozen=True)
class Operator:
    """A Go module at a version, its programs (package: image without tag), and the tag of the images."""

    module: str
    version: str
    programs: dict[str, str]
    tag: str
    # Modules that the root replaces by its own folders, published under the same version.
    published: tuple[str, ...] = ()


OPERATORS = {
    "cert-manager": Operator("github.com/cert-manager/cert-manager", "v1.11.5", {
        f"./cmd/{name}": f"quay.io/jetstack/cert-manager-{name}" for name in ("controller", "webhook", "cainjector")
    }, "v1.11.5"),
    "keda": Operator("github.com/kedacore/keda/v2", "v2.20.2", {
        "./cmd/operator": "ghcr.io/kedacore/keda", "./cmd/adapter": "ghcr.io/kedacore/keda-metrics-apiserver",
    }, "2.20.2"),
    "prometheus": Operator(PROMETHEUS, "v0.85.0", {
        "./cmd/operator": "quay.io/prometheus-operator/prometheus-operator",
        "./cmd/prometheus-config-reloader": "quay.io/prometheus-operator/prometheus-config-reloader",
    }, "v0.85.0", (f"{PROMETHEUS}/pkg/apis/monitoring", f"{PROMETHEUS}/pkg/client")),
    "external-secrets": Operator(EXTERNAL, "v0.20.4", {".": "ghcr.io/external-secrets/external-secrets"}, "v0.20.4"),
}  # fmt: skip


def source(name: str) -> Path:
    """A copy of the module that a build may change."""
    operator, place = OPERATORS[name], WORK / name
    if not place.exists():
        told = sh("go", "mod", "download", "-json", f"{operator.module}@{operator.version}", GOFLAGS="-mod=mod")
        shutil.copytree(json.loads(told)["Dir"], place)
        sh("chmod", "-R", "u+w", str(place))
        for module in operator.published:
            edit = [f"-dropreplace={module}", f"-require={module}@{operator.version}"]
            subprocess.run(["go", "mod", "edit", *edit], cwd=place, check=True)
        if name == "external-secrets":
            for kind, names in (("provider", ("fake", "kubernetes")), ("generator", ("fake",))):
                imports = "".join(f'import _ "{EXTERNAL}/pkg/{kind}/{one}"\n' for one in names)
                (place / f"pkg/{kind}/register/register.go").write_text(f"package register\n{imports}", "utf-8")
    return place


def build(name: str) -> None:
    """Compile each program and give it to the harness's node as an image."""
    operator, place = OPERATORS[name], source(name)
    (WORK / "bin").mkdir(parents=True, exist_ok=True)
    for package, image in operator.programs.items():
        program = WORK / "bin" / image.rsplit("/", 1)[1]
        if not program.exists():
            command = ["go", "build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", str(program), package]
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
            subprocess.run(command, cwd=place, check=True, env=environment)
        # One file, where the Prometheus operator expects its reloader.
        folder = WORK / "image" / program.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, folder / program.name)
        path = f"/bin/{program.name}"
        lines = ("FROM scratch", f"COPY {program.name} {path}", "USER 65532:65532", f'ENTRYPOINT ["{path}"]')
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n", "utf-8")
        sh(str(CLUSTER), "image", "build", str(folder), "--tag", f"{image}:{operator.tag}")
        shutil.rmtree(folder)
        print(f"{image}:{operator.tag}", flush=True)


def moved(documents: list[dict[str, Any]], old: str, new: str, operator: Operator) -> Iterator[dict[str, Any]]:
    """Manifests in another namespace, with our images and little CPU."""
    images = {image: f"{image}:{operator.tag}" for image in operator.programs.values()}
    for document in documents:
        if document["kind"] == "Namespace":
            continue
        meta = document["metadata"]
        if meta.get("namespace") == old:
            meta["namespace"] = new
        for subject in document.get("subjects", []):
            subject["namespace"] = new if subject.get("namespace") == old else subject.get("namespace")
        spec = document.get("spec", {})
        if document["kind"] == "APIService" and "service" in spec:
            spec["service"]["namespace"] = new
        if document["kind"] == "Deployment":
            for container in spec["template"]["spec"]["containers"]:
                image = container["image"].split(":")[0]
                container["image"] = images[image]
                container["imagePullPolicy"] = "IfNotPresent"
                container["command"] = [f"/bin/{image.rsplit('/', 1)[1]}"]
                container["resources"] = {"requests": REQUESTS}
        yield document


def apply(documents: list[dict[str, Any]]) -> None:
    """Server-side: CRDs are too large for an annotation."""
    text = yaml.safe_dump_all(documents)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)


def install(name: str) -> None:
    """Apply the module's own manifests in ops-NAME and wait for the Deployments."""
    operator, place, space = OPERATORS[name], source(name), f"ops-{name}"
    kubectl("create", "namespace", space, check=False)
    if name == "cert-manager":
        crds = "---\n".join(path.read_text("utf-8") for path in sorted((place / "deploy/crds").glob("crd-*.yaml")))
        crds = crds.replace('{{ template "cert-manager.name" . }}', name).replace("{{ .Release.Name }}", name)
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=crds)
        chart = place / "deploy/charts/cert-manager"
        (chart / "Chart.yaml").write_text(
            f"apiVersion: v1\nname: {name}\nversion: {operator.tag[1:]}\nappVersion: {operator.tag}\n", "utf-8"
        )
        values = {"global": {"leaderElection": {"namespace": space}}, "startupapicheck": {"enabled": False},
                  "resources": {"requests": REQUESTS}, "webhook": {"resources": {"requests": REQUESTS}},
                  "cainjector": {"resources": {"requests": REQUESTS}}}  # fmt: skip
        _helm(name, space, chart, values)
    elif name == "keda":
        text = kubectl("kustomize", str(place / "config/minimal"))
        apply(list(moved(list(yaml.safe_load_all(text)), "keda", space, operator)))
    elif name == "prometheus":
        text = (place / "bundle.yaml").read_text("utf-8")
        made = list(moved([d for d in yaml.safe_load_all(text) if d], "default", space, operator))
        for document in made:
            if document["kind"] == "Deployment":
                (container,) = document["spec"]["template"]["spec"]["containers"]
                (reloader,) = [i for i in operator.programs.values() if i.endswith("reloader")]
                container["args"] = [a for a in container["args"] if "config-reloader" not in a]
                container["args"].append(f"--prometheus-config-reloader={reloader}:{operator.tag}")
        apply(made)
    else:
        apply([d for d in yaml.safe_load_all((place / "deploy/crds/bundle.yaml").read_text("utf-8")) if d])
        values = {"installCRDs": False, "webhook": {"create": False}, "certController": {"create": False},
                  "image": {"repository": next(iter(operator.programs.values())), "tag": operator.tag},
                  "resources": {"requests": REQUESTS}}  # fmt: skip
        chart = place / "deploy/charts/external-secrets"
        # A vault's own server, which no test needs, would have to be fetched.
        about = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
        about.pop("dependencies", None)
        (chart / "Chart.yaml").write_text(yaml.safe_dump(about), "utf-8")
        (chart / "Chart.lock").unlink(missing_ok=True)
        _helm(name, space, chart, values)
    for deployment in kubectl("-n", space, "get", "deployments", "-o", "name").split():
        kubectl("-n", space, "rollout", "status", deployment, "--timeout=240s")
    print(f"{name} {operator.version} in {space}", flush=True)


def _helm(name: str, space: str, chart: Path, values: dict[str, Any]) -> None:
    file = WORK / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    sh(helm(), "upgrade", "--install", name, str(chart), "--namespace", space, "--values", str(file))


def remove(name: str) -> None:
    """Namespace and CRDs of the operator; objects of its kinds go with them."""
    groups = {"cert-manager": "cert-manager.io", "keda": "keda.sh", "prometheus": "monitoring.coreos.com",
              "external-secrets": "external-secrets.io"}  # fmt: skip
    for crd in kubectl("get", "crd", "-o", "name").split():
        if crd.endswith(groups[name]):
            kubectl("delete", crd, "--timeout=60s", check=False)
    if name in ("cert-manager", "external-secrets"):
        sh(helm(), "uninstall", name, "--namespace", f"ops-{name}", check=False)
    if name == "keda":
        kubectl("delete", "apiservice", "v1beta1.external.metrics.k8s.io", check=False)
    kubectl("delete", "namespace", f"ops-{name}", "--wait=false", check=False)


def main() -> int:
    """One of build, install, remove; for all operators or those named."""
    todo = {"build": build, "install": install, "remove": remove}
    words = sys.argv[1:]
    if not words or words[0] not in todo or not set(words[1:]) <= set(OPERATORS):
        print(__doc__)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    for name in words[1:] or OPERATORS:
        todo[words[0]](name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
