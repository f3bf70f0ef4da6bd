"""What nodes ask of a server on 6443 before they have certificates, on the same port as the API, as in K3s."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.server
import json
import secrets
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import bootstrap
import etcd
import pki
from files import SERVER, TLS, binaries
from settings import Refused

# Nodes name it in the TLS handshake; whoever doesn't is for the API server.
NAME = b"k3s-supervisor"
API_PORT, OWN_PORT = 6444, 6445


def fingerprint() -> str:
    """Of the cluster's authority; it stands in each token, so that a node knows whom it talks to."""
    return hashlib.sha256((TLS / "server-ca.crt").read_bytes()).hexdigest()


def write_tokens(agent_secret: str) -> None:
    """The servers' token, made once, and the agents'."""
    folder = SERVER / "cred"
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "server-password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16), encoding="utf-8")
    for name, user, value in (
        ("token", "server", password.read_text(encoding="utf-8")),
        ("agent-token", "node", agent_secret),
    ):
        path = SERVER / name
        path.touch(mode=0o600)
        path.write_text(f"K10{fingerprint()}::{user}:{value}\n", encoding="utf-8")


def _kubectl(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binaries() / "kubectl"), "--kubeconfig", "/etc/rancher/k3s/k3s.yaml", "-n", "kube-system", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def _known(name: str, password: str) -> bool:
    """Whether the node has the password it had the first time; kept as a Secret, as K3s does."""
    digest = hashlib.sha256(f"{name}:{password}".encode()).hexdigest()
    secret = f"{name}.node-password.k3s"
    found = _kubectl("get", "secret", secret, "--ignore-not-found", "-o", "jsonpath={.data.hash}")
    if found.returncode:
        raise RuntimeError(found.stderr)
    if found.stdout:
        return hmac.compare_digest(base64.b64decode(found.stdout).decode(), digest)
    made = _kubectl("create", "secret", "generic", secret, f"--from-literal=hash={digest}")
    if made.returncode:
        raise RuntimeError(made.stderr)
    return True


def _place(asked: dict[str, str]) -> dict[str, str]:
    """What a new server needs: the cluster's authorities and keys, and a place in etcd."""
    token = (SERVER / "agent-token").read_text(encoding="utf-8")
    if bootstrap.password_in(token) != asked["agents"]:
        raise Refused("the agents' token is not the cluster's: all servers need the same agent-token-file")
    return bootstrap.pack() | {"among": etcd.admit(asked["name"], f"http://{asked['ip']}:2380")}


class Handler(http.server.BaseHTTPRequestHandler):
    """With a token: `POST /node` gives certificates for one node, `POST /server` what another server needs."""

    def log_message(self, *_: Any) -> None:
        """Nothing: a password could stand in a line."""

    def answer(self, status: int, tree: dict[str, str]) -> None:
        """Send JSON."""
        body = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Refuse a wrong token and a second node of one name; else sign."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokens = ("token",) if self.path == "/server" else ("token", "agent-token")
        allowed = {(SERVER / name).read_text(encoding="utf-8").strip() for name in tokens}
        if self.headers.get("Authorization", "") not in allowed:
            return self.answer(401, {"reason": "wrong token"})
        try:
            if not _known(asked["name"], asked["password"]):
                reason = f"Node password rejected, duplicate hostname {asked['name']}: another machine has this name"
                return self.answer(403, {"reason": reason})
            if self.path == "/server":
                return self.answer(200, _place(asked))
        except RuntimeError as reason:
            return self.answer(503, {"reason": str(reason)})
        except Refused as reason:
            return self.answer(403, {"reason": str(reason)})
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder)
            names = f"DNS:{asked['name']},DNS:localhost,IP:127.0.0.1,IP:{asked['ip']}"
            pki.certify(here, "kubelet", f"/O=system:nodes/CN=system:node:{asked['name']}", names)
            pki.certify(here, "kube-proxy", "/CN=system:kube-proxy")
            found = {path.name: path.read_text(encoding="utf-8") for path in here.iterdir()}
        self.answer(200, found | {"ca.crt": (TLS / "server-ca.crt").read_text(encoding="utf-8")})
        return None


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, OSError):
        pass
    finally:
        writer.close()


async def _meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first = await reader.read(4096)
    port = OWN_PORT if NAME in first else API_PORT
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    inner_writer.write(first)
    await asyncio.gather(_carry(reader, inner_writer), _carry(inner_reader, writer))


async def _listen() -> None:
    door = await asyncio.start_server(_meet, "0.0.0.0", 6443)
    await door.serve_forever()


def serve() -> None:
    """Listen on 6443 in threads of their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "serving.crt", TLS / "serving.key")
    own = http.server.ThreadingHTTPServer(("127.0.0.1", OWN_PORT), Handler)
    own.socket = context.wrap_socket(own.socket, server_side=True)
    threading.Thread(target=own.serve_forever, daemon=True).start()
    threading.Thread(target=lambda: asyncio.run(_listen()), daemon=True).start()
