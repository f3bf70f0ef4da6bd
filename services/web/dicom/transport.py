"""pynetdicom's server, bounded: what peers may make it hold, and no peer may keep the others waiting.

pynetdicom 3 reads as many bytes as a PDU says it has (up to 4 GB), puts a message together in memory without a limit,
and does the TLS handshake in the thread that accepts connections.
"""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

log = structlog.get_logger("hilum.web.dicom")
HANDSHAKE_SECONDS = 10.0
READ_BYTES = 65_536
# An association request carries no film: its presentation contexts need a few kB.
SMALL_PDU_BYTES = 262_144


class TooMuch(OSError):
    """The peer sends more than may be held; the connection ends."""


class Budget:
    """Bytes of unfinished objects, over all associations."""

    def __init__(self, most: int) -> None:
        self._most, self.held, self._lock = most, 0, threading.Lock()

    def take(self, count: int) -> bool:
        """Whether `count` more may be held; then they are."""
        with self._lock:
            if self.held + count > self._most:
                return False
            self.held += count
            return True

    def give_back(self, count: int) -> None:
        """They are not held any more."""
        with self._lock:
            self.held -= count


@dataclass(frozen=True)
class Bounds:
    """`object_bytes`: one object; `connections`: open at once, whatever was said on them; `tls` gives None without."""

    budget: Budget
    object_bytes: int
    pdu_bytes: int
    connections: int
    tls: Callable[[], ssl.SSLContext | None] = lambda: None


class Meter:
    """Reads for one association; counts what came since its last object was dealt with."""

    def __init__(self, peer: AssociationSocket, bounds: Bounds) -> None:
        self._peer, self._bounds, self.held = peer, bounds, 0

    def recv(self, count: int) -> bytearray:
        """`count` bytes, fewer at the end of the connection; raises TooMuch before it reads them."""
        bounds = self._bounds
        if count > max(SMALL_PDU_BYTES, bounds.pdu_bytes + 6):
            log.warning("a DICOM peer sends a PDU larger than was agreed", bytes=count)
            raise TooMuch("PDU larger than agreed")
        if self.held + count > bounds.object_bytes or not bounds.budget.take(count):
            log.warning("a DICOM peer sends more than may be held", bytes=self.held + count)
            raise TooMuch("object too large, or too many at once")
        self.held += count
        found = bytearray()
        while self._peer.socket is not None and len(found) < count:
            part = self._peer.socket.recv(min(count - len(found), READ_BYTES))
            if not part:
                break
            found += part
        return found

    def dealt_with(self) -> None:
        """What came so far is kept or refused, or the connection is closed: nothing of it is held."""
        self._bounds.budget.give_back(self.held)
        self.held = 0


class Entity(AE):
    """An application entity whose limit of associations counts those that asked for one.

    pynetdicom counts every connection: a dozen silent ones would keep all senders out.
    """

    @property
    def active_associations(self) -> list[Association]:
        """Associations that were asked for, and still run."""
        return [assoc for assoc in super().active_associations if assoc.requestor.primitive is not None]


class BoundedHandler(RequestHandler):
    """Makes metered associations; a TLS handshake happens here, in the connection's own thread."""

    def handle(self) -> None:
        """Shake hands, then run the association."""
        tls = self._server.bounds.tls()
        if tls is not None:
            self.request.settimeout(HANDSHAKE_SECONDS)
            try:
                self.request = tls.wrap_socket(self.request, server_side=True)
            except OSError as error:
                log.warning("a DICOM connection failed its TLS handshake", reason=type(error).__name__)
                self.request.close()
                return
        # A peer that stops within a PDU must not hold its thread for ever.
        self.request.settimeout(self.ae.network_timeout)
        super().handle()

    @property
    def _server(self) -> BoundedServer:
        server = self.server
        assert isinstance(server, BoundedServer)  # noqa: S101 - it made this handler
        return server

    def _create_association(self) -> Association:
        assoc = super()._create_association()
        peer = assoc.dul.socket
        assert peer is not None  # noqa: S101 - just set
        meter = Meter(peer, self._server.bounds)
        self._server.meters[assoc] = meter
        peer.recv = meter.recv  # type: ignore[assignment,method-assign]
        return assoc


class BoundedServer(ThreadedAssociationServer):
    """pynetdicom's server within `bounds`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *given: Any, bounds: Bounds, **named: Any) -> None:
        named["request_handler"] = BoundedHandler
        self.bounds = bounds
        self.meters: WeakKeyDictionary[Association, Meter] = WeakKeyDictionary()
        super().__init__(*given, **named)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection."""
        shaking = sum(thread.name.startswith("hilum-dicom") for thread in threading.enumerate())
        return len(self.active_associations) + shaking < self.bounds.connections

    def process_request(self, request: Any, client_address: Any) -> None:
        """Each connection in a thread of its own, from its first byte."""
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="hilum-dicom", daemon=True
        ).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong; the base class prints a traceback."""
        log.exception("a DICOM connection failed")

    def shutdown(self) -> None:
        """Stop taking connections; returns once none is taken any more."""
        socketserver.BaseServer.shutdown(self)
        self.server_close()
