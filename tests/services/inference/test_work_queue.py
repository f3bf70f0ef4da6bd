"""The bounded queue before the model: places, turns, deadlines, callers who leave."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import Future

import pytest
from fastapi.testclient import TestClient

from hilum.release import Release
from services.inference.app import create_app
from services.inference.work import Busy, Waited, WorkQueue
from tests.releases import pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded


def occupied(**options: float) -> tuple[WorkQueue, threading.Event]:
    """A queue whose one worker is held by a gate."""
    work = WorkQueue(workers=1, queue=int(options.pop("queue", 2)), **options)  # type: ignore[arg-type]
    gate, inside = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        gate.wait(20)

    work.submit(hold, kind="hold")
    inside.wait(20)
    return work, gate


def reason(work: WorkQueue, client: str = "") -> str:
    with pytest.raises(Busy) as refused:
        work.submit(lambda: None, client=client)
    return refused.value.reason


def test_beyond_workers_and_queue_a_call_is_refused_at_once() -> None:
    work, gate = occupied(queue=2)
    calls = [work.submit(lambda k=k: k) for k in range(2)]  # type: ignore[misc]
    assert reason(work) == "full"
    with pytest.raises(Busy):
        work.check_room()
    gate.set()
    assert [call.result(20).result for call in calls] == [0, 1]
    assert work.submit(lambda: 7).result(20).result == 7
    work.close()


def test_a_caller_who_gives_up_does_not_free_the_thread_that_works_for_him() -> None:
    async def main() -> None:
        gate, inside = threading.Event(), threading.Event()

        def hold() -> None:
            inside.set()
            gate.wait(20)

        work = WorkQueue(workers=1, queue=0)
        call = asyncio.create_task(work.run(hold))
        await asyncio.to_thread(inside.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(Busy):
            await work.run(lambda: None)
        gate.set()
        while work.running:
            await asyncio.sleep(0.001)
        assert (await work.run(lambda: 7)).result == 7
        work.close()

    asyncio.run(main())


def test_a_waiting_call_whose_caller_leaves_is_never_begun_and_gives_its_place_back() -> None:
    work, gate = occupied(queue=1)
    begun: list[str] = []
    left = work.submit(lambda: begun.append("left"))
    assert reason(work) == "full"
    assert left.cancel()
    stays = work.submit(lambda: begun.append("stays"))
    gate.set()
    stays.result(20)
    work.close()
    assert begun == ["stays"]


def test_an_error_in_the_work_reaches_the_caller_and_frees_his_place() -> None:
    work = WorkQueue(workers=1, queue=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            work.submit(lambda: 1 // 0).result(20)
    work.close()


def test_clients_take_turns_whoever_sent_more() -> None:
    work, gate = occupied(queue=10)
    order: list[str] = []
    calls = [work.submit(lambda c=c: order.append(c), client=c) for c in "aaaaab"]  # type: ignore[misc]
    gate.set()
    for call in calls:
        call.result(20)
    work.close()
    assert order == ["a", "b", "a", "a", "a", "a"]


def test_in_a_full_queue_a_newcomer_takes_the_place_of_who_has_most() -> None:
    sheds: list[str] = []
    work, gate = occupied(queue=3, shed=sheds.append)  # type: ignore[arg-type]
    greedy = [work.submit(lambda k=k: k, client="greedy") for k in range(3)]  # type: ignore[misc]
    assert reason(work, "greedy") == "full"
    newcomer = work.submit(lambda: "new", client="new")
    with pytest.raises(Busy) as refused:
        greedy[2].result(20)
    assert refused.value.reason == "turns"
    gate.set()
    assert [greedy[0].result(20).result, newcomer.result(20).result, greedy[1].result(20).result] == [0, "new", 1]
    work.close()
    assert sheds == ["full", "turns"]


def test_what_can_not_be_answered_in_time_is_refused_before_it_waits() -> None:
    work = WorkQueue(workers=1, queue=100, deadline_seconds=0.2)
    work.submit(lambda: time.sleep(0.06)).result(20)
    calls: list[Future[Waited[None]]] = []
    with pytest.raises(Busy) as refused:
        for _ in range(20):
            calls.append(work.submit(lambda: time.sleep(0.06)))
    assert refused.value.reason == "deadline"
    assert 1 <= len(calls) <= 3
    work.close()


def test_what_waited_too_long_is_refused_and_not_begun() -> None:
    work, gate = occupied(queue=5, deadline_seconds=0.05)
    begun: list[int] = []
    late = work.submit(lambda: begun.append(1))
    time.sleep(0.1)
    gate.set()
    with pytest.raises(Busy) as refused:
        late.result(20)
    assert refused.value.reason == "late"
    work.close()
    assert begun == []


def test_one_slow_film_does_not_end_hope_for_good() -> None:
    work = WorkQueue(workers=1, queue=5, deadline_seconds=0.05)
    work.submit(lambda: time.sleep(0.2)).result(20)
    for _ in range(60):
        work.submit(lambda: None).result(20)
    first, second = work.submit(lambda: 1), work.submit(lambda: 2)
    assert (first.result(20).result, second.result(20).result) == (1, 2)
    work.close()


def test_at_the_end_work_under_way_finishes_and_what_waits_is_refused() -> None:
    work, gate = occupied(queue=5)
    waits = work.submit(lambda: 1)
    closing = threading.Thread(target=work.close)
    closing.start()
    with pytest.raises(Busy) as refused:
        waits.result(20)
    assert refused.value.reason == "draining"
    assert reason(work) == "draining"
    gate.set()
    closing.join(20)
    assert not closing.is_alive()


def test_a_full_service_says_503_and_when_to_come_back(release: Release) -> None:
    app = create_app(settings_for(release.folder, workers=1, queue=0))
    with TestClient(app) as client:
        wait_until_loaded(client)
        gate, inside = threading.Event(), threading.Event()

        def block() -> None:
            inside.set()
            gate.wait(20)

        assert client.portal is not None
        blocked = client.portal.start_task_soon(app.state.serving.run, block)
        inside.wait(20)
        answer = client.post("/v1/predict", files={"file": pattern_film(0)})
        assert client.get("/healthz").status_code == 200
        page = client.get("/metrics").text
        gate.set()
        blocked.result()
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:hilum:problem:busy")
        assert answer.json()["reason"] == "full"
        assert answer.headers["retry-after"] == "1"
        assert 'hilum_sheds_total{reason="full"}' in page
        assert "hilum_workers_busy 1.0" in page
        assert client.post("/v1/predict", files={"file": pattern_film(0)}).status_code == 200


def test_a_result_goes_when_its_caller_has_had_it_without_a_garbage_collection() -> None:
    class Pixels:
        """Something as large as a film."""

    queue = WorkQueue(1, 1)
    gc.collect()
    gc.disable()
    try:
        done = queue.submit(Pixels)
        held = weakref.ref(done.result().result)
        del done
        queue.submit(int).result()  # The thread has let go of the last call when it has done this one.
        assert held() is None
    finally:
        gc.enable()
        queue.close()
