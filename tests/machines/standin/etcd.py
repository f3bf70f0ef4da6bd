"""etcd by its HTTP gateway: who is a member, who may become one, and single keys."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from files import binaries
from settings import Refused

CLIENT = "http://127.0.0.1:2379"


def command(data: Path, name: str, peer: str, *further: str) -> list[str | Path]:
    """etcd's own command: clients come from this machine alone, members from the servers' network."""
    own = ["--listen-client-urls", CLIENT, "--advertise-client-urls", CLIENT, "--listen-peer-urls", peer]
    own += ["--initial-advertise-peer-urls", peer, "--log-level", "warn"]
    return [binaries() / "hyperkube", "etcd", "--name", name, "--data-dir", data, *own, *further]


def ask(path: str, **tree: Any) -> dict[str, Any]:
    """One call of etcd on this machine; RuntimeError with its words when it refuses."""
    asked = urllib.request.Request(f"{CLIENT}/v3/{path}", json.dumps(tree).encode(), method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=20) as reply:
            found: dict[str, Any] = json.loads(reply.read())
    except urllib.error.HTTPError as reason:
        raise RuntimeError(f"etcd {path}: {reason.read().decode()[:200]}") from reason
    return found


def put(key: str, value: bytes) -> None:
    """Write one key."""
    ask("kv/put", key=base64.b64encode(key.encode()).decode(), value=base64.b64encode(value).decode())


def get(key: str) -> bytes | None:
    """Read one key, by agreement of the members: a learner can't."""
    found = ask("kv/range", key=base64.b64encode(key.encode()).decode()).get("kvs", [])
    return base64.b64decode(found[0]["value"]) if found else None


def votes() -> bool:
    """Whether this machine's etcd answers as a full member."""
    get("nothing")
    return True


def admit(name: str, peer: str) -> str:
    """Let a new server in as a learner, as K3s does; the --initial-cluster that it needs."""
    there = ask("cluster/member/list")["members"]
    if any(member.get("name") == name for member in there):
        raise Refused(f"duplicate node name: etcd has a member {name}; delete its node first")
    # One that was let in and never came keeps its place.
    if not any(peer in member["peerURLs"] for member in there):
        there = ask("cluster/member/add", peerURLs=[peer], isLearner=True)["members"]
    return ",".join(f"{member.get('name') or name}={url}" for member in there for url in member["peerURLs"])


def settle(nodes: set[str], known: set[str]) -> None:
    """Learners that have caught up get their vote; a member whose node was deleted goes, as with K3s."""
    for member in ask("cluster/member/list")["members"]:
        name = member.get("name", "")
        if name in known and name not in nodes:
            ask("cluster/member/remove", ID=member["ID"])
        elif member.get("isLearner") and name:
            try:
                ask("cluster/member/promote", ID=member["ID"])
            except RuntimeError as reason:
                if "in sync" not in str(reason):
                    raise
    known &= nodes
    known |= nodes
