"""What stops a pod before it serves is the init container's last line, its termination message in Kubernetes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hilum.release import Release, fetch
from hilum.release.signing import new_key
from hilum.release.store import push_release
from hilum.storage import open_blobs
from tests.fixtures.disk import small_disk
from tests.releases import make_tiny_release, trust

KEY = new_key()


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release in a store of files, and the environment that a pod has."""
    made = make_tiny_release(tmp_path / "made", key=KEY)
    store = (tmp_path / "store").as_uri()
    push_release(made.folder, open_blobs(store))
    for name, value in {
        "HILUM_RELEASE_STORE": store,
        "HILUM_RELEASE_DIGEST": made.digest,
        "HILUM_RELEASE": str(tmp_path / "pod" / "served"),
        "HILUM_TRUSTED_KEYS": str(trust(tmp_path / "keys.txt", KEY)),
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fetch, "PATIENCE_SECONDS", 0.0)
    return made


def last_words() -> str:
    """With what the process ends; a text as its code means status 1 and that text on stderr."""
    with pytest.raises(SystemExit) as ended:
        fetch.main()
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


def test_a_signature_that_was_changed_is_refused_and_nothing_is_left(tmp_path: Path, release: Release) -> None:
    place = tmp_path / "store" / release.digest / "signature.json"
    text = place.read_text(encoding="utf-8")
    other = make_tiny_release(tmp_path / "other", version="2.0.0", key=KEY)
    place.write_text((other.folder / "signature.json").read_text(encoding="utf-8"), encoding="utf-8")
    assert place.read_text(encoding="utf-8") != text
    assert last_words() == "release refused: the release's signature does not fit its manifest"
    assert list((tmp_path / "pod").iterdir()) == []


def test_a_key_that_is_not_trusted_a_digest_that_is_none_and_a_store_that_is_none_are_named(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("HILUM_TRUSTED_KEYS", str(trust(tmp_path / "strangers.txt", new_key())))
        assert "signed by a key that is not trusted here" in last_words()
    with monkeypatch.context() as patched:
        patched.setenv("HILUM_RELEASE_DIGEST", "sha256:abc")
        assert "not a release's digest: 'sha256:abc'" in last_words()
    monkeypatch.setenv("HILUM_RELEASE_STORE", "ftp://somewhere")
    assert last_words().startswith("HILUM_RELEASE_STORE: not a store of bytes")


def test_a_volume_that_is_full_is_told_as_such_and_nothing_is_left(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "volume", 1) as disk:
        monkeypatch.setenv("HILUM_RELEASE", str(disk.folder / "served"))
        disk.fill(room=8192)
        assert last_words() == f"release refused: {disk.folder}/served can't be written: No space left on device"
        assert [path.name for path in disk.folder.iterdir()] == ["filler"]


def test_a_store_that_is_away_is_named_with_its_address(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_RELEASE_STORE", "s3://releases")
    monkeypatch.setenv("HILUM_S3_ENDPOINT", "http://127.0.0.1:9")
    words = last_words()
    assert words.startswith("release refused: bucket releases at http://127.0.0.1:9: can't read: ")
    assert words.endswith("EndpointConnectionError")


@pytest.fixture
def expired(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTPS server whose certificate ended yesterday, and the certificate itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    place = tmp_path / "expired.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", place
    server.shutdown()
    server.server_close()


def test_a_store_whose_certificate_has_expired_is_told_as_such(
    release: Release, expired: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = expired
    monkeypatch.setenv("HILUM_RELEASE_STORE", "s3://releases")
    monkeypatch.setenv("HILUM_S3_ENDPOINT", address)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    words = "can't read: its certificate is refused: certificate has expired"
    assert last_words() == f"release refused: bucket releases at {address}: {words}"
