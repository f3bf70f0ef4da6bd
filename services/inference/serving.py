"""What the running service holds: the one scorer, or the reason why there is none, and the queue before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import structlog
from fastapi import Depends, Request

from hilum.imaging import Limits
from hilum.problems import Problem
from hilum.release import BadRelease
from services.inference import metrics
from services.inference.loading import load
from services.inference.scorer import Scorer
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
        self._queue = WorkQueue(settings.workers, settings.queue)
        metrics.MODEL_READY.set(0)

    async def keep_loading(self) -> None:
        """Load the release; while that fails, say why and try the same folder again."""
        while self._scorer is None:
            try:
                scorer = await asyncio.to_thread(load, self.settings)
            except BadRelease as error:
                self._fail(str(error))
            except Exception as error:
                log.exception("the release can't be loaded")
                self._fail(f"the release can't be loaded: {type(error).__name__}")
            else:
                metrics.announce(scorer)
                self._scorer, self.reason = scorer, None
                log.info("ready", release=scorer.release.digest, precision=scorer.variant.precision)
                return
            await asyncio.sleep(RETRY_SECONDS)

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

    async def run(self, work: Callable[[], T]) -> Waited[T]:
        """Run `work` in a worker's thread; raises Busy."""
        return await self._queue.run(work)

    def close(self) -> None:
        """Finish the films under way."""
        self._queue.close()
        metrics.MODEL_READY.set(0)


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


def _scorer(request: Request) -> Scorer:
    return _serving(request).scorer


ServingDep = Annotated[Serving, Depends(_serving)]
ScorerDep = Annotated[Scorer, Depends(_scorer)]
