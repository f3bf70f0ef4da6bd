"""Keys and lists of trusted keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hilum.release.signing import (
    BadSignature,
    check,
    new_key,
    public_text,
    read_key,
    read_trusted,
    sign,
    write_key,
)


def test_a_key_is_read_back_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = new_key()
    write_key(key, tmp_path / "key.pem")
    assert public_text(read_key(tmp_path / "key.pem")) == public_text(key)
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    write_key(new_key(), tmp_path / "key.pem")
    with pytest.raises(FileExistsError):
        write_key(new_key(), tmp_path / "key.pem")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(BadSignature, match="not an Ed25519 key"):
        read_key(tmp_path / "key.pem")


def test_a_signature_fits_its_payload_alone() -> None:
    key = new_key()
    trusted = frozenset({public_text(key)})
    assert check(b"payload", sign(b"payload", key), trusted) == public_text(key)
    with pytest.raises(BadSignature):
        check(b"payload ", sign(b"payload", key), trusted)


def test_a_list_of_trusted_keys_may_be_commented(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("# ours\nAAAA  # the radiology department's\n\nBBBB\n", encoding="utf-8")
    assert read_trusted(tmp_path / "keys.txt") == {"AAAA", "BBBB"}


def test_an_empty_or_missing_list_trusts_nobody_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("# nobody yet\n", encoding="utf-8")
    with pytest.raises(BadSignature, match="is empty"):
        read_trusted(tmp_path / "keys.txt")
    with pytest.raises(BadSignature, match="can't be read"):
        read_trusted(tmp_path / "other.txt")
