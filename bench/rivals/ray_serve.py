"""Ray Serve with two replicas and its batching: `python -m bench.rivals.ray_serve` in its environment."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bench.rivals.common import MAX_BATCH, MAX_WAIT_MS, PORT, WORKERS, Array, Model


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
class Films:
    """The release behind Ray Serve."""

    def __init__(self) -> None:
        self.model = Model()

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=MAX_WAIT_MS / 1000)
    async def score(self, films: list[Array]) -> list[Array]:
        """Probabilities of several films."""
        return list(await asyncio.to_thread(self.model.run, np.concatenate(films)))

    async def __call__(self, request: Request) -> Response:
        """Films at /films, raw tensors of one film at /tensors."""
        body = await request.body()
        if request.url.path.endswith("/tensors"):
            answer = await self.score(self.model.tensors(body))
            return Response(np.asarray(answer, dtype="<f4").tobytes(), media_type="application/octet-stream")
        film = await asyncio.to_thread(self.model.film, body)
        return JSONResponse({"findings": self.model.named(await self.score(film[np.newaxis]))})


def main() -> None:
    """Serve until SIGTERM."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    ray.init(num_cpus=WORKERS + 1, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Films.bind())
    done.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
