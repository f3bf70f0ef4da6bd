"""The repository as the cluster's Git server has it: a clone whose bundles name what was just built."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hilum.release import read_manifest
from tests.e2e.cluster.kube import ROOT, sh

ENVIRONMENTS = ("staging", "canary", "production")


class Tree:
    """A clone in `folder`; `commit` pushes what was changed in it."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self.remote = remote
        sh("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
        self._git("checkout", "--quiet", "-B", "main")
        self.base = self._git("rev-parse", "HEAD").strip()
        self._git("push", "--quiet", "--force", remote, "main")

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
        return sh("git", "-C", str(self.folder), *who, *arguments)

    def prepare(self, images: dict[str, dict[str, str]]) -> None:
        """Set the repository's address, and publish `images` into every environment."""
        for name in ("argocd/root.yaml",):
            self.change(name, r"https://git\.example\.org/hilum\.git", self.remote)
        (self.folder / "build").mkdir(exist_ok=True)
        built = {"commit": self.base, "images": images}
        (self.folder / "build/images.json").write_text(json.dumps(built), encoding="utf-8")
        digest = read_manifest(ROOT / "models/default").digest()
        for environment in ENVIRONMENTS:
            self.change(f"argocd/environments/{environment}/bundle.yaml", r"digest: [0-9a-f]{64}", f"digest: {digest}")
            sh("python3", str(self.folder / "k8s/publish.py"), environment)
        self.commit("What this site runs")

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

    def commit(self, message: str) -> str:
        """Commit everything and push it."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        self._git("push", "--quiet", self.remote, "main")
        return self._git("rev-parse", "HEAD").strip()

    def revert(self) -> None:
        """Take the last commit back by another one."""
        self._git("revert", "--no-edit", "HEAD")
        self._git("push", "--quiet", self.remote, "main")
