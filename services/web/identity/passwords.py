"""Passwords: argon2id with the library's parameters (RFC 9106's second choice), and what a password has to be."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 1024
_HASHER = PasswordHasher()
# Verified against where there is no such user, so that the answer takes as long. Of no password: 32 random bytes.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def unfit(password: str, name: str) -> str | None:
    """Why `password` is none for `name`; None where it will do (NIST SP 800-63B: length, not character classes)."""
    if len(password) < SHORTEST:
        return f"a password has at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"a password has at most {LONGEST} characters"
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        return "a password is not the user's name and not one character repeated"
    return None


def hashed(password: str) -> str:
    """The encoded argon2id hash; takes 64 MiB and about 50 ms."""
    return _HASHER.hash(password)


def is_hash(text: str) -> bool:
    """Whether `text` is an argon2id hash that `fits` can judge."""
    try:
        _HASHER.check_needs_rehash(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2id$")


def fits(password: str, encoded: str | None) -> bool:
    """Whether `password` is the one; `encoded` None (no such user) takes as long and is False."""
    if len(password) > LONGEST:
        return False
    try:
        return _HASHER.verify(encoded or _NOBODY, password) and encoded is not None
    except VerificationError:
        return False
