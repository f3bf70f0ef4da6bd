"""Write tests/charts/schemas.json.xz: the API of the cluster of KUBECONFIG, for the kinds that the charts make.

    python -m tests.charts.make_schemas

Strict: an object's properties are those of the API and no others, so that a misspelt field is found without a cluster.
"""

from __future__ import annotations

import json
import lzma
import subprocess
from pathlib import Path
from typing import Any

from tests.charts.tools import ci_values, objects

PLACE = Path(__file__).with_name("schemas.json.xz")
# Descriptions are most of the text, and no rule.
DROPPED = {"description", "title", "example", "default", "format"}


def _kubectl(*arguments: str) -> Any:
    return json.loads(subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=True).stdout)


def strict(node: Any) -> Any:
    """The schema without prose, with no properties but the named."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: strict(value) for key, value in node.items() if key not in DROPPED or not isinstance(value, str | int)}
    kept = {key: value for key, value in kept.items() if not key.startswith("x-kubernetes-") or key.endswith("-fields")}
    if node.get("x-kubernetes-int-or-string"):
        kept = {"type": ["integer", "string"]}
    if isinstance(kept.get("properties"), dict) and "additionalProperties" not in kept:
        kept["additionalProperties"] = False
    return kept


def main() -> None:
    """Ask the cluster, and write."""
    wanted = {
        (made["apiVersion"], made["kind"])
        for chart in ("hilum", "monitoring", "platform")
        for values in ci_values(chart)
        for made in objects(chart, values)
    }
    api = _kubectl("get", "--raw", "/openapi/v2")["definitions"]
    tops: dict[str, Any] = {}
    for name, definition in api.items():
        for group in definition.get("x-kubernetes-group-version-kind", []):
            version = "/".join(part for part in (group["group"], group["version"]) if part)
            if (version, group["kind"]) in wanted:
                tops[f"{version} {group['kind']}"] = {"$ref": f"#/definitions/{name}"}
    for crd in _kubectl("get", "crd", "-o", "json")["items"]:
        for version in crd["spec"]["versions"]:
            key = f"{crd['spec']['group']}/{version['name']} {crd['spec']['names']['kind']}"
            if tuple(key.split(" ")) in wanted:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                tops[key] = schema
    needed: dict[str, Any] = {}

    def follow(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                follow(item)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/definitions/"):
                name = reference.removeprefix("#/definitions/")
                if name not in needed:
                    needed[name] = strict(api[name])
                    follow(needed[name])
            for value in node.values():
                follow(value)

    follow(tops)
    for name in ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity"):
        needed[name] = {"type": ["integer", "number", "string"]}
    text = json.dumps({"kinds": tops, "definitions": needed}, sort_keys=True, separators=(",", ":"))
    PLACE.write_bytes(lzma.compress(text.encode()))
    print(f"{len(tops)} kinds; not on this cluster: {sorted(wanted - {tuple(key.split(' ')) for key in tops})}")


if __name__ == "__main__":
    main()
