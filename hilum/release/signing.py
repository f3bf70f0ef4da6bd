"""Ed25519 signatures of a release's manifest (RFC 8032, by the `cryptography` library).

`signature.json` holds the public key and the signature; whether that key is trusted is the reader's decision.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

SIGNATURE_FILE = "signature.json"


class BadSignature(ValueError):
    """The signature is missing, broken, of other bytes, or by a key that is not trusted."""


def new_key() -> Ed25519PrivateKey:
    """Make a fresh signing key."""
    return Ed25519PrivateKey.generate()


def write_key(key: Ed25519PrivateKey, path: Path) -> None:
    """Write `key` as PEM (PKCS 8), readable by its owner alone."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a PEM key; raises BadSignature where it is not Ed25519."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSignature(f"{path.name} is not an Ed25519 key")
    return key


def read_trusted(path: Path) -> frozenset[str]:
    """Read a site's trusted public keys: base64, one a line, `#` begins a comment; raises BadSignature."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadSignature(f"the list of trusted keys, {path.name}, can't be read") from error
    keys = frozenset(line for line in lines if line)
    if not keys:
        raise BadSignature(f"the list of trusted keys, {path.name}, is empty")
    return keys


def public_text(key: Ed25519PrivateKey) -> str:
    """The public key as base64 text: what a site lists as trusted."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def sign(payload: bytes, key: Ed25519PrivateKey) -> str:
    """JSON text of the signature of `payload`."""
    return json.dumps(
        {
            "algorithm": "Ed25519",
            "public_key": public_text(key),
            "signature": base64.b64encode(key.sign(payload)).decode(),
        },
        indent=2,
    )


def check(payload: bytes, signature_text: str, trusted: frozenset[str]) -> str:
    """Return the public key that signed `payload`; raises BadSignature unless it is valid and in `trusted`."""
    try:
        entry = json.loads(signature_text)
        public = entry["public_key"]
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(
            base64.b64decode(entry["signature"]), payload
        )
    except (KeyError, TypeError, ValueError, InvalidSignature) as error:
        raise BadSignature("the release's signature does not fit its manifest") from error
    if public not in trusted:
        raise BadSignature(f"the release is signed by a key that is not trusted here: {public}")
    return str(public)
