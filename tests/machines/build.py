"""The stand-in as one file, as K3s is: a script and binaries. Two versions of it differ in their number alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import yaml

from tests.machines.machines import STATE

HERE = Path(__file__).resolve().parent
CLUSTER = Path.home() / ".cache/cluster/bin"
# The version that hyperkube holds; etcdutl() builds it from its Go module.
ETCDUTL, ETCDUTL_MODULE = STATE / "etcdutl/etcdutl", "go.etcd.io/etcd/etcdutl/v3"
CNI = Path("/usr/lib/cni")


def kubectl() -> Path:
    """Google's package puts a dispatcher before the real ones: the newest of those."""
    command = Path(shutil.which("kubectl") or "/usr/bin/kubectl").resolve()
    return max(command.parent.glob("kubectl.1.*"), default=command)


# Where each binary is on a machine on which `../shared/cluster/cluster up` ran once.
SOURCES = {
    "hyperkube": CLUSTER / "hyperkube",
    "etcdutl": ETCDUTL,
    "kubectl": kubectl(),
    "containerd": Path("/usr/bin/containerd"),
    "containerd-shim-runc-v2": Path("/usr/bin/containerd-shim-runc-v2"),
    "ctr": Path("/usr/bin/ctr"),
    "runc": Path("/usr/sbin/runc"),
    **{name: CNI / name for name in ("bridge", "host-local", "loopback", "portmap")},
}


def missing() -> list[str]:
    """What this machine lacks."""
    needed = [*SOURCES.values(), CLUSTER / "pause"]
    return [str(path) for path in needed if not path.exists() and path != ETCDUTL]


def etcdutl() -> None:
    """Build what restores a snapshot, once (about 90 s); `go install MODULE@VERSION` refuses a go.mod that replaces."""
    if ETCDUTL.exists():
        return
    if not shutil.which("go"):
        raise SystemExit("go is not here: it builds etcdutl, which puts a snapshot back")
    folder = ETCDUTL.parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module hilum/etcdutl\n", encoding="utf-8")
    environment = os.environ | {"GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    for command in (["get", f"{ETCDUTL_MODULE}@v3.6.4"], ["install", "-trimpath", "-ldflags=-s", ETCDUTL_MODULE]):
        subprocess.run(["go", *command], cwd=folder, env=environment, check=True)


def standin(path: Path, version: str) -> str:
    """Write the binary; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for module in sorted((HERE / "standin").glob("*.py")):
                archive.write(module, module.name)
            for module in sorted(Path(yaml.__file__).parent.glob("*.py")):
                archive.write(module, f"yaml/{module.name}")
            # With a fixed date, so that the same stand-in has the same checksum.
            archive.writestr(zipfile.ZipInfo("VERSION"), version)
            archive.writestr(zipfile.ZipInfo("DIGEST"), hashlib.sha256(version.encode()).hexdigest())
            for name, source in SOURCES.items():
                archive.write(source.resolve(), f"bin/{name}")
    path.chmod(0o755)
    with path.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").hexdigest()


def images(path: Path) -> None:
    """An archive of images with one that waits, under the name of K3s's own."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        info = tarfile.TarInfo("pause")
        data = (CLUSTER / "pause").read_bytes()
        info.size, info.mode = len(data), 0o755
        files.addfile(info, io.BytesIO(data))
    blob = layer.getvalue()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}"]}
    settings = {"User": "65535", "Entrypoint": ["/pause"]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": settings}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["docker.io/rancher/mirrored-pause:3.6"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as out:
        for member, content in ((name, config), ("layer.tar", blob), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
