"""New names from old ones by a keyed hash: the same patient and study get the same new names in every export, and who
lacks the key can't find the way back by trying identifiers.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

KEY_BYTES = 32


@dataclass(frozen=True)
class Pseudonyms:
    """`key`: at least 32 random bytes that stay with the site."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ValueError(f"the key of an export has at least {KEY_BYTES} bytes")

    def uid(self, old: str) -> str:
        """A UID under 2.25 (PS3.5 B.2) made of 128 bits of the hash."""
        return f"2.25.{int.from_bytes(self._digest('uid', old)[:16], 'big')}"

    def patient(self, patient_id: str, issuer: str = "") -> str:
        """Twelve characters; for an empty id the caller gives what names the patient else (the study)."""
        digest = self._digest("patient", f"{patient_id}\0{issuer}")
        return f"P-{digest.hex()[:12].upper()}"

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.digest(self.key, f"{kind}\0{text}".encode(), "sha256")


def read_key(path: Path) -> bytes:
    """The key in `path`; made of random bytes, for its owner alone, where the file is missing.

    Raises ValueError where others may read it or it is too short, or OSError.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ValueError(f"{path} lets others in; run: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        raise ValueError(f"{path} is no key: hexadecimal digits are expected") from None
    if len(key) < KEY_BYTES:
        raise ValueError(f"{path} is no key: {KEY_BYTES} bytes are expected")
    return key
