"""`k3s agent`, and the node half of `k3s server`: certificates by token, containerd, kubelet, kube-proxy, routes."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pki
from files import AGENT, VERSION, binaries
from parts import Children, say, start, wait, watch, watch_once
from settings import Refused, secret_file

SOCKET = "/run/k3s/containerd/containerd.sock"
PROXY = AGENT / "kube-proxy.kubeconfig"


class ToSupervisor(http.client.HTTPSConnection):
    """A connection that names the supervisor in its handshake."""

    def connect(self) -> None:
        """To 6443, for the supervisor instead of the API."""
        plain = socket.create_connection((self.host, self.port), timeout=60)
        self.sock = ssl._create_unverified_context().wrap_socket(plain, server_hostname="k3s-supervisor")


def password() -> str:
    """This machine's own, so that no other can come under its name."""
    path = Path("/etc/rancher/node/password")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def introduction(settings: dict[str, Any]) -> dict[str, str]:
    """Who asks."""
    return {"name": settings["node-name"], "ip": settings["node-ip"], "password": password()}


def ask(path: str, asked: dict[str, str], host: str, token: str) -> dict[str, str]:
    """What a server gives to who shows a token; Refused where it says no, another error where it is not there yet."""
    link = ToSupervisor(host, 6443)
    link.request("POST", path, json.dumps(asked), {"Authorization": token})
    reply = link.getresponse()
    found: dict[str, str] = json.loads(reply.read())
    if reply.status in (401, 403):
        raise Refused(found["reason"])
    if reply.status != 200:
        raise RuntimeError(found["reason"])
    authority = found["server-ca.crt" if path == "/server" else "ca.crt"]
    if hashlib.sha256(authority.encode()).hexdigest() != token.removeprefix("K10").split("::")[0]:
        raise Refused(f"token CA hash does not match the Cluster CA certificate hash of {host}")
    return found


def persist(path: str, asked: dict[str, str], host: str, token: str, children: Children) -> dict[str, str]:
    """Ask until it is given, as K3s does: whoever mends the reason need not restart anything."""
    end = time.monotonic() + 300
    while True:
        try:
            return ask(path, asked, host, token)
        except Refused as reason:
            say(str(reason))
            time.sleep(5)
        except (OSError, RuntimeError, ValueError) as reason:
            if time.monotonic() > end:
                raise Refused(f"no server at {host}: {reason}") from reason
            time.sleep(1)
        watch_once(children)


def run_containerd(children: Children) -> None:
    """containerd as K3s sets it up, and the images that lie in the folder."""
    root = AGENT / "containerd"
    (AGENT / "etc/cni/net.d").mkdir(parents=True, exist_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    (AGENT / "etc/containerd.toml").write_text(
        f"""version = 2
root = "{root}"
state = "/run/k3s/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/rancher/mirrored-pause:3.6"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{binaries()}"
  conf_dir = "{AGENT}/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
""",
        encoding="utf-8",
    )
    start(children, "containerd", binaries() / "containerd", "--config", AGENT / "etc/containerd.toml")
    ctr = [str(binaries() / "ctr"), "--address", SOCKET, "--namespace", "k8s.io"]

    def answers() -> bool:
        return subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode == 0

    wait("containerd", answers, children)
    for archive in sorted((AGENT / "images").glob("*.tar")):
        done = subprocess.run([*ctr, "images", "import", str(archive)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(f"{archive} is no archive of images: {done.stderr.strip()}")


def run_kubelet(children: Children, settings: dict[str, Any], found: dict[str, str], host: str) -> None:
    """The kubelet with the settings given."""
    tls = AGENT / "tls"
    tls.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (tls / name).touch(mode=0o600)
        (tls / name).write_text(text, encoding="utf-8")
    for name, path in (("kubelet", AGENT / "kubelet.kubeconfig"), ("kube-proxy", PROXY)):
        files = [found[file].encode() for file in ("ca.crt", f"{name}.crt", f"{name}.key")]
        pki.kubeconfig(path, f"https://{host}:6443", *files)
    resolv = Path("/etc/resolv.conf")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": ["10.43.0.10"],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolv) if resolv.exists() else "",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "x509": {"clientCAFile": f"{tls}/ca.crt"},
            "webhook": {"enabled": True},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{tls}/kubelet.crt",
        "tlsPrivateKeyFile": f"{tls}/kubelet.key",
        "readOnlyPort": 0,
        "protectKernelDefaults": settings.get("protect-kernel-defaults", False),
        "nodeStatusUpdateFrequency": "4s",
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }
    (AGENT / "kubelet.json").write_text(json.dumps(config), encoding="utf-8")
    start(
        children,
        "kubelet",
        binaries() / "hyperkube",
        "kubelet",
        f"--version={VERSION}",
        f"--config={AGENT}/kubelet.json",
        f"--kubeconfig={AGENT}/kubelet.kubeconfig",
        f"--hostname-override={settings['node-name']}",
        f"--node-ip={settings['node-ip']}",
        f"--node-labels={','.join(settings.get('node-label', []))}",
        f"--register-with-taints={','.join(settings.get('node-taint', []))}",
        *(f"--{value}" for value in settings.get("kubelet-arg", [])),
    )


def nodes() -> list[dict[str, Any]]:
    """All nodes, as kube-proxy may see them."""
    command = [str(binaries() / "kubectl"), "--kubeconfig", str(PROXY), "get", "nodes", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found


def names() -> set[str]:
    """Of all nodes."""
    return {str(node["metadata"]["name"]) for node in nodes()}


def own_pods(name: str) -> str:
    """This node's network of pods; empty until the controller has given it one."""
    return next((str(node["spec"].get("podCIDR", "")) for node in nodes() if node["metadata"]["name"] == name), "")


def write_network(cidr: str) -> None:
    """The network plugin's configuration: a bridge."""
    ipam = {"type": "host-local", "ranges": [[{"subnet": cidr}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": ipam}
    tree = {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    (AGENT / "etc/cni/net.d/10-pods.conflist").write_text(json.dumps(tree), encoding="utf-8")


def routes(own: str) -> None:
    """A route to each other node's pods. K3s's overlay would encrypt what goes there; this does not."""
    for node in nodes():
        cidr = node["spec"].get("podCIDR")
        address = next(item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP")
        if cidr and node["metadata"]["name"] != own:
            subprocess.run(["ip", "route", "replace", cidr, "via", address], check=False, capture_output=True)


def start_node(children: Children, settings: dict[str, Any], host: str, token: str) -> list[Callable[[], None]]:
    """Make this machine a node. Returns what is to be called again and again."""
    found = persist("/node", introduction(settings), host, token, children)
    run_containerd(children)
    run_kubelet(children, settings, found, host)
    name = settings["node-name"]
    wait("the network of this node's pods", lambda: bool(own_pods(name)), children)
    write_network(own_pods(name))
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": "10.42.0.0/16",
        "hostnameOverride": name,
        "clientConnection": {"kubeconfig": str(PROXY)},
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }
    (AGENT / "kube-proxy.json").write_text(json.dumps(proxy), encoding="utf-8")
    start(children, "kube-proxy", binaries() / "hyperkube", "kube-proxy", f"--config={AGENT}/kube-proxy.json")
    return [lambda: routes(name)]


def run(settings: dict[str, Any]) -> None:
    """Stay until systemd says so."""
    children: Children = {}
    host = urlsplit(settings["server"]).hostname or ""
    every = start_node(children, settings, host, secret_file(settings["token-file"]))
    say(f"{VERSION} is up")
    watch(children, every)
