"""The repository as the cluster's Git server has it: a clone whose bundles name what was just built."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from hilum.release import read_manifest
from tests.e2e.cluster.kube import ROOT, get, sh

ENVIRONMENTS = ("staging", "canary", "production")

# The store's image as the cluster has it.
MINIO = os.environ.get("E2E_MINIO", "docker.io/minio/minio:latest")
# Prometheus alone, with the image that the cluster has; the rest of the chart: python -m tests.e2e.alerts.
PROMETHEUS = os.environ.get("E2E_PROMETHEUS", "docker.io/prom/prometheus:v3.15.0")
MONITORING = f"prometheus: {{image: {PROMETHEUS}, storage: 1Gi}}\n" + "".join(
    f"{part}: {{enabled: false}}\n" for part in ("kubeStateMetrics", "postgresqlExporter", "alertmanager", "grafana")
)


class Tree:
    """A clone in `folder`; `commit` pushes what was changed in it. A folder that is there is gone on with."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self.remote = remote

    def clone(self) -> None:
        """Begin anew: what stands in this checkout's HEAD becomes the Git server's `main`."""
        sh("rm", "-rf", str(self.folder))
        sh("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.folder))
        self._git("checkout", "--quiet", "-B", "main")
        self._git("push", "--quiet", "--force", self.remote, "main")

    @property
    def head(self) -> str:
        """The commit that is pushed."""
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
        return sh("git", "-C", str(self.folder), *who, *arguments)

    def prepare(self, images: dict[str, dict[str, str]]) -> None:
        """Set the repository's address, and publish `images` into every environment."""
        self.change("argocd/root.yaml", r"https://git\.example\.org/hilum\.git", self.remote)
        self.publish(images, *ENVIRONMENTS)
        digest = read_manifest(ROOT / "models/default").digest()
        for environment in ENVIRONMENTS:
            self.change(f"argocd/environments/{environment}/bundle.yaml", r"digest: [0-9a-f]{64}", f"digest: {digest}")
        if os.environ.get("E2E_WITHOUT") == "monitoring":
            self.remove("argocd/root/templates/monitoring.yaml")
        # This site has one modality; its films come from the machine itself.
        self.append(
            "argocd/environments/production/values.yaml",
            "dicom: {enabled: true, peers: {CR1: Ward A}, allowedCIDRs: [172.31.255.0/24, 10.42.0.0/16]}\n",
        )
        self.append("argocd/monitoring/values.yaml", MONITORING)
        self.append("argocd/platform/values.yaml", f"minio: {{image: {MINIO}}}\n")
        self.commit("What this site runs")

    def publish(self, images: dict[str, dict[str, str]], *environments: str) -> None:
        """`make publish` of images into environments, with the chart of the commit that is pushed; no commit yet."""
        (self.folder / "build").mkdir(exist_ok=True)
        built = {"commit": self.head, "images": images}
        (self.folder / "build/images.json").write_text(json.dumps(built), encoding="utf-8")
        for environment in environments:
            sh("python3", str(self.folder / "k8s/publish.py"), environment)

    def change(self, name: str, pattern: str, replacement: str) -> None:
        """Replace in a file; fails where there is nothing to replace."""
        path = self.folder / name
        text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"))
        assert count, f"{name}: nothing like {pattern}"
        path.write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add lines to a file."""
        path = self.folder / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove a file or folder from Git."""
        self._git("rm", "-r", "--quiet", name)

    def commit(self, message: str) -> str:
        """Commit everything and push it."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        self._git("push", "--quiet", self.remote, "main")
        return self.head

    def revert(self) -> None:
        """Take the last commit back by another one."""
        self._git("revert", "--no-edit", "HEAD")
        self._git("push", "--quiet", self.remote, "main")

    def seen_by(self, application: str) -> Callable[[], bool]:
        """Whether ArgoCD runs what is pushed now: an environment's values and bundle, as its Application holds them."""
        environment = application.removeprefix("hilum-")
        files = [self.folder / f"argocd/environments/{environment}" / name for name in ("values.yaml", "bundle.yaml")]
        if not files[0].exists():
            head = self.head
            return lambda: (
                head in json.dumps(get("argocd", "application", application).get("status", {}).get("sync", {}))
            )
        import yaml

        wanted = {
            key: value for file in files for key, value in yaml.safe_load(file.read_text(encoding="utf-8")).items()
        }

        def seen() -> bool:
            found = get("argocd", "application", application)
            given = json.loads(found.get("spec", {}).get("source", {}).get("helm", {}).get("values") or "{}")
            compared = found.get("status", {}).get("sync", {}).get("comparedTo", {}).get("source", {})
            return bool(given == wanted and compared == found["spec"]["source"])

        return seen
