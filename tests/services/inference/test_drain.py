"""SIGTERM under load, as a real process: every request is answered or refused at its connection."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time

import httpx

from hilum.release import Release
from tests.releases import FINDINGS, pattern_film
from tests.servers import head, read_answer
from tests.services.inference.test_over_http import process, wait_until_ready


class Load:
    """Callers that send one film after another until their connection is refused."""

    def __init__(self, url: str, *, keep_alive: bool) -> None:
        self.answers: list[int] = []
        self.cut: list[str] = []
        self._url, self._keep_alive = url, keep_alive
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        film = pattern_film(0)
        headers = {} if self._keep_alive else {"Connection": "close"}
        with httpx.Client(trust_env=False, timeout=20, headers=headers) as client:
            while True:
                try:
                    self.answers.append(client.post(f"{self._url}/v1/predict", files={"file": film}).status_code)
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    self.cut.append(f"{type(error).__name__} {error}")

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_under_load_no_request_is_lost_while_the_process_ends(release: Release) -> None:
    with process(release.folder, HILUM_DRAIN_SECONDS="0.5") as (running, url):
        wait_until_ready(url)
        callers = [Load(url, keep_alive=k % 2 == 0) for k in range(6)]
        while min(len(caller.answers) for caller in callers) < 3:
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join()
        assert running.wait(15) in {0, -signal.SIGTERM}
    assert [caller.cut for caller in callers] == [[]] * 6
    assert {status for caller in callers for status in caller.answers} == {200}


def test_while_it_drains_it_says_not_ready_answers_and_closes_its_connections(release: Release) -> None:
    with process(release.folder, HILUM_DRAIN_SECONDS="1") as (running, url):
        wait_until_ready(url)
        running.send_signal(signal.SIGTERM)
        ready = httpx.get(f"{url}/readyz", trust_env=False)
        while ready.status_code == 200:
            ready = httpx.get(f"{url}/readyz", trust_env=False)
        assert ready.json() == {"ready": False, "reasons": ["the process is ending"]}
        assert ready.headers["connection"] == "close"
        answer = httpx.post(f"{url}/v1/predict", files={"file": pattern_film(1)}, trust_env=False)
        assert [f["name"] for f in answer.json()["findings"] if f["present"]] == [FINDINGS[1]]


def test_a_connection_that_the_kernel_took_at_the_last_moment_is_answered(release: Release) -> None:
    with process(release.folder, HILUM_DRAIN_SECONDS="0") as (running, url):
        wait_until_ready(url)
        request = httpx.Request("POST", f"{url}/v1/predict", files={"file": pattern_film(1)})
        body = request.read()
        top = head("POST", "/v1/predict", Content_Length=str(len(body)), Content_Type=request.headers["content-type"])
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as connection:
            running.send_signal(signal.SIGTERM)
            time.sleep(0.4)
            connection.sendall(top + body)
            status, answer = read_answer(connection)
    assert status == 200
    assert [f["name"] for f in json.loads(answer)["findings"] if f["present"]] == [FINDINGS[1]]
