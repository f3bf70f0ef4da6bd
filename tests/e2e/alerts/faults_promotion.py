"""A promotion that goes wrong: tests/e2e/promotion's site, its promoter on the host, scraped like any other.

Its namespaces `promo-*` are made and taken down here. Canary's deadline is minutes where a site's is days.
"""

from __future__ import annotations

import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from hilum.release.signing import new_key
from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.monitor import PROMOTER_PORT
from tests.e2e.alerts.site import Site as Hospital
from tests.e2e.cluster.kube import kubectl
from tests.e2e.promotion import candidates, ground, steps
from tests.e2e.promotion import site as promotion
from tests.e2e.promotion.__main__ import GIT, image

# Two minutes are a day in time 720: older than a day, and less than a day to the deadline.
CANARY_DAYS = 5 / 60 / 24
_MADE: dict[str, Any] = {}


def _site() -> promotion.Site:
    found: promotion.Site = _MADE["site"]
    return found


def _stands(_: Hospital) -> None:
    """The three environments, MLflow, the reading room and the promoter, once."""
    if "site" in _MADE:
        return
    folder = tempfile.TemporaryDirectory(prefix="hilum-alerts-")
    _MADE["folder"] = folder
    _MADE["site"] = site = promotion.Site(Path(folder.name), GIT, image(), new_key())
    steps.the_environments_stand(site)
    steps.the_services_start(site)
    _listens(site)


def _listens(site: promotion.Site) -> None:
    """The promoter where Prometheus looks for it, which is not this host's loopback."""
    assert site.promoter is not None
    site.promoter.kill()
    given = {"HILUM_HOST": "0.0.0.0", "HILUM_PORT": str(PROMOTER_PORT)}
    site.promoter._environment |= given | {"HILUM_PROMOTER_CANARY_DAYS": str(CANARY_DAYS)}
    site.promoter.url = f"http://127.0.0.1:{PROMOTER_PORT}"
    promotion.started(site.promoter)
    site.until("the promoter's first turn", {"waiting"}, 120)


def _other_order(_: Hospital) -> float:
    """Findings under one another's names: staging's gate finds it. Counted from the gate's verdict."""
    release = _site().release("2.1.0", candidates.reordered)
    _site().ask(release)
    ended = _site().ended(release.digest, 600)
    assert ended["state"] == "rejected" and ended["failed"]["environment"] == "staging", ended
    return datetime.fromisoformat(ended["timeline"][-1]["at"]).timestamp()


def _no_evidence(_: Hospital) -> float:
    """A good release reaches canary, and Prometheus, which its gate asks, is away."""
    site = _site()
    site.ask(site.release("2.2.0"))
    site.until("staging's gate", {"canary-shadow"}, 600)
    kubectl("-n", ground.STORE, "scale", "deployment/prometheus", "--replicas=0")
    return time.time()


def _evidence(_: Hospital) -> None:
    kubectl("-n", ground.STORE, "scale", "deployment/prometheus", "--replicas=1")


def _no_registry(_: Hospital) -> float:
    mlflow = _site().mlflow
    assert mlflow is not None
    mlflow.stop()
    return time.time()


def _registry(_: Hospital) -> None:
    mlflow = _site().mlflow
    assert mlflow is not None
    mlflow.start()


def over(_: Hospital) -> None:
    """Everything of it is taken down."""
    site = _MADE.pop("site", None)
    if site is not None:
        site.close()
        ground.take_down()
        _MADE.pop("folder").cleanup()


FAULTS = [
    Fault("a candidate's findings are in another order; staging's gate rejects it", 0, ("GateFailed",), _other_order,
          lambda _: None, lane="promotion", minutes=4, ready=_stands),
    Fault("a candidate waits in canary, and the gate's Prometheus is away", 0, (), _no_evidence, _evidence,
          lane="promotion", fast={60: ("GateInError",)}, minutes=5, rest_minutes=2),
    Fault("no film comes for the candidate in canary, and MLflow is away", 0, (), _no_registry, _registry,
          lane="promotion", fast={60: ("PromoterStuck",), 720: ("CandidateInconclusive",)}, minutes=8),
]  # fmt: skip
