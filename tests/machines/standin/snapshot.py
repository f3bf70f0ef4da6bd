"""`k3s etcd-snapshot save`: etcd's own snapshot onto the disk and into the bucket; and the way back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import bootstrap
import bucket
import etcd
from files import SERVER, binaries
from parts import Children, start, stop, wait
from settings import Refused

FOLDER = SERVER / "db/snapshots"


def run(settings: dict[str, Any], arguments: list[str]) -> None:
    """save [--name NAME]"""
    if arguments[:1] != ["save"] or len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--name"):
        raise Refused(f"this stand-in knows `etcd-snapshot save [--name NAME]`, not {' '.join(arguments)}")
    name = arguments[2] if len(arguments) == 3 else "on-demand"
    asked = urllib.request.Request(f"{etcd.CLIENT}/v3/maintenance/snapshot", data=b"{}", method="POST")
    with urllib.request.urlopen(asked, timeout=120) as reply:
        data = b"".join(base64.b64decode(json.loads(line)["result"].get("blob", "")) for line in reply if line.strip())
    # The last 32 bytes are the checksum of those before.
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise Refused("etcd's snapshot came broken")
    path = FOLDER / f"{name}-{socket.gethostname()}-{int(time.time())}"
    _write(path, data)
    print(f"Snapshot {path.name} saved, {len(data)} bytes: {path}")
    if settings.get("etcd-s3"):
        bucket.call(settings, "PUT", path.name, data)
        print(f"Snapshot {path.name} saved in the bucket {settings['etcd-s3-bucket']}/{settings['etcd-s3-folder']}")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)


def restore(settings: dict[str, Any], path: Path) -> None:
    """`k3s server --cluster-reset`: etcd begins anew from a snapshot; its old state is kept aside, as K3s does."""
    if "server" in settings:
        # K3s's own words.
        raise Refused(
            "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting"
        )
    if not path.is_absolute() and settings.get("etcd-s3"):
        _write(FOLDER / path, bucket.call(settings, "GET", str(path)))
        path = FOLDER / path
    password = bootstrap.password_in(os.environ.get("K3S_TOKEN", ""))
    password = password or bootstrap.PASSWORD.read_text(encoding="utf-8")
    folder, fresh = SERVER / "db/etcd", SERVER / "db/etcd-restored"
    shutil.rmtree(fresh, ignore_errors=True)
    name, peer = settings["node-name"], f"http://{settings['node-ip']}:2380"
    command = [str(binaries() / "etcdutl"), "snapshot", "restore", str(path), "--data-dir", str(fresh)]
    command += ["--name", name, "--initial-cluster", f"{name}={peer}", "--initial-advertise-peer-urls", peer]
    # Watchers must not believe that what they remember is newer.
    command += ["--bump-revision", "1000000000", "--mark-compacted"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{path} can't be restored: {done.stderr.strip()[-500:]}")
    _use(fresh, name, peer, password)
    if folder.exists():
        folder.rename(SERVER / f"db/etcd-old-{int(time.time())}")
    fresh.rename(folder)
    print(f"restored {path}; start K3s")


def _use(data: Path, name: str, peer: str, password: str) -> None:
    """Start etcd on the restored state for as long as it takes to read the cluster's authorities out of it."""
    children: Children = {}
    start(children, "etcd", *etcd.command(data, name, peer))
    try:
        wait("the restored etcd", etcd.votes, children)
        bootstrap.fetch(password)
    finally:
        stop(children)
