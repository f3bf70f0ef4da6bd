"""Ending without losing a request: what was sent is answered, what comes later is refused at its connection.

uvicorn alone closes idle connections at once, where a request may just have arrived, and drops connections that the
kernel took but the loop did not yet see.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import cast

import structlog
import uvicorn

# How long a connection taken at the last moment may need to send its request.
LINGER_SECONDS = 1.0
_LOOK_SECONDS = 0.05
# asm-generic/socket.h and linux/filter.h: a socket filter of one instruction, "return 0 bytes": drop the packet.
_SO_ATTACH_FILTER = 26
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)

log = structlog.get_logger("hilum.inference")


def _take_no_more(listening: socket.socket) -> None:
    """Let nothing new into the kernel's queue, and leave what is in it (Linux).

    What comes between the last accept and the close would be reset: its sender had seen a connection. A dropped packet
    is sent again after a second, and then reaches another process or is refused.
    """
    if not sys.platform.startswith("linux"):
        return
    instruction = ctypes.create_string_buffer(_DROP, len(_DROP))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(instruction)))


class DrainingServer(uvicorn.Server):
    """On SIGTERM: say not ready, answer for `drain_seconds` with `Connection: close`, stop listening, finish."""

    def __init__(self, config: uvicorn.Config, drain_seconds: float, draining: Callable[[], object]) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._draining = draining

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then end as uvicorn does. Ctrl-C does not wait: a person does."""
        drain_seconds = self._drain_seconds if signal.SIGTERM in self._captured_signals else 0.0
        self._draining()
        log.info("ending", drain_seconds=drain_seconds)
        # In place: answers that are being made carry it too.
        self.server_state.default_headers.append((b"connection", b"close"))
        await self._until(drain_seconds, lambda: False)
        await self._stop_listening(sockets or [])
        await self._until(LINGER_SECONDS, lambda: not self.server_state.connections)
        await super().shutdown(sockets)

    async def _until(self, seconds: float, done: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done() and not self.force_exit:
            await asyncio.sleep(_LOOK_SECONDS)

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        # A second descriptor keeps the kernel's queue alive while the loop lets go of the first.
        spares = [sock.dup() for sock in sockets]
        for spare in spares:
            _take_no_more(spare)
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        for spare in spares:
            spare.setblocking(False)
            waiting = []
            try:
                while True:
                    waiting.append(spare.accept()[0])
            except OSError:
                spare.close()
            for connection in waiting:
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        config = self.config
        kind = cast("Callable[..., asyncio.Protocol]", config.http_protocol_class)
        return kind(config=config, server_state=self.server_state, app_state=self.lifespan.state)
