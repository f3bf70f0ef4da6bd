"""The running promoter: its turns, one after another, and what they left for the calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import Depends, Request

from hilum.gates.plan import load_plan
from hilum.storage import open_blobs
from services.promoter import metrics
from services.promoter.bundle import BadBundle
from services.promoter.evidence import Evidence
from services.promoter.git import Git, GitUnavailable
from services.promoter.guard import Guard
from services.promoter.kubernetes import Kubernetes
from services.promoter.prometheus import Prometheus
from services.promoter.promoter import AWAY, Judge, Parts, Promoter
from services.promoter.promotion import BadState
from services.promoter.pulls import Pulls
from services.promoter.records import Records
from services.promoter.registry import Registry
from services.promoter.releases import Releases
from services.promoter.settings import PromoterSettings, secret
from services.promoter.states import State

log = structlog.get_logger("hilum.promoter")
BROKEN = (BadState, BadBundle)
# A turn that is older than so many pauses is no news any more.
STALE_TURNS = 6
LONGEST_TURN_SECONDS = 330


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def parts(settings: PromoterSettings) -> Parts:
    """The real parts. Raises ValueError or OSError where a setting names what is not there."""
    registry = Registry(settings.promoter_mlflow, settings.promoter_model, secret(settings.promoter_mlflow_token))
    store = open_blobs(settings.release_store, settings.s3_endpoint)
    judges: dict[State, Judge] = {}
    plan = load_plan(settings.gate_plan or None)
    figures = Prometheus(settings.promoter_prometheus, plan) if settings.promoter_prometheus else None
    if figures is not None and settings.promoter_guard_gate:
        judges[State.GUARDED] = Guard(figures, plan)
    if settings.promoter_web:
        evidence = Evidence(settings.promoter_web, lambda: secret(settings.promoter_web_token), figures)
        judges |= dict.fromkeys((State.CANARY_SHADOW, State.CANARY_EXPOSED), evidence)
    return Parts(
        git=Git(
            settings.promoter_git,
            settings.promoter_branch,
            settings.data / "promoter.git",
            secret(settings.promoter_git_token),
        ),
        registry=registry,
        releases=Releases(registry, store, Path(settings.trusted_keys)),
        cluster=Kubernetes(
            settings.promoter_cluster,
            settings.promoter_cluster_token,
            settings.promoter_cluster_ca,
            settings.promoter_prefix,
        ),
        records=Records(open_blobs(settings.promoter_records, settings.s3_endpoint)),
        rules=settings.rules(plan),
        clock=utc_now,
        judges=judges,
        pulls=_pulls(settings),
    )


def _pulls(settings: PromoterSettings) -> Pulls | None:
    if not settings.promoter_pulls:
        return None
    token = secret(settings.promoter_git_token)
    return Pulls(settings.promoter_pulls, settings.promoter_branch, token, settings.promoter_pulls_for)


@dataclass
class Service:
    """The promoter and its loop."""

    settings: PromoterSettings
    promoter: Promoter
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = "no turn has ended yet"
    turned_at: datetime | None = None

    def reasons(self) -> list[str]:
        """Why nothing moves now; empty: turns are made. A part that is away for a while is told in the status."""
        if self.reason:
            return [self.reason]
        if self.turned_at is not None:
            allowed = max(STALE_TURNS * self.settings.promoter_seconds, LONGEST_TURN_SECONDS)
            if (utc_now() - self.turned_at).total_seconds() > allowed:
                return ["the last turn was long ago"]
        return []

    def turn(self) -> None:
        """One turn; what goes wrong is told and tried again."""
        try:
            view = self.promoter.turn()
            self.reason, self.turned_at = "", utc_now()
            metrics.show(view, self.turned_at)
            metrics.AWAY.labels("git").set(0)
            metrics.TURNS.labels("away" if view.away else "done").inc()
            for part, why in view.away.items():
                log.warning("does not answer", part=part, reason=why)
        except BROKEN as error:
            self.reason = str(error)
            metrics.TURNS.labels("broken").inc()
            log.error("nothing is done until this is mended", reason=self.reason)
        except AWAY as error:
            self.reason = str(error)
            metrics.AWAY.labels("git").set(isinstance(error, GitUnavailable))
            metrics.TURNS.labels("away").inc()
            log.warning("waits", reason=self.reason)
        except Exception:
            self.reason = "the last turn failed; the reason is in the log"
            metrics.TURNS.labels("broken").inc()
            log.exception("a turn failed")

    async def work(self) -> None:
        """Turn until cancelled; a webhook or a command makes the next turn come at once."""
        while True:
            self.wake.clear()
            await asyncio.to_thread(self.turn)
            try:
                async with asyncio.timeout(self.settings.promoter_seconds):
                    await self.wake.wait()
            except TimeoutError:
                pass


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
