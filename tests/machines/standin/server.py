"""`k3s server`: etcd, the API with the settings given, controllers, scheduler, then this machine as a node."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import agent
import bootstrap
import etcd
import pki
import supervisor
from files import SERVER, TLS, VERSION, binaries
from parts import Children, notify, say, start, wait, watch
from settings import ETC, secret_file

API = f"https://127.0.0.1:{supervisor.API_PORT}"
KUBECONFIG = ETC / "k3s.yaml"
MEMBER = SERVER / "db/etcd/member"


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """kubectl as the administrator."""
    return subprocess.run(
        [str(binaries() / "kubectl"), "--kubeconfig", str(KUBECONFIG), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def certificates(settings: dict[str, Any]) -> None:
    """Authorities once, certificates anew."""
    pki.authority("server-ca")
    pki.authority("front-proxy-ca")
    names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ]
    names = [*names, "k3s-supervisor", settings["node-name"]]
    addresses = ["127.0.0.1", "10.43.0.1", settings["node-ip"]]
    for given in settings.get("tls-san", []):
        (addresses if given.replace(".", "").isdigit() else names).append(given)
    sans = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in dict.fromkeys(addresses))])
    pki.certify(TLS, "serving", "/CN=kube-apiserver", sans)
    pki.certify(TLS, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    pki.certify(TLS, "front-proxy", "/CN=front-proxy-client", signer="front-proxy-ca")
    if not (TLS / "service.key").exists():
        pki.openssl("genrsa", "-out", TLS / "service.key", "2048")
        pki.openssl("rsa", "-in", TLS / "service.key", "-pubout", "-out", TLS / "service.pub")
    for name, subject, path in (
        ("admin", "/O=system:masters/CN=system:admin", KUBECONFIG),
        ("controller-manager", "/CN=system:kube-controller-manager", TLS / "controller-manager.kubeconfig"),
        ("scheduler", "/CN=system:kube-scheduler", TLS / "scheduler.kubeconfig"),
    ):
        pki.certify(TLS, name, subject)
        address = "https://127.0.0.1:6443" if name == "admin" else API
        files = [(TLS / file).read_bytes() for file in ("server-ca.crt", f"{name}.crt", f"{name}.key")]
        pki.kubeconfig(path, address, *files)
    KUBECONFIG.chmod(int(settings.get("write-kubeconfig-mode", "0600"), 8))


def encryption() -> Path:
    """The key that encrypts Secrets in etcd, made once."""
    path = bootstrap.ENCRYPTION
    if not path.exists():
        key = {"name": "aescbckey", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
        providers = [{"aescbc": {"keys": [key]}}, {"identity": {}}]
        tree = {
            "kind": "EncryptionConfiguration",
            "apiVersion": "apiserver.config.k8s.io/v1",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def control_plane(children: Children, settings: dict[str, Any], among: str) -> None:
    """etcd (AMONG: the members that a new server joins), the API server, then what needs it."""
    hyperkube = binaries() / "hyperkube"
    (SERVER / "logs").mkdir(parents=True, exist_ok=True)
    name, peer = settings["node-name"], f"http://{settings['node-ip']}:2380"
    # What an existing member already knows is not read again.
    begins = ["--initial-cluster", among or f"{name}={peer}", "--initial-cluster-state", "existing" if among else "new"]
    start(children, "etcd", *etcd.command(MEMBER.parent, name, peer, *begins))
    wait("etcd, as a member with a vote", etcd.votes, children)
    encrypted = [f"--encryption-provider-config={encryption()}"] if settings.get("secrets-encryption") else []
    start(
        children,
        "kube-apiserver",
        hyperkube,
        "kube-apiserver",
        f"--etcd-servers={etcd.CLIENT}",
        f"--secure-port={supervisor.API_PORT}",
        f"--advertise-address={settings['node-ip']}",
        f"--service-cluster-ip-range={settings['service-cidr']}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--anonymous-auth=false",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={TLS}/server-ca.crt",
        f"--tls-cert-file={TLS}/serving.crt",
        f"--tls-private-key-file={TLS}/serving.key",
        f"--kubelet-certificate-authority={TLS}/server-ca.crt",
        f"--kubelet-client-certificate={TLS}/kubelet-client.crt",
        f"--kubelet-client-key={TLS}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={TLS}/service.pub",
        f"--service-account-signing-key-file={TLS}/service.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--requestheader-client-ca-file={TLS}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={TLS}/front-proxy.crt",
        f"--proxy-client-key-file={TLS}/front-proxy.key",
        *encrypted,
        *flags(settings, "kube-apiserver-arg"),
    )
    wait("the API server", _ready, children)
    for name, further in (
        (
            "controller-manager",
            [
                "--controllers=*,tokencleaner",
                f"--root-ca-file={TLS}/server-ca.crt",
                f"--service-account-private-key-file={TLS}/service.key",
                "--use-service-account-credentials=true",
                "--allocate-node-cidrs=true",
                f"--cluster-cidr={settings['cluster-cidr']}",
                f"--service-cluster-ip-range={settings['service-cidr']}",
                *flags(settings, "kube-controller-manager-arg"),
            ],
        ),
        ("scheduler", flags(settings, "kube-scheduler-arg")),
    ):
        own = TLS / f"{name}.kubeconfig"
        start(
            children,
            f"kube-{name}",
            hyperkube,
            f"kube-{name}",
            f"--kubeconfig={own}",
            f"--authentication-kubeconfig={own}",
            f"--authorization-kubeconfig={own}",
            "--leader-elect=true",
            *further,
        )


def _ready() -> bool:
    done = kubectl("--server", API, "get", "--raw", "/readyz")
    if done.stdout != "ok":
        raise RuntimeError(done.stderr.strip()[-200:])
    return True


def flags(settings: dict[str, Any], key: str) -> list[str]:
    """Further flags of one part, as given in KEY."""
    return [f"--{value}" for value in settings.get(key, [])]


def manifests(seen: dict[Path, int]) -> None:
    """Apply what lies in the folder of manifests, and again when it changes."""
    for path in sorted((SERVER / "manifests").glob("*.yaml")):
        changed = path.stat().st_mtime_ns
        if seen.get(path) != changed:
            done = kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
            say(f"{path.name}: {(done.stdout + done.stderr).strip()}")
            if done.returncode == 0:
                seen[path] = changed


def join(settings: dict[str, Any]) -> str:
    """Ask a server for the cluster's authorities and a place in etcd; who is in it."""
    token = secret_file(settings["token-file"])
    asked = agent.introduction(settings) | {"agents": secret_file(settings["agent-token-file"])}
    found = agent.persist("/server", asked, urlsplit(settings["server"]).hostname or "", token, {})
    among = found.pop("among")
    bootstrap.unpack(found, bootstrap.password_in(token))
    return among


def run(settings: dict[str, Any]) -> None:
    """Stay until systemd says so."""
    (SERVER / "manifests").mkdir(parents=True, exist_ok=True)
    # A member of etcd goes on as one, whatever it joined once.
    among = join(settings) if "server" in settings and not MEMBER.exists() else ""
    certificates(settings)
    encryption()
    supervisor.write_tokens(secret_file(settings["agent-token-file"]))
    children: Children = {}
    control_plane(children, settings, among)
    bootstrap.keep()
    supervisor.serve()
    # K3s says so before its own node is ready, else nobody could mend what keeps the node away.
    notify()
    token = (SERVER / "token").read_text(encoding="utf-8").strip()
    every = agent.start_node(children, settings, "127.0.0.1", token)
    kubectl("label", "node", settings["node-name"], "node-role.kubernetes.io/control-plane=true", "--overwrite")
    say(f"{VERSION} is up")
    seen: dict[Path, int] = {}
    known: set[str] = set()
    watch(children, [*every, lambda: manifests(seen), lambda: etcd.settle(agent.names(), known)])
