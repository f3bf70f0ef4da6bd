"""The certificate of the DICOM port, as its files are now."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import structlog

from services.web.settings import WebSettings

log = structlog.get_logger("hilum.web.dicom")


def tls_of(settings: WebSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or later with our certificate, None where there is none; raises OSError for files that can't be used."""
    if not settings.dicom_tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.dicom_tls_certificate, settings.dicom_tls_key or None)
        if settings.dicom_tls_ca:
            context.load_verify_locations(settings.dicom_tls_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise OSError(error.errno, f"HILUM_DICOM_TLS_*: the files can't be used ({error.strerror})") from error
    return context


class Papers:
    """Asked at each connection: files that changed (a Secret was renewed) are read again, without a restart.

    Files that can't be used then leave what served before. The first reading raises OSError.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._seen = self._files()
        self._context = tls_of(settings)

    def __call__(self) -> ssl.SSLContext | None:
        """What the next handshake is made with; None: plain."""
        with self._lock:
            found = self._files()
            if found != self._seen:
                try:
                    self._context = tls_of(self._settings)
                    log.info("the DICOM certificate was read again")
                except OSError as error:
                    log.error("a changed DICOM certificate can't be used: the one before serves", reason=str(error))
                self._seen = found
            return self._context

    def _files(self) -> tuple[tuple[int, int], ...]:
        """When each file was changed and its inode; none where it is not there."""
        names = (self._settings.dicom_tls_certificate, self._settings.dicom_tls_key, self._settings.dicom_tls_ca)
        found = []
        for path in (Path(name) for name in names if name):
            try:
                about = path.stat()
                found.append((about.st_mtime_ns, about.st_ino))
            except OSError:
                found.append((0, 0))
        return tuple(found)
