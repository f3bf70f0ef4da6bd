"""A real HTTP server in a thread, for tests that need a socket; and raw requests that no client would send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp


@dataclass(frozen=True)
class Served:
    """Where an application answers."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://{self.host}:{self.port}"

    def connect(self, timeout: float = 20.0) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host, self.port), timeout=timeout)


@contextmanager
def serve(app: ASGIApp, start_seconds: float = 20.0) -> Iterator[Served]:
    """Serve `app` with uvicorn on a free port of this machine, with its lifespan."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + start_seconds
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the application did not start")
        time.sleep(0.01)
    try:
        yield Served("127.0.0.1", listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def head(method: str, path: str, **headers: str) -> bytes:
    """The head of a raw request; underscores in the names of `headers` stand for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the answer on `connection`, whose length is declared."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    top, _, body = received.partition(b"\r\n\r\n")
    status = int(top.split(b" ", 2)[1])
    declared = [line for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(declared[0].split(b":")[1]) if declared else 0
    while len(body) < length:
        body += _some(connection)
    return status, body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the server closed the connection within its answer")
    return data
