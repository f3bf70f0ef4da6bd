"""What only real parts show: TLS with dcmtk, a disk that is full."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydicom.uid import generate_uid

from hilum.clients.base import Unavailable
from hilum.clients.dicom import BadDestination, Destination, Sender, echo, send
from services.web.settings import WebSettings
from tests.fixtures.dicom import dcmtk
from tests.fixtures.disk import small_disk
from tests.hilum.imaging.bodies import dicom, grey
from tests.services.web.dicom.sender import listening
from tests.services.web.room import open_room


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    return _signed("authority", None)


def _signed(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and NAME.pem and NAME.key of `ours`, `sender` and `stranger` (of another authority)."""
    folder = tmp_path_factory.mktemp("papers")
    authority, other = _authority(), _authority()
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority[0].public_bytes(pem))
    for name, issuer in (("ours", authority), ("sender", authority), ("stranger", other)):
        certificate, key = _signed(name, issuer)
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(plain)
    return folder


def test_over_tls_who_shows_a_certificate_may_send_and_nobody_else(
    tmp_path: Path, tiny_release: Path, papers: Path
) -> None:
    tls = {
        "dicom_tls_certificate": str(papers / "ours.pem"),
        "dicom_tls_key": str(papers / "ours.key"),
        "dicom_tls_ca": str(papers / "ca.pem"),
    }
    study = generate_uid()
    film = tmp_path / "film.dcm"
    film.write_bytes(dicom(StudyInstanceUID=study))
    with open_room(tmp_path / "data", tiny_release, **tls) as room, listening(room) as here:
        address = ("-aec", "HILUM", "127.0.0.1", str(here.port))

        def papers_of(name: str) -> tuple[str | Path, ...]:
            return ("+tls", papers / f"{name}.key", papers / f"{name}.pem", "+cf", papers / "ca.pem")

        assert dcmtk("echoscu", *papers_of("sender"), *address).returncode == 0
        sent = dcmtk("storescu", *papers_of("sender"), *address, film)
        assert sent.returncode == 0, sent.stderr
        assert room.study(study)["film_count"] == 1
        for wrong in (papers_of("stranger"), ("+tla", "+cf", papers / "ca.pem"), ()):
            assert dcmtk("echoscu", "-to", "5", "-ta", "5", *wrong, *address).returncode != 0
        # As our own results go out.
        there = Destination.parse(f"dicoms://HILUM@127.0.0.1:{here.port}")
        mine = Sender("CR2", str(papers / "sender.pem"), str(papers / "sender.key"), str(papers / "ca.pem"))
        echo(there, mine)
        send(there, dicom(255 - grey(), StudyInstanceUID=study), mine)
        assert room.study(study)["film_count"] == 2
        with pytest.raises(Unavailable):
            echo(there, Sender("CR2", str(papers / "sender.pem"), str(papers / "sender.key")))


def test_a_renewed_certificate_serves_without_a_restart_and_a_broken_one_leaves_it(
    tmp_path: Path, tiny_release: Path, papers: Path
) -> None:
    ours = tmp_path / "tls.pem"
    key = tmp_path / "tls.key"

    def put(name: str) -> None:
        # As a kubelet does: another file under the name.
        for target, source in ((ours, f"{name}.pem"), (key, f"{name}.key")):
            fresh = target.with_suffix(".new")
            fresh.write_bytes((papers / source).read_bytes())
            fresh.replace(target)

    def subject(port: int) -> str:
        text = ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
        return x509.load_pem_x509_certificate(text.encode()).subject.rfc4514_string()

    put("ours")
    tls = {"dicom_tls_certificate": str(ours), "dicom_tls_key": str(key)}
    with open_room(tmp_path / "data", tiny_release, **tls) as room, listening(room) as here:
        assert subject(here.port) == "CN=ours"
        put("sender")
        assert subject(here.port) == "CN=sender"
        ours.write_text("no certificate", encoding="ascii")
        assert subject(here.port) == "CN=sender"


@pytest.mark.parametrize(
    "text", ["pacs:104", "dicom://pacs:104", "dicom://PACS@:104", "dicom://PACS@pacs", "ftp://pacs/x", "dicom://A@b:x",
             "dicom://A_TITLE_THAT_IS_TOO_LONG@b:1"]
)  # fmt: skip
def test_a_text_that_names_no_destination_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(BadDestination):
        Destination.parse(text)
    with pytest.raises(ValueError, match="destination"):
        WebSettings(results_to=text)


def test_a_full_disk_answers_a700_and_takes_the_film_once_there_is_room(tmp_path: Path, tiny_release: Path) -> None:
    body = dicom(grey().repeat(4, 0).repeat(4, 1))
    with (
        small_disk(tmp_path / "disk", 1) as disk,
        open_room(tmp_path / "data", tiny_release, blobs_url=(disk.folder / "films").as_uri()) as room,
        listening(room) as here,
    ):
        disk.fill(100_000)
        assert [answer.Status for answer in here.store(body)] == [0xA700]
        assert not any(room.rows().values())
        disk.empty()
        assert [answer.Status for answer in here.store(body)] == [0]
        assert room.rows()["films"] == 1
