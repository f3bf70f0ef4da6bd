"""The bounded queue before the model."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fastapi.testclient import TestClient

from hilum.release import Release
from services.inference.app import create_app
from services.inference.work import Busy, WorkQueue
from tests.releases import pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded


def test_beyond_workers_and_queue_a_call_is_refused_at_once() -> None:
    async def main() -> None:
        gate = threading.Event()
        work = WorkQueue(workers=1, queue=2)
        calls = [asyncio.create_task(work.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await work.run(lambda: None)
        gate.set()
        done = await asyncio.gather(*calls)
        assert [d.result for d in done] == [True] * 3
        assert (await work.run(lambda: 7)).result == 7
        work.close()

    asyncio.run(main())


def test_a_caller_who_gives_up_does_not_free_the_thread_that_works_for_him() -> None:
    async def main() -> None:
        gate = threading.Event()
        work = WorkQueue(workers=1, queue=0)
        call = asyncio.create_task(work.run(gate.wait))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(Busy):
            await work.run(lambda: None)
        gate.set()
        while True:
            try:
                assert (await work.run(lambda: 7)).result == 7
                break
            except Busy:
                await asyncio.sleep(0.001)
        work.close()

    asyncio.run(main())


def test_an_error_in_the_work_reaches_the_caller_and_frees_his_place() -> None:
    async def main() -> None:
        work = WorkQueue(workers=1, queue=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await work.run(lambda: 1 // 0)
            await asyncio.sleep(0)
        work.close()

    asyncio.run(main())


def test_a_full_service_says_503_and_when_to_come_back(release: Release) -> None:
    app = create_app(settings_for(release.folder, workers=1, queue=0))
    with TestClient(app) as client:
        wait_until_loaded(client)
        gate, inside = threading.Event(), threading.Event()

        def block() -> None:
            inside.set()
            gate.wait()

        assert client.portal is not None
        blocked = client.portal.start_task_soon(app.state.serving.run, block)
        inside.wait()
        answer = client.post("/v1/predict", files={"file": pattern_film(0)})
        assert client.get("/healthz").status_code == 200
        gate.set()
        blocked.result()
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:hilum:problem:busy")
        assert answer.headers["retry-after"] == "1"
        assert client.post("/v1/predict", files={"file": pattern_film(0)}).status_code == 200
