"""Callers that share calls of the model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.inference.batching import Batching
from services.inference.cost import Cost
from services.inference.scorer import Scorer
from services.inference.sessions import Array

DEAR = Cost(per_film=0.001, per_call=0.01)
CHEAP = Cost(per_film=0.01, per_call=0.0)


class Gated:
    """A real session whose calls wait for a gate; 'bad' films break the call they are in."""

    provider = "cpu"

    def __init__(self, scorer: Scorer) -> None:
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self._session = scorer.opened.session

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        self.entered.release()
        self.gate.wait(20)
        if (batch == 99).any():
            raise RuntimeError("a call that breaks")
        return self._session.run(outputs, batch)


def films(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 1, 128, 128)).astype(np.float32)


def wait_for(batching: Batching, count: int) -> None:
    for _ in range(2000):
        if batching.waiting == count:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{batching.waiting} calls wait, not {count}")


def test_films_that_gather_while_the_model_is_busy_share_the_next_call_and_each_gets_its_own(scorer: Scorer) -> None:
    sizes: list[int] = []
    session = Gated(scorer)
    batching = Batching(session, DEAR, lanes=1, largest=64, observe=sizes.append)
    batches = [films(1 + k % 3, seed=k) for k in range(7)]
    with ThreadPoolExecutor(7) as pool:
        first = pool.submit(batching.run, ("logits", "embedding"), batches[0])
        session.entered.acquire()
        rest = [pool.submit(batching.run, ("logits", "embedding"), batch) for batch in batches[1:]]
        wait_for(batching, 6)
        session.gate.set()
        answers = [call.result(20) for call in (first, *rest)]
    assert sizes == [1, sum(len(batch) for batch in batches[1:])]
    for batch, (logits, embedding) in zip(batches, answers, strict=True):
        expected = scorer.opened.session.run(("logits", "embedding"), batch)
        np.testing.assert_allclose(logits, expected[0], atol=1e-5)
        np.testing.assert_allclose(embedding, expected[1], atol=1e-5)


def test_where_batching_does_not_pay_each_call_stays_alone_in_its_lane(scorer: Scorer) -> None:
    sizes: list[int] = []
    session = Gated(scorer)
    batching = Batching(session, CHEAP, lanes=2, largest=64, observe=sizes.append)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(batching.run, ("logits",), films(1, k)) for k in range(4)]
        session.entered.acquire()
        session.entered.acquire()
        wait_for(batching, 2)
        assert not session.entered.acquire(blocking=False), "more calls at once than lanes"
        session.gate.set()
        assert all(len(call.result(20)[0]) == 1 for call in calls)
    assert sizes == [1, 1, 1, 1]


def test_callers_who_want_other_outputs_do_not_share_a_call(scorer: Scorer) -> None:
    sizes: list[int] = []
    session = Gated(scorer)
    batching = Batching(session, DEAR, lanes=1, largest=64, observe=sizes.append)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batching.run, ("logits",), films(1))
        session.entered.acquire()
        others = [pool.submit(batching.run, (name,), films(1)) for name in ("logits",)]
        wait_for(batching, 1)
        others += [pool.submit(batching.run, (name,), films(1)) for name in ("embedding", "activation")]
        wait_for(batching, 3)
        session.gate.set()
        shapes = [call.result(20)[0].ndim for call in (first, *others)]
    assert sorted(shapes) == [2, 2, 2, 4]
    assert sizes == [1, 1, 1, 1]


def test_a_call_that_breaks_breaks_for_those_in_it_and_for_nobody_after(scorer: Scorer) -> None:
    session = Gated(scorer)
    batching = Batching(session, DEAR, lanes=1, largest=64)
    with ThreadPoolExecutor(3) as pool:
        bad = pool.submit(batching.run, ("logits",), np.full((1, 1, 128, 128), 99, dtype=np.float32))
        session.entered.acquire()
        good = [pool.submit(batching.run, ("logits",), films(1, k)) for k in range(2)]
        wait_for(batching, 2)
        session.gate.set()
        with pytest.raises(RuntimeError, match="breaks"):
            bad.result(20)
        assert all(len(call.result(20)[0]) == 1 for call in good)
    assert len(batching.run(("logits",), films(3))[0]) == 3


def test_a_large_tensor_is_cut_into_calls_and_comes_back_whole(scorer: Scorer) -> None:
    sizes: list[int] = []
    batching = Batching(scorer.opened.session, CHEAP, lanes=1, largest=64, observe=sizes.append)
    batch = films(19)
    (logits,) = batching.run(("logits",), batch)
    assert sizes == [8, 8, 3]
    np.testing.assert_allclose(logits, scorer.opened.session.run(("logits",), batch)[0], atol=1e-5)


def test_hundreds_of_calls_from_many_threads_all_get_their_own_answer(scorer: Scorer) -> None:
    batching = Batching(scorer.opened.session, DEAR, lanes=1, largest=16)
    batches = [films(1 + k % 4, seed=k) for k in range(12)]
    expected = [scorer.opened.session.run(("logits",), batch)[0] for batch in batches]

    def ask(k: int) -> bool:
        return bool(np.allclose(batching.run(("logits",), batches[k % 12])[0], expected[k % 12], atol=1e-5))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(480)))
    assert batching.waiting == 0
