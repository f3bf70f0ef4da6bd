#!/usr/bin/env python3
"""make publish ENV=staging: write the digests of build/images.json and the chart's revision into the environment's bundle.

Nothing is committed: the change is shown, and a person or the pipeline commits it. Needs no package beside Python's own, so
that a pipeline can run it anywhere. `make images PUSH=...` comes first.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "argocd" / "environments"
# What of the platform runs on which image; its values name it, no bundle does.
PLATFORM = {"tools": "feedback", "mlflow": "mlflow"}
NO_ENVIRONMENTS = {"mlflow"}


def write(bundle: str, built: dict[str, dict[str, str]], revision: str) -> str:
    """The bundle's text with the digests of `built`, which may lack some images, and the chart as of `revision`."""
    for name, image in built.items():
        if name in NO_ENVIRONMENTS:
            continue
        line = f'{name}: {{repository: {image["repository"]}, digest: "{image["digest"]}"}}'
        bundle, found = re.subn(rf"(?m)^(    ){name}: \{{.*\}}$", rf"\g<1>{line}", bundle)
        if found != 1:
            raise SystemExit(f"the bundle has no line for the image {name}")
    bundle, found = re.subn(r"(?m)^    revision: .*$", f"    revision: {revision}", bundle)
    if found != 1:
        raise SystemExit("the bundle has no line for the chart's revision")
    return bundle


def write_platform(values: str, built: dict[str, dict[str, str]]) -> str:
    """The platform's values with the images of `built` that it runs on."""
    for part, name in PLATFORM.items():
        if name in built:
            image = f"{built[name]['repository']}@{built[name]['digest']}"
            values, found = re.subn(rf"(?m)^({part}:\n  image: ).*$", rf'\g<1>"{image}"', values)
            if found != 1:
                raise SystemExit(f"the platform's values have no image of {part} in the line after `{part}:`")
    return values


def main() -> None:
    """`publish.py ENVIRONMENT`."""
    names = sorted(path.parent.name for path in ENVIRONMENTS.glob("*/bundle.yaml"))
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        raise SystemExit(f"which environment? make publish ENV={'|'.join(names)}")
    built = ROOT / "build" / "images.json"
    if not built.exists():
        raise SystemExit("no build/images.json: first make images PUSH=registry/prefix")
    found = json.loads(built.read_text(encoding="utf-8"))
    path = ENVIRONMENTS / sys.argv[1] / "bundle.yaml"
    path.write_text(write(path.read_text(encoding="utf-8"), found["images"], found["commit"]), encoding="utf-8")
    platform = ROOT / "argocd" / "platform" / "values.yaml"
    platform.write_text(write_platform(platform.read_text(encoding="utf-8"), found["images"]), encoding="utf-8")
    sys.stdout.write(f"wrote {path.relative_to(ROOT)}; commit it, and ArgoCD takes it from there\n")


if __name__ == "__main__":
    main()
