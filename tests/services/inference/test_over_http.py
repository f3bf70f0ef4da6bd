"""The service over real sockets and as a real process."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hilum.release import Release
from tests.releases import FINDINGS, pattern_film
from tests.servers import Served, head, read_answer


def wait_until_ready(url: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("not ready in time")


@contextmanager
def process(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m services.inference` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "HILUM_RELEASE": str(folder), "HILUM_TRUSTED_KEYS": "", "HILUM_PORT": str(port), **environment}
    running = subprocess.Popen([sys.executable, "-m", "services.inference"], env=env, stderr=subprocess.PIPE)
    try:
        yield running, f"http://127.0.0.1:{port}"
    finally:
        if running.poll() is None:
            running.kill()
        running.communicate()


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def _ready(server: Served) -> None:
    wait_until_ready(server.url)


def test_many_callers_at_once_each_get_their_own_films_answer(server: Served) -> None:
    def named(k: int) -> list[str]:
        answer = httpx.post(f"{server.url}/predict", json={"image": _base64(k)}, timeout=30)
        return list(answer.json()["predictions"])

    wanted = [k for k in range(len(FINDINGS)) if FINDINGS[k] != "Hernia"] * 8
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(named, wanted)) == [[FINDINGS[k]] for k in wanted]


def _base64(k: int) -> str:
    return base64.b64encode(pattern_film(k)).decode()


def test_an_upload_of_500_mb_is_refused_at_once(server: Served) -> None:
    with server.connect() as connection:
        form = "multipart/form-data; boundary=b"
        connection.sendall(head("POST", "/v1/predict", Content_Length="500000000", Content_Type=form))
        status, body = read_answer(connection)
    assert status == 413
    assert json.loads(body)["type"] == "urn:hilum:problem:body-too-large"


def test_a_sender_who_leaves_within_his_film_harms_nobody(server: Served) -> None:
    form = "multipart/form-data; boundary=b"
    for _ in range(5):
        with server.connect() as connection:
            connection.sendall(head("POST", "/v1/predict", Content_Length="100000", Content_Type=form) + b"--b\r\n")
    answer = httpx.post(f"{server.url}/v1/predict", files={"file": pattern_film(0)})
    assert answer.status_code == 200


def test_slow_senders_do_not_hold_up_a_quick_one(server: Served) -> None:
    form = "multipart/form-data; boundary=b"
    slow = [server.connect() for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(head("POST", "/v1/predict", Content_Length="1000", Content_Type=form) + b"--b")
        assert httpx.post(f"{server.url}/v1/predict", files={"file": pattern_film(0)}).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_garbage_instead_of_http_is_survived(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is not http\r\n\r\n")
        connection.recv(1000)
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_memory_stays_flat_under_a_chunked_body_without_end(release: Release) -> None:
    with process(release.folder, HILUM_MAX_BODY_BYTES="2000000") as (running, url):
        wait_until_ready(url)
        httpx.post(f"{url}/v1/predict", files={"file": pattern_film(0)})
        before = resident_bytes(running.pid)
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            form = "multipart/form-data; boundary=b"
            connection.sendall(head("POST", "/v1/predict", Transfer_Encoding="chunked", Content_Type=form))
            opening = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            connection.sendall(b"%x\r\n%s\r\n" % (len(opening), opening))
            for _ in range(100):
                connection.sendall(b"F4240\r\n" + bytes(1_000_000) + b"\r\n")
            status, _ = read_answer(connection)
        assert status == 413
        assert resident_bytes(running.pid) - before < 20_000_000


def test_sigterm_lets_the_film_under_way_finish(release: Release) -> None:
    with process(release.folder) as (running, url):
        wait_until_ready(url)
        request = httpx.Request("POST", f"{url}/v1/predict", files={"file": pattern_film(1)})
        body = request.read()
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            top = head(
                "POST", "/v1/predict", Content_Length=str(len(body)), Content_Type=request.headers["content-type"]
            )
            connection.sendall(top + body[:-10])
            time.sleep(0.3)
            running.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body[-10:])
            status, answer = read_answer(connection)
        assert status == 200
        assert [f["name"] for f in json.loads(answer)["findings"] if f["present"]] == [FINDINGS[1]]
        # uvicorn raises the signal again once it is done.
        assert running.wait(15) in {0, -signal.SIGTERM}


def test_a_process_whose_release_is_broken_stays_up_and_says_why(tmp_path: Path) -> None:
    with process(tmp_path / "nothing") as (running, url):
        for _ in range(200):
            try:
                answer = httpx.get(f"{url}/readyz")
                if "being loaded" not in answer.text:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["no manifest.json in nothing: not a release"]
        assert running.poll() is None
