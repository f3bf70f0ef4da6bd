"""The shadow worker: takes studies from the queue, and, when it is idle, those that are owed a pair."""

from __future__ import annotations

import asyncio
import time

import structlog

from hilum.clients.base import Unavailable
from hilum.storage import BlobsUnavailable, DatabaseUnavailable
from services.web.context import Web, utc_now
from services.web.releases import newest_model
from services.web.shadow.canary import Canary
from services.web.shadow.job import do_job
from services.web.shadow.metrics import ASKED, start_series
from services.web.shadow.owed import FRESH_SECONDS, keep_shadow_release, missing_studies, put_off
from services.web.shadow.pairs import key_of

log = structlog.get_logger("hilum.web.shadow")
# How many owed studies are taken at once, and how often they are looked for.
BATCH = 20
LEARN_SECONDS = 30.0
# The longest pause before one study is tried again, in longest pauses of the live path: nobody waits for a pair.
LONGEST = 10


class ShadowWorker:
    """The one worker of this process; `step` never raises."""

    def __init__(self, web: Web, canary: Canary) -> None:
        self.web = web
        self.canary = canary
        self._learnt = self._looked = float("-inf")
        self._kept: object = None

    async def run(self) -> None:
        """Work until cancelled."""
        self.canary.waiting.bind()
        while True:
            pause = await self.step()
            if pause > 0:
                await self.canary.waiting.wait(pause) if self.canary.failures == 0 else await asyncio.sleep(pause)

    async def step(self) -> float:
        """Do one thing; returns how many seconds to wait before the next."""
        uid: str | None = None
        try:
            await self._learn()
            uid = self.canary.take()
            if self.canary.same or (uid is None and not await self._look_for_owed()):
                return self.web.settings.poll_seconds if uid is None else 0.0
            if uid is not None:
                outcome = await do_job(self.web, self.canary, uid)
                ASKED.labels(outcome).inc()
                if outcome == "skipped":
                    # What backfill finds again and again, and can't pair, must not keep it busy.
                    await self._put_off(uid, "nothing to compare")
            return 0.0
        except Unavailable as error:
            if uid is not None and self.canary.model is not None and self.canary.model.release != self._kept:
                # Canary moved on to another release in this very moment: the study is that one's first.
                self.canary.offer(uid)
                return 0.0
            if uid is not None:
                ASKED.labels("unavailable").inc()
                await self._put_off(uid, error.detail)
        except (DatabaseUnavailable, BlobsUnavailable) as error:
            log.warning("shadow work waits for the stores", reason=str(error))
        except Exception as error:
            log.exception("shadow work failed")
            if uid is not None:
                ASKED.labels("unavailable").inc()
                await self._put_off(uid, type(error).__name__)
        return min(0.5 * max(self.canary.failures, 1), self.web.settings.retry_max_seconds)

    async def _learn(self) -> None:
        """Know which release canary serves, and keep it, before anything is owed to it."""
        canary = self.canary
        asked = canary.model is None or time.monotonic() - self._learnt > LEARN_SECONDS
        if asked:
            await canary.learn(utc_now)
            self._learnt = time.monotonic()
        model = canary.model
        assert model is not None  # noqa: S101 - learn gave it
        if self._kept == model.release and not asked:
            return

        def keep() -> bool:
            with self.web.write() as session:
                keep_shadow_release(session, model, utc_now())
                live = newest_model(session)
            if live is None or live.release == model.release:
                return live is not None
            start_series([item.name for item in live.findings], live.release.digest, model.release.digest)
            return False

        canary.same = await canary.in_thread(keep)
        if self._kept != model.release:
            log.info("canary serves a release", release=model.release.digest, version=model.release.version)
        self._kept = model.release

    async def _look_for_owed(self) -> bool:
        """Put owed studies into the queue; whether there were any."""
        settings, model = self.web.settings, self.canary.model
        pause = min(LEARN_SECONDS, 5 * settings.poll_seconds)
        if model is None or time.monotonic() - self._looked < pause:
            return False

        def look() -> list[str]:
            with self.web.read() as session:
                return missing_studies(
                    session,
                    key_of(model.release),
                    now=utc_now(),
                    longest_hours=settings.shadow_backfill_hours,
                    limit=BATCH,
                    fresh_seconds=min(FRESH_SECONDS, pause),
                )

        owed = await self.canary.in_thread(look)
        if len(owed) < BATCH:
            self._looked = time.monotonic()
        for uid in owed[: self.canary.room]:
            self.canary.offer(uid)
        return bool(owed)

    async def _put_off(self, uid: str, reason: str) -> None:
        canary, model = self.canary, self.canary.model
        if model is None:
            return

        def write() -> None:
            with self.web.write() as session:
                # While canary is away altogether no study is to blame.
                put_off(
                    session,
                    uid,
                    model.release.digest,
                    reason,
                    now=utc_now(),
                    counts=not canary.is_away,
                    longest_seconds=LONGEST * self.web.settings.retry_max_seconds,
                )

        try:
            await canary.in_thread(write)
        except DatabaseUnavailable as error:
            log.warning("shadow work waits for the database", reason=str(error))


async def run_shadow(web: Web) -> None:
    """Work until cancelled where canary is configured."""
    if web.canary is not None:
        await ShadowWorker(web, web.canary).run()
