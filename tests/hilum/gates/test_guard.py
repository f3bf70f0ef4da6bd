"""The guard after promotion: a loss of agreement or another alert rate demands a rollback; silence does not."""

from __future__ import annotations

import math

import pytest

from hilum.gates import combine
from hilum.gates.guard import Share, guard_checks
from hilum.gates.plan import load_plan

PLAN = load_plan()
BEFORE, ALERTS = Share(1800, 2000), Share(4000, 20_000)


def verdicts(agreement: Share, alerts: Share, before: Share = BEFORE) -> list[str]:
    """Agreement, alerts up, alerts down."""
    return [c.verdict for c in guard_checks((before, agreement), (ALERTS, alerts), PLAN)]


def test_the_same_as_before_passes_and_worse_fails_with_its_number() -> None:
    assert verdicts(Share(1800, 2000), Share(2050, 10_000)) == ["pass", "pass", "pass"]
    lost = guard_checks((BEFORE, Share(760, 1000)), (ALERTS, Share(2050, 10_000)), PLAN)[0]
    assert (lost.verdict, lost.n) == ("fail", 1000)
    assert lost.value == pytest.approx(0.14)
    assert verdicts(Share(1800, 2000), Share(3500, 10_000))[1] == "fail"
    assert verdicts(Share(1800, 2000), Share(500, 10_000)) == ["pass", "pass", "fail"]


@pytest.mark.parametrize("nothing", [Share(None, None), Share(0, 0), Share(math.nan, 10), Share(5, math.inf)])
def test_no_reads_and_no_reference_are_inconclusive(nothing: Share) -> None:
    assert verdicts(nothing, nothing) == ["inconclusive"] * 3
    assert verdicts(Share(100, 1000), ALERTS, before=nothing)[0] == "inconclusive"
    assert verdicts(Share(100, 1000), ALERTS, before=Share(90, 100))[0] == "inconclusive"
    assert combine(guard_checks((nothing, nothing), (nothing, nothing), PLAN)) == "inconclusive"


def test_a_handful_of_labels_decides_nothing() -> None:
    assert verdicts(Share(8, 10), ALERTS)[0] == "inconclusive"
