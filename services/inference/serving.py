"""What the running service holds: the one scorer, or the reason why there is none, and the queue before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import structlog
from fastapi import Depends, Request

from hilum.imaging import Limits
from hilum.problems import Problem
from hilum.release import BadRelease
from services.inference import expected, heap, metrics, spans
from services.inference.assess import Assessment, assess, explain
from services.inference.loading import load
from services.inference.scorer import Array, Outputs, Scorer
from services.inference.settings import InferenceSettings
from services.inference.work import Waited, WorkQueue

T = TypeVar("T")
# A release that is still being copied into its folder is tried again; it is never replaced by another.
RETRY_SECONDS = 10.0

log = structlog.get_logger("hilum.inference")


class Serving:
    """The state behind the routes. The release is loaded once and never exchanged."""

    def __init__(self, settings: InferenceSettings) -> None:
        self.settings = settings
        self.limits = Limits(max_pixels=settings.max_pixels)
        self.reason: str | None = "the release is being loaded"
        self._scorer: Scorer | None = None
        self._ending = False
        self._tried = asyncio.Event()
        self._queue = WorkQueue(settings.workers, settings.queue, settings.deadline_seconds, metrics.shed)
        metrics.watch(self._queue)
        metrics.MODEL_READY.set(0)

    async def keep_loading(self) -> None:
        """Load the release; while that fails, say why and try the same folder again."""
        while self._scorer is None:
            try:
                scorer = await asyncio.to_thread(load, self.settings, self._observe)
            except BadRelease as error:
                self._fail(str(error))
            except Exception as error:
                log.exception("the release can't be loaded")
                self._fail(f"the release can't be loaded: {type(error).__name__}")
            else:
                metrics.announce(scorer)
                expected.announce(scorer)
                self._scorer = scorer
                if self._ending:
                    return
                self.reason = None
                log.info("ready", release=scorer.release.digest, precision=scorer.variant.precision)
                return
            finally:
                self._tried.set()
            await asyncio.sleep(RETRY_SECONDS)

    async def tried(self) -> None:
        """Wait until the release was loaded, or its first loading failed."""
        await self._tried.wait()

    async def keep_sampling(self) -> None:
        """One of several processes: keep the queue's gauges true."""
        await metrics.sample(self._queue)

    async def keep_resting(self) -> None:
        """Give memory back whenever no film came for a while."""
        await heap.at_rest(lambda: self._queue.begun, self.settings.rest_seconds)

    def _fail(self, reason: str) -> None:
        if reason != self.reason:
            log.error("not ready", reason=reason)
        self.reason = reason

    @property
    def scorer(self) -> Scorer:
        """The scorer; raises the 503 problem that says why there is none."""
        if self._scorer is None:
            raise Problem(503, "not-ready", f"No release is served: {self.reason}.", headers={"Retry-After": "5"})
        return self._scorer

    def drain(self) -> None:
        """Say not ready from now on, and go on answering: who asks /readyz sends the next request elsewhere."""
        self._ending = True
        self.reason = "the process is ending"
        metrics.MODEL_READY.set(0)

    def _observe(self, films: int) -> None:
        if self._scorer is not None:
            metrics.BATCH.labels(self._scorer.release.digest, self._scorer.variant.precision).observe(films)

    def client_of(self, request: Request) -> str:
        """Who takes turns: the value of HILUM_CLIENT_HEADER, else the sender's address, which no header can change."""
        if self.settings.client_header and (name := request.headers.get(self.settings.client_header)):
            return name[:128]
        return request.client.host if request.client is not None else ""

    def check_room(self, client: str = "") -> None:
        """Raise Busy where a film would not be taken now: asked before its body is read."""
        self._queue.check_room(client)

    async def predict(self, data: bytes, *, client: str = "", features: bool = False) -> Waited[Assessment]:
        """Decode and score one film; raises Busy, BadFilm, NotScorable, or the 503 problem."""
        done = await self.run(partial(assess, self.scorer, data, self.limits, features=features), client=client)
        spans.tell(done)
        return done

    async def explain(self, data: bytes, finding: str, *, client: str = "") -> Waited[bytes]:
        """The heat map of `finding`, PNG; raises as `predict`, and KeyError for an unknown name."""
        return await self.run(partial(explain, self.scorer, data, self.limits, finding), client=client, kind="explain")

    async def infer(self, batch: Array, *, client: str = "") -> Waited[Outputs]:
        """Run the model on preprocessed films (n, 1, height, width); raises Busy, NotScorable, or the 503 problem."""
        return await self.run(partial(self.scorer.run, batch), client=client, kind="tensor", size=len(batch))

    async def run(self, work: Callable[[], T], *, client: str = "", kind: str = "film", size: int = 1) -> Waited[T]:
        """Run blocking `work` in a worker's thread by turns; `kind` and `size`: how long it may take. Raises Busy."""
        return await self._queue.run(work, client=client, kind=kind, size=size)

    def close(self) -> None:
        """Finish the films under way."""
        self._queue.close()
        metrics.MODEL_READY.set(0)


def serving_of(request: Request) -> Serving:
    """What the application holds, without FastAPI's walk through dependencies: for the calls that films come by."""
    serving: Serving = request.app.state.serving
    return serving


async def _serving(request: Request) -> Serving:
    return serving_of(request)


# Coroutines, though nothing is awaited: FastAPI would send a plain function to a thread and back.
ServingDep = Annotated[Serving, Depends(_serving)]


async def _scorer(serving: ServingDep) -> Scorer:
    return serving.scorer


ScorerDep = Annotated[Scorer, Depends(_scorer)]
