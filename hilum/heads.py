"""Heads of requests that never end: uvicorn bounds neither how long one may take nor how large it may grow."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Node's and Apache's (mod_reqtimeout) defaults lie between 20 and 60 seconds.
HEAD_SECONDS = 20.0
MAX_HEAD_BYTES = 65_536
_REFUSED = b"HTTP/1.1 %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"


def _answer(status: int, phrase: str, detail: str) -> bytes:
    kind = phrase.lower().replace(" ", "-")
    body = (
        f'{{"type":"urn:hilum:problem:{kind}","title":"{phrase.capitalize()}","status":{status},"detail":"{detail}"}}'
    ).encode()
    return _REFUSED % (f"{status} {phrase}".encode(), len(body), body)


class HeadGuard(HttpToolsProtocol):
    """uvicorn's protocol; a connection whose head is not whole in HEAD_SECONDS, or is too large, is closed.

    The time runs from the opening of the connection, and on a kept one from the first byte of the next head.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._overdue: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first head."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is still a head afterwards counts."""
        if self._overdue is None and (self.cycle is None or self.cycle.response_complete):
            self._arm()
        super().data_received(data)
        if self._overdue is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._end(
                    _answer(431, "Request Header Fields Too Large", f"A head has at most {MAX_HEAD_BYTES} bytes.")
                )

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._disarm()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Bytes that are no HTTP are answered as every other mistake is."""
        self._end(_answer(400, "Bad Request", "This is not an HTTP request that can be read."))

    def _arm(self) -> None:
        self._head_bytes = 0
        self._overdue = self.loop.call_later(HEAD_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _late(self) -> None:
        detail = f"The head of the request was not whole in {HEAD_SECONDS:g} seconds; send it again."
        # Who sent nothing at all (a probe, a browser's spare connection) is closed without a word.
        self._end(_answer(408, "Request Timeout", detail) if self._head_bytes else b"")

    def _end(self, answer: bytes) -> None:
        self._disarm()
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is None or transport.is_closing():
            return
        if answer:
            transport.write(answer)
        transport.close()
