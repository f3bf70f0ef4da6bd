"""Where results go: an application entity (C-STORE) or a DICOMweb root (STOW-RS). One function sends, both ways."""

from __future__ import annotations

import re
import ssl
import uuid
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom import _config as pynetdicom_config
from pynetdicom.presentation import build_context

import hilum.imaging  # noqa: F401 - before pydicom
from hilum.clients.base import Refused, Unavailable

# Its own handlers log identifiers of requests.
pynetdicom_config.LOG_HANDLER_LEVEL = "none"
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
VERIFICATION = "1.2.840.10008.1.1"
# PS3.7 C.4.2: the instance is there already, under this very name.
DUPLICATE = 0x0111
_TITLE = re.compile(r"[!-\[\]-~]{1,16}")


class BadDestination(ValueError):
    """The text names no destination."""


@dataclass(frozen=True)
class Destination:
    """`title`, `host` and `port` of an application entity, or `url` of a DICOMweb root (then the others are empty)."""

    url: str = ""
    title: str = ""
    host: str = ""
    port: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> Destination:
        """`dicom://TITLE@host:port`, `dicoms://...` (TLS), or a DICOMweb root `https://...`; raises BadDestination."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise BadDestination(f"not a destination: {error}") from None
        if parts.scheme in {"http", "https"} and parts.hostname and not parts.username:
            return cls(url=text.rstrip("/"))
        title = parts.netloc.rpartition("@")[0]
        if parts.scheme in {"dicom", "dicoms"} and parts.hostname and port and _TITLE.fullmatch(title):
            return cls(title=title, host=parts.hostname, port=port, secure=parts.scheme == "dicoms")
        raise BadDestination(
            "a destination is dicom://TITLE@host:port, dicoms://TITLE@host:port or https://host/dicom-web"
        )


@dataclass(frozen=True)
class Sender:
    """Who sends: our title, our certificate and key, whom we trust, and the bearer token for DICOMweb; all optional."""

    title: str = "HILUM"
    certificate: str = ""
    key: str = ""
    authority: str = ""
    token: str = ""

    def tls(self) -> ssl.SSLContext:
        """A context that checks the destination's certificate."""
        context = ssl.create_default_context(cafile=self.authority or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key or None)
        return context


def send(destination: Destination, body: bytes, sender: Sender) -> None:
    """Send one DICOM file; returns once the destination has taken it. Blocks.

    Raises Unavailable (send the same again later) and Refused (a person must look).
    """
    if destination.url:
        _stow(destination, body, sender)
    else:
        _store(destination, body, sender)


def echo(destination: Destination, sender: Sender) -> None:
    """C-ECHO, or a query of no studies by DICOMweb; raises Unavailable and Refused."""
    if destination.url:
        with _http(destination, sender) as client:
            _judge(client.get(f"{destination.url}/studies", params={"limit": 1}))
        return
    assoc = _associate(destination, sender, VERIFICATION, None)
    try:
        status = _status(assoc.send_c_echo())
    finally:
        assoc.release()
    if status != 0:
        raise Refused(status, f"C-ECHO was answered {status:04X}")


def _associate(destination: Destination, sender: Sender, sop_class: str, syntax: str | None) -> Any:
    entity = AE(sender.title)
    entity.connection_timeout = entity.acse_timeout = CONNECT_SECONDS
    entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    tls = (sender.tls(), destination.host) if destination.secure else None
    context = build_context(sop_class, syntax) if syntax else build_context(sop_class)
    assoc = entity.associate(
        destination.host, destination.port, contexts=[context], ae_title=destination.title, tls_args=tls
    )
    if assoc.is_established:
        return assoc
    why = "rejected our association" if assoc.is_rejected else "takes no such object, or does not answer"
    assoc.abort()
    raise Unavailable(f"{destination.title} {why}")


def _store(destination: Destination, body: bytes, sender: Sender) -> None:
    film = pydicom.dcmread(BytesIO(body))
    try:
        assoc = _associate(destination, sender, str(film.SOPClassUID), str(film.file_meta.TransferSyntaxUID))
    except OSError as error:
        raise Unavailable(f"{destination.title}: {error}") from error
    try:
        answer = assoc.send_c_store(film)
    except (RuntimeError, ValueError) as error:
        raise Unavailable(f"{destination.title}: {error}") from error
    finally:
        assoc.release()
    status = _status(answer)
    if status in {0x0000, DUPLICATE} or 0xB000 <= status <= 0xBFFF:
        return
    comment = str(answer.get("ErrorComment", ""))[:64]
    if status & 0xFF00 == 0xA700 or status == 0x0110:
        raise Unavailable(f"{destination.title} is out of resources ({status:04X}) {comment}")
    raise Refused(status, f"{destination.title} answered {status:04X} {comment}".strip())


def _status(answer: Dataset) -> int:
    if "Status" not in answer:
        raise Unavailable("the association ended before its answer came")
    return int(answer.Status)


def _http(destination: Destination, sender: Sender) -> httpx.Client:
    verify: ssl.SSLContext | bool = sender.tls() if destination.url.startswith("https:") else True
    headers = {"Accept": "application/dicom+json"}
    if sender.token:
        headers["Authorization"] = f"Bearer {sender.token}"
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(verify=verify, headers=headers, timeout=timeout, trust_env=False)


def _stow(destination: Destination, body: bytes, sender: Sender) -> None:
    boundary = f"hilum-{uuid.uuid4().hex}"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    with _http(destination, sender) as client:
        try:
            answer = client.post(
                f"{destination.url}/studies",
                content=head + body + f"\r\n--{boundary}--\r\n".encode(),
                headers={"Content-Type": kind},
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{destination.url}: {type(error).__name__}") from error
    _judge(answer)


def _judge(answer: httpx.Response) -> None:
    """Raise for what is no success. STOW-RS answers 409 where it took nothing, also of what it has already."""
    if answer.is_success:
        return
    if answer.status_code == httpx.codes.CONFLICT and f'"{DUPLICATE}"' in answer.text.replace(" ", ""):
        return
    detail = f"the destination answered {answer.status_code}"
    # A wrong token or address is mended at the destination or in our settings; the result stays the same.
    if answer.status_code >= 500 or answer.status_code in {401, 403, 404, 408, 429}:
        raise Unavailable(detail)
    raise Refused(answer.status_code, detail)
