"""The one interface for bytes, and the keys they lie under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

MAX_KEY_CHARACTERS = 512
# No part begins with a dot: no "..", no hidden file, and room for a store's own files beside the blobs.
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_PART}(/{_PART})*")
_PREFIX = re.compile(rf"({_PART}/)*({_PART})?")


class BadKey(ValueError):
    """The key is not one that every store can keep."""


class BlobMissing(KeyError):
    """Nothing lies under this key."""

    def __str__(self) -> str:
        return f"no blob under {self.args[0]!r}"


class BlobsUnavailable(Exception):
    """The store can't answer or can't keep anything now; the text says why in plain words, without a secret."""


def valid_key(key: str) -> str:
    """`key` itself; raises BadKey unless it is parts of letters, digits, `.`, `_`, `-`, joined by single `/`.

    A part has 1 to 200 characters and no leading dot; the key has at most 512. No key may be the folder of another.
    """
    if len(key) > MAX_KEY_CHARACTERS or not _KEY.fullmatch(key):
        raise BadKey(f"not a key: {key[:80]!r}")
    return key


def valid_prefix(prefix: str) -> str:
    """`prefix` itself, the beginning of a valid key or empty; raises BadKey."""
    if len(prefix) > MAX_KEY_CHARACTERS or not _PREFIX.fullmatch(prefix):
        raise BadKey(f"not the beginning of a key: {prefix[:80]!r}")
    return prefix


class Blobs(Protocol):
    """Bytes under keys. Safe to share between threads; every method may raise BlobsUnavailable or BadKey."""

    def put(self, key: str, data: bytes) -> None:
        """Keep `data`, durable when this returns. The same again changes nothing; other data replaces it at once."""

    def get(self, key: str) -> bytes:
        """The whole blob; raises BlobMissing."""

    def exists(self, key: str) -> bool:
        """Whether a whole blob lies under `key`."""

    def delete(self, key: str) -> None:
        """Remove the blob if it is there."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that begins with `prefix`, once, in no order; what changes meanwhile may or may not show."""

    def check(self) -> None:
        """Raise BlobsUnavailable unless blobs can be kept now; cheap enough for every readiness probe."""
