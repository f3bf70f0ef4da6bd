"""Settings of DICOM in and out: part of the reading room's."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator, model_validator

from hilum.clients.dicom import Destination
from hilum.settings import ServiceSettings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# PS3.5 6.2, AE: 1 to 16 characters without backslash; no control character, no space at either end.
TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"


class DicomSettings(ServiceSettings):
    """Who may send DICOM objects, how much at once, and where results go."""

    dicom_port: int = Field(
        default=0, ge=0, le=65535, description="Port for C-STORE and C-ECHO, by custom 11112; 0: none is opened."
    )
    dicom_host: str = Field(default="", description="Address for C-STORE; empty: HILUM_HOST.")
    dicom_title: str = Field(
        default="HILUM", pattern=TITLE, description="Our application entity title: what senders must call."
    )
    dicom_peers: str = Field(
        default="",
        description="Titles that may send, each with its site: `PACS=Ward A,CR1`; empty: any, on loopback alone.",
    )
    dicom_max_associations: int = Field(default=8, gt=0, le=256, description="DICOM associations open at once.")
    dicom_max_pdu_bytes: int = Field(default=131_072, ge=4096, le=1_048_576, description="Largest PDU that we take.")
    dicom_max_bytes_in_flight: int = Field(
        default=256_000_000, gt=0, description="Bytes of unfinished objects that all associations hold together."
    )
    dicom_tls_certificate: str = Field(
        default="", description="PEM file of our certificate chain: C-STORE is then TLS alone; also shown when sending."
    )
    dicom_tls_key: str = Field(default="", description="PEM file of the key to that certificate.")
    dicom_tls_ca: str = Field(
        default="",
        description="PEM file of authorities: a sender must show a certificate of theirs, a destination too.",
    )

    results_to: str = Field(
        default="",
        description="Where results go: `dicom://TITLE@host:port`, `dicoms://`, or a DICOMweb root; empty: nowhere.",
    )
    results_token: SecretStr = Field(default=SecretStr(""), description="Bearer token for a DICOMweb destination.")
    results_heat: bool = Field(default=True, description="Send the heat map of the leading finding as a picture too.")
    results_retry_max_seconds: float = Field(
        default=300.0, gt=0, description="Longest pause between two tries at the destination of results."
    )

    @field_validator("results_to")
    @classmethod
    def _is_a_destination(cls, value: str) -> str:
        if value:
            Destination.parse(value)
        return value

    @model_validator(mode="after")
    def _senders_are_named(self) -> DicomSettings:
        if wrong := [title for title in self.senders if not re.fullmatch(TITLE, title)]:
            raise ValueError(f"HILUM_DICOM_PEERS: {wrong[0][:40]!r} is no application entity title")
        host = self.dicom_host or self.host
        if self.dicom_port and not self.senders and host not in LOOPBACK:
            raise ValueError("HILUM_DICOM_PORT on another address than loopback needs HILUM_DICOM_PEERS: who may send")
        if self.dicom_tls_key and not self.dicom_tls_certificate:
            raise ValueError("HILUM_DICOM_TLS_KEY needs HILUM_DICOM_TLS_CERTIFICATE")
        return self

    @property
    def senders(self) -> dict[str, str]:
        """Title of each application entity that may send, with its site."""
        pairs = [entry.partition("=") for entry in self.dicom_peers.split(",") if entry.strip()]
        return {title.strip(): site.strip() or title.strip() for title, _, site in pairs}
