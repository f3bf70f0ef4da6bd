"""How often a release's findings should be called, by its own reference statistics."""

from __future__ import annotations

import io

import structlog
from prometheus_client import Gauge

from hilum.release import BadRelease
from hilum.release.reference import read
from services.inference.scorer import Scorer

EXPECTED = Gauge(
    "hilum_finding_expected_rate",
    "Share of the release's reference films on which the finding reached its alert point.",
    ["finding", "release", "precision", "population"],
    multiprocess_mode="livemax",
)
log = structlog.get_logger("hilum.inference")


def announce(scorer: Scorer) -> None:
    """Show the expected rates of `scorer`'s release; a release without reference statistics shows none."""
    if scorer.manifest.reference is None:
        return
    try:
        reference = read(io.BytesIO(scorer.release.read(scorer.manifest.reference)))
    except (ValueError, BadRelease) as error:
        # Statistics for people: a film is scored as well without them.
        log.warning("the release's reference statistics can't be read", reason=str(error))
        return
    for row, population in enumerate(reference.populations):
        for column, name in enumerate(scorer.manifest.findings):
            labels = (name, scorer.release.digest, scorer.variant.precision, population)
            EXPECTED.labels(*labels).set(float(reference.alerts[row, column]))
