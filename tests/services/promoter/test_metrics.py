"""What Prometheus reads of the promoter: a failure that ends its promotion is shown until it can't be missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from services.promoter import metrics
from services.promoter.promoter import View
from services.promoter.promotion import Candidate, Ledger, Promotion
from services.promoter.states import State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIGEST = "a" * 64


def _verdict(state: State, ago: timedelta, failed: dict[str, object] | None) -> float | None:
    """What the gauge says of a promotion that ended so long ago."""
    candidate = Candidate("hilum-default", "2", "2.0.0", DIGEST, "fp32")
    ended = Promotion(1, candidate, state, 1, NOW - ago, NOW - ago, {}, failed=failed)
    metrics.show(View(Ledger(ended=(ended,)), {}, "", NOW), NOW)
    return REGISTRY.get_sample_value("hilum_gate_verdict", {"environment": "staging", "release": DIGEST})


def test_a_failure_is_shown_after_its_promotion_has_ended_and_for_an_hour() -> None:
    failed = {"environment": "staging", "check": "auroc"}
    assert _verdict(State.REJECTED, timedelta(minutes=5), failed) == -2.0
    assert _verdict(State.REJECTED, timedelta(minutes=61), failed) is None


def test_what_was_done_or_rejected_by_a_person_is_no_failure_of_a_gate() -> None:
    assert _verdict(State.DONE, timedelta(minutes=5), None) is None
    assert _verdict(State.REJECTED, timedelta(minutes=5), None) is None
