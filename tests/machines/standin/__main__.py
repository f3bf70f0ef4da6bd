"""A stand-in for K3s's binary, which can't be had here: refuses what K3s would not take, runs real Kubernetes.

Real: etcd, API server, controller manager, scheduler, kubelet, kube-proxy, containerd, runc, and each setting handed to
them. Not K3s's: how they are joined (supervisor, tokens, certificates), the overlay (routes in place of WireGuard).
Missing: the agents' own balancer over several servers, scheduled snapshots, the add-ons (Traefik, ServiceLB, CoreDNS,
local-path).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import agent
import server
import snapshot
from files import VERSION, binaries
from settings import Refused, read


def main() -> None:
    """Do as K3s does with its first argument, or with the name it was called by."""
    name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    if name in ("kubectl", "ctr", "crictl"):
        arguments = [name, *arguments]
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command == "--version":
        print(f"k3s version {VERSION} (standin)")
    elif command in ("kubectl", "ctr"):
        os.environ.setdefault("KUBECONFIG", "/etc/rancher/k3s/k3s.yaml")
        os.environ.setdefault("CONTAINERD_ADDRESS", "/run/k3s/containerd/containerd.sock")
        os.execv(binaries() / command, [command, *rest])
    elif command == "server" and not rest:
        server.run(read("server"))
    elif command == "server" and rest[:1] == ["--cluster-reset"] and len(rest) == len(("reset", "path")):
        snapshot.restore(read("server"), Path(rest[1].removeprefix("--cluster-reset-restore-path=")))
    elif command == "agent" and not rest:
        agent.run(read("agent"))
    elif command == "etcd-snapshot":
        snapshot.run(read("server"), rest)
    else:
        raise Refused(f"this stand-in does not know: k3s {' '.join(arguments)}")


if __name__ == "__main__":
    try:
        main()
    except Refused as reason:
        sys.exit(f"k3s: {reason}")
