"""What all servers of a cluster share: authorities, keys. K3s keeps it in etcd, encrypted with the servers' token."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import etcd
from files import SERVER, TLS
from settings import Refused

KEY = "/bootstrap"
PASSWORD = SERVER / "cred/server-password"
ENCRYPTION = SERVER / "cred/encryption-config.json"


def shared() -> list[Path]:
    """The files."""
    pairs = [TLS / f"{name}-ca.{end}" for name in ("server", "front-proxy") for end in ("crt", "key")]
    return [*pairs, TLS / "service.key", TLS / "service.pub", ENCRYPTION]


def pack() -> dict[str, str]:
    """The files' contents by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in shared()}


def unpack(found: dict[str, str], password: str) -> None:
    """Put another server's files, and the token's password, in this one's place."""
    for path, text in [*((path, found[path.name]) for path in shared()), (PASSWORD, password)]:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def password_in(token: str) -> str:
    """The part of a token that is secret: of K10<hash>::server:<password>, or of a bare one."""
    return token.strip().rpartition(":")[2]


def _openssl(data: bytes, password: str, *further: str) -> bytes:
    command = ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", "env:K3S_BOOTSTRAP", *further]
    done = subprocess.run(
        command, input=data, env={**os.environ, "K3S_BOOTSTRAP": password}, capture_output=True, check=False
    )
    if done.returncode:
        raise Refused("bootstrap data already found and encrypted with different token")
    return done.stdout


def keep() -> None:
    """Write it into etcd, where every snapshot has it."""
    sealed = _openssl(json.dumps(pack()).encode(), PASSWORD.read_text(encoding="utf-8"))
    etcd.put(KEY, base64.b64encode(sealed))


def fetch(password: str) -> None:
    """Read it out of the etcd that runs, and use it."""
    sealed = etcd.get(KEY)
    if sealed is None:
        raise Refused("the snapshot holds no bootstrap data")
    unpack(json.loads(_openssl(base64.b64decode(sealed), password, "-d")), password)
