"""Where a run comes from: packages, Python, commit. No path, no URL and no name of a machine."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment() -> str:
    """Python's version and every package as `name==version`: `pip freeze` without where a package came from."""
    pins = {(d.metadata["Name"] or "").lower(): d.version for d in distributions() if d.metadata["Name"]}
    lines = [f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in sorted(pins.items()))]) + "\n"


def git_facts(root: Path = ROOT) -> dict[str, str]:
    """The commit, and whether tracked files differ from it ("unknown" outside a checkout)."""
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": commit or "unknown",
        "dirty": "unknown" if changed is None else str(bool(changed)).lower(),
    }


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
