"""A sender who leaves while his film waits."""

from __future__ import annotations

import threading
import time

import httpx

from hilum.release import Release
from services.inference.app import create_app
from tests.releases import pattern_film
from tests.servers import head, serve
from tests.services.inference.conftest import settings_for
from tests.services.inference.test_over_http import wait_until_ready


def test_his_film_is_not_begun_and_its_place_is_free_again(release: Release) -> None:
    app = create_app(settings_for(release.folder, workers=1, queue=3))
    with serve(app) as served:
        wait_until_ready(served.url)
        queue = app.state.serving._queue
        gate, inside = threading.Event(), threading.Event()

        def hold() -> None:
            inside.set()
            gate.wait(20)

        queue.submit(hold)
        inside.wait(20)
        request = httpx.Request("POST", f"{served.url}/v1/predict", files={"file": pattern_film(1)})
        body = request.read()
        top = head("POST", "/v1/predict", Content_Length=str(len(body)), Content_Type=request.headers["content-type"])
        senders = [served.connect() for _ in range(3)]
        for sender in senders:
            sender.sendall(top + body)
        until(lambda: queue.waiting == 3)
        time.sleep(0.1)
        for sender in senders[:2]:
            sender.close()
        until(lambda: queue.waiting == 1)
        gate.set()
        assert senders[2].recv(12) == b"HTTP/1.1 200"
        senders[2].close()
        assert httpx.post(f"{served.url}/v1/predict", files={"file": pattern_film(1)}).status_code == 200


def until(true: object, seconds: float = 10.0) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)
