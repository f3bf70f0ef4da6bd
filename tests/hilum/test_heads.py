"""Heads that never end, over real sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from hilum import heads
from tests.servers import Served, head, read_answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.4)
    app = FastAPI()

    @app.get("/page")
    async def page() -> dict[str, str]:
        return {"page": "here"}

    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, http=heads.HeadGuard, log_config=None, timeout_keep_alive=30))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        threading.Event().wait(0.01)
    yield Served("127.0.0.1", listener.getsockname()[1])
    running.should_exit = True
    thread.join(10)
    listener.close()


def test_a_head_that_does_not_end_is_answered_408_and_closed(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        status, body = read_answer(connection)
        assert status == 408
        assert json.loads(body)["type"] == "urn:hilum:problem:request-timeout"
        assert connection.recv(10) == b""


def test_bytes_that_are_no_http_are_answered_400_and_closed(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"\x16\x03\x01 this is not http\r\n\r\n")
        status, body = read_answer(connection)
        assert (status, json.loads(body)["status"]) == (400, 400)
        assert connection.recv(10) == b""


def test_a_connection_on_which_nothing_comes_is_closed(server: Served) -> None:
    with server.connect() as connection:
        assert connection.recv(10) == b""


def test_a_head_without_bound_is_answered_431_and_closed(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n")
        try:
            for k in range(2_000):
                connection.sendall(b"X-%d: %s\r\n" % (k, b"y" * 1000))
        except OSError:
            pass
        try:
            status, body = read_answer(connection)
        except ConnectionError:
            return  # Reset while it still sent: the connection is closed all the same.
        assert status == 431
        assert json.loads(body)["type"] == "urn:hilum:problem:request-header-fields-too-large"


def test_a_kept_connection_is_timed_from_the_next_heads_first_byte(server: Served) -> None:
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(head("GET", "/page"))
            assert read_answer(connection)[0] == 200
            # Longer than a head may take: an idle kept connection is no slow head.
            threading.Event().wait(0.6)
        connection.sendall(b"GET /pa")
        assert read_answer(connection)[0] == 408
