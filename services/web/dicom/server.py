"""C-STORE and C-ECHO: an application entity that keeps films and documents, and says 0000 once they are on disk."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import _config as pynetdicom_config
from pynetdicom import evt

from hilum import telemetry_traces
from hilum.storage import BlobsUnavailable, DatabaseUnavailable
from services.web.candidates import Facts, Upload
from services.web.context import Web, utc_now
from services.web.dicom.contexts import supported
from services.web.dicom.metrics import ASSOCIATIONS, OPEN, REFUSED
from services.web.dicom.papers import Papers
from services.web.dicom.receive import receive
from services.web.dicom.statuses import DOES_NOT_MATCH, OUT_OF_RESOURCES, PROCESSING_FAILURE, answer, status_of
from services.web.dicom.transport import BoundedServer, Bounds, Budget, Entity
from services.web.identity.audit import Entry, append
from services.web.names import clean, is_uid
from services.web.views import FilmOutcome

log = structlog.get_logger("hilum.web.dicom")
# Its own handlers log identifiers of requests.
pynetdicom_config.LOG_HANDLER_LEVEL = "none"
NETWORK_SECONDS = 60.0
# How long a connection may be silent before it asks for an association.
REQUEST_SECONDS = 10.0
POLL_SECONDS = 0.2


def _listening(entity: Entity, address: tuple[str, int], **given: Any) -> BoundedServer:
    try:
        server = entity.make_server(address, server_class=BoundedServer, **given)
    except OSError as error:
        raise OSError(error.errno, f"HILUM_DICOM_PORT {address[1]} of {address[0]}: {error.strerror}") from error
    assert isinstance(server, BoundedServer)  # noqa: S101 - as asked for
    return server


class DicomServer:
    """Listens from `start` to `stop`. `port` is the one that is taken; 0 given takes a free one."""

    def __init__(self, web: Web, port: int | None = None) -> None:
        self._web = web
        settings = web.settings
        entity = Entity(settings.dicom_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(settings.senders)
        entity.maximum_associations = settings.dicom_max_associations
        entity.maximum_pdu_size = settings.dicom_max_pdu_bytes
        entity.network_timeout, entity.acse_timeout = NETWORK_SECONDS, REQUEST_SECONDS
        entity.supported_contexts = supported()
        self.budget = Budget(settings.dicom_max_bytes_in_flight)
        bounds = Bounds(
            self.budget,
            # The message around a film, and its PDUs' heads.
            object_bytes=settings.max_body_bytes + settings.max_body_bytes // 64 + 1_000_000,
            pdu_bytes=settings.dicom_max_pdu_bytes,
            connections=2 * settings.dicom_max_associations + 8,
            tls=Papers(settings),
        )
        server = _listening(
            entity,
            (settings.dicom_host or settings.host, settings.dicom_port if port is None else port),
            ae_title=settings.dicom_title,
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_REJECTED, self._rejected),
                (evt.EVT_ABORTED, self._aborted),
                (evt.EVT_CONN_OPEN, self._opened),
                (evt.EVT_CONN_CLOSE, self._closed),
            ],
            bounds=bounds,
        )
        self._server = server
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="dicom-server", daemon=True
        )

    def start(self) -> None:
        """Take associations."""
        self._thread.start()
        log.info("DICOM associations are taken", port=self.port, title=self._web.settings.dicom_title)

    def stop(self) -> None:
        """End every association; what was answered 0000 is on disk."""
        self._server.shutdown()
        for assoc in self._server.active_associations:
            assoc.abort()
        self._thread.join(10)

    def _store(self, event: evt.Event) -> Dataset:
        try:
            return self._kept(event, str(getattr(event.request, "AffectedSOPInstanceUID", None) or ""))
        except (DatabaseUnavailable, BlobsUnavailable) as error:
            REFUSED.labels("c-store", "out-of-resources").inc()
            log.warning("a DICOM object can't be kept now", reason=str(error))
            return answer(OUT_OF_RESOURCES, "Nothing was kept; send it again later.")
        except Exception:
            REFUSED.labels("c-store", "failed").inc()
            log.exception("a DICOM object failed")
            return answer(PROCESSING_FAILURE, "Nothing was kept; the service's log says why.")
        finally:
            meter = self._server.meters.get(event.assoc)
            if meter is not None and event.assoc.dimse.msg_queue.empty():
                meter.dealt_with()

    def _kept(self, event: evt.Event, uid: str) -> Dataset:
        title = clean(event.assoc.requestor.ae_title, 16)
        data = event.encoded_dataset()
        if not is_uid(uid):
            REFUSED.labels("c-store", "bad-uid").inc()
            return answer(DOES_NOT_MATCH, "Affected SOP Instance UID is no UID.")
        sender = Facts(site=self._web.settings.senders.get(title, title), sender=title)
        with telemetry_traces.within("", "C-STORE"):
            (received,) = receive(self._web, [Upload(f"{uid}.dcm", lambda: data)], sender, "c-store", named=uid)
        outcome = received.outcome
        self._record(event, title, uid, outcome)
        if (status := status_of(outcome)) != 0:
            log.info("a DICOM object was refused", sender=title, kind=outcome.kind, detail=outcome.detail)
        return answer(status, outcome.detail)

    def _record(self, event: evt.Event, title: str, uid: str, outcome: FilmOutcome) -> None:
        """A row of the audit log, on disk before the answer; an object that was here already changes nothing."""
        if outcome.outcome == "duplicate":
            return
        address = clean(str(event.assoc.requestor.address or ""), 64)
        status = 0 if outcome.outcome == "stored" else outcome.status
        entry = Entry(title, "c-store", address, "change", f"C-STORE {uid}", status, outcome.study_uid or "")
        with self._web.write() as rows:
            append(rows, [entry], utc_now())

    def _accepted(self, event: evt.Event) -> None:
        ASSOCIATIONS.labels("accepted").inc()

    def _rejected(self, event: evt.Event) -> None:
        ASSOCIATIONS.labels("rejected").inc()
        requestor = event.assoc.requestor
        log.warning(
            "a DICOM association was rejected",
            calling=clean(str(requestor.ae_title), 16),
            called=clean(str(requestor.primitive.called_ae_title), 16) if requestor.primitive else "",
        )

    def _aborted(self, event: evt.Event) -> None:
        ASSOCIATIONS.labels("aborted").inc()

    def _opened(self, event: evt.Event) -> None:
        OPEN.inc()

    def _closed(self, event: evt.Event) -> None:
        OPEN.dec()
        if (meter := self._server.meters.get(event.assoc)) is not None:
            meter.dealt_with()
