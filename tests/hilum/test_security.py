"""Hostile requests over real sockets: bodies too large, too slow, from elsewhere."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, File, Request
from fastapi.testclient import TestClient

from hilum import problems
from hilum.security import CONTENT_SECURITY_POLICY, BodyLimit, SameOrigin, SecurityHeaders
from tests.servers import Served, head, read_answer, serve

LIMIT = 100_000
IDLE_SECONDS = 0.5


def make_app() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/form")
    async def form(file: Annotated[bytes, File()]) -> dict[str, int]:
        return {"bytes": len(file)}

    @app.get("/page")
    def page() -> dict[str, str]:
        return {"page": "here"}

    app.add_middleware(BodyLimit, max_bytes=LIMIT, idle_seconds=IDLE_SECONDS)
    app.add_middleware(SameOrigin)
    app.add_middleware(SecurityHeaders)
    return app


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serve(make_app()) as served:
        yield served


@pytest.fixture
def client() -> TestClient:
    return TestClient(make_app())


def eventually(true: Callable[[], bool]) -> None:
    """Wait until it holds; a busy machine may take its time."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_declared_upload_of_500_mb_is_refused_before_it_is_read(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(head("POST", "/raw", Content_Length="500000000"))
        status, body = read_answer(connection)
    assert status == 413
    assert json.loads(body)["type"] == "urn:hilum:problem:body-too-large"


def test_a_sender_who_goes_on_sees_the_answer_and_not_a_reset(server: Served) -> None:
    before = resident_bytes()
    with server.connect() as connection:
        connection.sendall(head("POST", "/raw", Content_Length=str(50_000_000)))
        for _ in range(50):
            connection.sendall(bytes(1_000_000))
        status, _ = read_answer(connection)
    assert status == 413
    assert resident_bytes() - before < 20_000_000


@pytest.mark.parametrize("path", ["/raw", "/form"])
def test_a_chunked_body_beyond_the_limit_is_413_and_memory_stays_flat(server: Served, path: str) -> None:
    before = resident_bytes()
    kind = "multipart/form-data; boundary=b" if path == "/form" else "image/png"
    opening = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    with server.connect() as connection:
        connection.sendall(head("POST", path, Transfer_Encoding="chunked", Content_Type=kind))
        connection.sendall(b"%x\r\n%s\r\n" % (len(opening), opening))
        for _ in range(50):
            connection.sendall(b"F4240\r\n" + bytes(1_000_000) + b"\r\n")
        status, body = read_answer(connection)
    assert status == 413
    assert json.loads(body)["status"] == 413
    assert resident_bytes() - before < 20_000_000


def test_a_body_at_the_limit_passes(server: Served) -> None:
    assert httpx.post(f"{server.url}/raw", content=bytes(LIMIT)).json() == {"bytes": LIMIT}
    assert httpx.post(f"{server.url}/raw", content=bytes(LIMIT + 1)).status_code == 413


def test_who_asks_first_is_told_no_and_not_to_go_on(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(head("POST", "/raw", Content_Length="500000000", Expect="100-continue"))
        connection.settimeout(10)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in received


def test_a_sender_who_stalls_is_told_so_and_holds_up_nobody(server: Served) -> None:
    with server.connect() as slow:
        slow.sendall(head("POST", "/raw", Content_Length="1000") + b"x")
        assert httpx.post(f"{server.url}/raw", content=b"quick").json() == {"bytes": 5}
        status, body = read_answer(slow)
    assert status == 408
    assert json.loads(body)["type"] == "urn:hilum:problem:body-too-slow"


def test_a_slow_sender_who_does_not_stall_is_served(server: Served) -> None:
    with server.connect() as slow:
        slow.sendall(head("POST", "/raw", Content_Length="4"))
        waiting = threading.Event()
        for _ in range(4):
            waiting.wait(IDLE_SECONDS * 0.4)
            slow.sendall(b"x")
        status, body = read_answer(slow)
    assert (status, json.loads(body)) == (200, {"bytes": 4})


@pytest.mark.parametrize("length", ["-1", "1e3", "²"])
def test_a_length_that_is_no_number_is_400(length: str) -> None:
    client = TestClient(make_app())
    answer = client.post("/raw", headers={"content-length": length.encode("latin-1")})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == problems.MEDIA_TYPE


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/page"), client.get("/nowhere"), client.post("/raw", content=bytes(LIMIT + 1))):
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"


def test_the_policy_allows_no_inline_script_and_nothing_from_outside() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://testserver"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://testserver"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
        ({"origin": "http://testserver:81"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_a_change_from_another_site_is_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.post("/raw", content=b"x", headers=headers)
    assert answer.status_code == status


def test_a_page_may_be_followed_to_from_another_site(client: TestClient) -> None:
    assert client.get("/page", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_bodies_of_all_requests_together_are_bounded_and_room_comes_back() -> None:
    app = FastAPI()
    problems.install(app)
    begun: list[int] = []

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        begun.append(1)
        return {"bytes": len(await request.body())}

    app.add_middleware(BodyLimit, max_bytes=LIMIT, max_bytes_in_flight=2 * LIMIT)
    with serve(app) as served:

        def post(tenths: int) -> httpx.Response:
            return httpx.post(f"{served.url}/raw", content=bytes(LIMIT * tenths // 10))

        held = [served.connect() for _ in range(4)]
        try:
            # Nobody is refused for what he only announces; the bytes count as they come.
            for connection in held:
                connection.sendall(head("POST", "/raw", Content_Length=str(LIMIT)))
            eventually(lambda: len(begun) == len(held))
            for connection in held[:3]:
                connection.sendall(bytes(LIMIT * 6 // 10))
            eventually(lambda: post(3).status_code == 503)
            held[3].sendall(bytes(LIMIT * 6 // 10))
            refused, body = read_answer(held[3])
            assert (refused, json.loads(body)["type"]) == (503, "urn:hilum:problem:busy")
            answer = post(9)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert httpx.post(f"{served.url}/raw", content=b"small").status_code == 200
            # Who leaves, and who is answered, makes room.
            held[1].close()
            eventually(lambda: post(6).status_code == 200)
            held[0].sendall(bytes(LIMIT - LIMIT * 6 // 10))
            assert read_answer(held[0])[0] == 200
            eventually(lambda: post(9).status_code == 200)
        finally:
            for connection in held:
                connection.close()


def test_a_body_that_trickles_in_is_refused_though_it_never_stops() -> None:
    app = FastAPI()
    problems.install(app)

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    app.add_middleware(BodyLimit, max_bytes=LIMIT, grace_seconds=1.0, min_bytes_per_second=1_000.0)
    with serve(app) as served, served.connect() as connection:
        connection.settimeout(0.05)
        connection.sendall(head("POST", "/raw", Content_Length="10000"))
        answer = b""
        for _ in range(200):
            connection.sendall(b"x")
            try:
                answer += connection.recv(4096)
            except TimeoutError:
                continue
            break
        assert b" 408 " in answer
        assert b"body-too-slow" in answer or b"body-too-slow" in connection.recv(4096)
        # One that is quick enough takes longer than the grace and is answered.
        with served.connect() as quick:
            quick.sendall(head("POST", "/raw", Content_Length="6000"))
            for _ in range(12):
                threading.Event().wait(0.1)
                quick.sendall(bytes(500))
            assert read_answer(quick)[0] == 200
