"""K3s's configuration files, and the refusal of everything that K3s would skip or misread."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import yaml

ETC = Path("/etc/rancher/k3s")
TEXT, LIST, FLAG, NUMBER = str, list, bool, int
# Names and kinds as `k3s server --help` and `k3s agent --help` show them; what ansible/ does not use is left out.
NODE: dict[str, type] = {
    "node-name": TEXT,
    "node-ip": TEXT,
    "node-label": LIST,
    "node-taint": LIST,
    "kubelet-arg": LIST,
    "kube-proxy-arg": LIST,
    "protect-kernel-defaults": FLAG,
    "server": TEXT,
    "token-file": TEXT,
}
SERVER: dict[str, type] = NODE | {
    "cluster-init": FLAG,
    "agent-token-file": TEXT,
    "tls-san": LIST,
    "cluster-cidr": TEXT,
    "service-cidr": TEXT,
    "flannel-backend": TEXT,
    "disable": LIST,
    "write-kubeconfig-mode": TEXT,
    "secrets-encryption": FLAG,
    "kube-apiserver-arg": LIST,
    "kube-controller-manager-arg": LIST,
    "kube-scheduler-arg": LIST,
    "etcd-snapshot-schedule-cron": TEXT,
    "etcd-snapshot-retention": NUMBER,
    "etcd-s3": FLAG,
    "etcd-s3-endpoint": TEXT,
    "etcd-s3-region": TEXT,
    "etcd-s3-bucket": TEXT,
    "etcd-s3-folder": TEXT,
    "etcd-s3-insecure": FLAG,
    "etcd-s3-access-key": TEXT,
    "etcd-s3-secret-key": TEXT,
}
CHOICES = {
    "flannel-backend": {"none", "vxlan", "wireguard-native", "host-gw"},
    "disable": {"coredns", "local-storage", "metrics-server", "servicelb", "traefik", "runtimes"},
}


class Refused(Exception):
    """A setting or a file that K3s would not take, or would silently pass by."""


def secret_file(path: str) -> str:
    """The content of a file that nobody but root may read."""
    file = Path(path)
    if not file.is_file():
        raise Refused(f"{path} is not there")
    if file.stat().st_uid or stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise Refused(f"{path} can be read by others than root")
    text = file.read_text(encoding="utf-8").strip()
    if not text:
        raise Refused(f"{path} is empty")
    return text


def merged(files: list[Path]) -> dict[str, Any]:
    """As K3s merges: a later file's key replaces, KEY+ adds to a list."""
    settings: dict[str, Any] = {}
    for file in files:
        for key, value in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items():
            if key.endswith("+"):
                settings[key[:-1]] = [*settings.get(key[:-1], []), *value]
            else:
                settings[key] = value
    return settings


def registries(file: Path) -> None:
    """registries.yaml holds mirrors by name, each with a list of addresses."""
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not set(tree) <= {"mirrors", "configs"}:
        raise Refused(f"{file.name}: K3s knows mirrors and configs, not {sorted(tree)}")
    for name, mirror in (tree.get("mirrors") or {}).items():
        for endpoint in mirror["endpoint"]:
            if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", endpoint):
                raise Refused(f"{file.name}: {endpoint} is no address for {name}")


def read(role: str) -> dict[str, Any]:
    """The settings of `server` or `agent`, each known, of its kind, and with its file there."""
    files = [ETC / "config.yaml", *sorted((ETC / "config.yaml.d").glob("*.yaml"))]
    for file in files:
        secret_file(str(file))
    settings, known = merged(files), SERVER if role == "server" else NODE
    for key, value in settings.items():
        if key not in known:
            raise Refused(f"K3s's {role} has no setting {key}")
        if not isinstance(value, known[key]) or (known[key] is NUMBER and isinstance(value, bool)):
            raise Refused(f"{key} is {value!r}, and should be of the kind {known[key].__name__}")
        if key in CHOICES and not set(value if isinstance(value, list) else [value]) <= CHOICES[key]:
            raise Refused(f"{key} is {value!r}, and K3s knows {sorted(CHOICES[key])}")
    for key in ("token-file", "agent-token-file"):
        if key in settings:
            secret_file(settings[key])
    if role == "agent" and not {"server", "token-file"} <= set(settings):
        raise Refused("an agent needs server and token-file")
    if role == "server" and ("cluster-init" in settings) == ("server" in settings):
        raise Refused("a server begins a cluster (cluster-init) or joins one (server): one of the two")
    if role == "server" and "server" in settings and "token-file" not in settings:
        raise Refused("a server that joins needs token-file")
    if settings.get("etcd-s3"):
        lost = [key for key in SERVER if key.startswith("etcd-s3-") and not settings.get(key) and SERVER[key] is TEXT]
        if set(lost) - {"etcd-s3-region"}:
            raise Refused(f"etcd-s3 is on, and missing: {', '.join(lost)}")
    registries(ETC / "registries.yaml")
    return settings
