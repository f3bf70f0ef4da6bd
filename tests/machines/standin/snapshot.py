"""`k3s etcd-snapshot save`: etcd's own snapshot, from its HTTP gateway, onto the disk; and the way back."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from files import SERVER, binaries
from settings import Refused


def run(arguments: list[str]) -> None:
    """save [--name NAME]"""
    if arguments[:1] != ["save"] or len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--name"):
        raise Refused(f"this stand-in knows `etcd-snapshot save [--name NAME]`, not {' '.join(arguments)}")
    name = arguments[2] if len(arguments) == 3 else "on-demand"
    asked = urllib.request.Request("http://127.0.0.1:2379/v3/maintenance/snapshot", data=b"{}", method="POST")
    with urllib.request.urlopen(asked, timeout=120) as reply:
        data = b"".join(base64.b64decode(json.loads(line)["result"].get("blob", "")) for line in reply if line.strip())
    # The last 32 bytes are the checksum of those before.
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise Refused("etcd's snapshot came broken")
    folder = SERVER / "db/snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{socket.gethostname()}-{int(time.time())}"
    path.touch(mode=0o600)
    path.write_bytes(data)
    print(f"Snapshot {path.name} saved, {len(data)} bytes: {path}")


def restore(settings: dict[str, Any], path: Path) -> None:
    """`k3s server --cluster-reset`: etcd begins anew from a snapshot; its old state is kept aside, as K3s does."""
    folder = SERVER / "db/etcd"
    fresh = SERVER / "db/etcd-restored"
    shutil.rmtree(fresh, ignore_errors=True)
    name = settings["node-name"]
    peer = "http://127.0.0.1:2380"
    command = [
        str(binaries() / "etcdutl"),
        "snapshot",
        "restore",
        str(path),
        "--data-dir",
        str(fresh),
        "--name",
        name,
        "--initial-cluster",
        f"{name}={peer}",
        "--initial-advertise-peer-urls",
        peer,
        # Watchers must not believe that what they remember is newer.
        "--bump-revision",
        "1000000000",
        "--mark-compacted",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{path} can't be restored: {done.stderr.strip()[-500:]}")
    if folder.exists():
        folder.rename(SERVER / f"db/etcd-old-{int(time.time())}")
    fresh.rename(folder)
    print(f"restored {path}; start K3s")
