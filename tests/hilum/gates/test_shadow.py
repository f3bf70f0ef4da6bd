"""The canary's questions: what is good passes, what is bad fails, and what is unknown stays unknown."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hilum.evidence import NOT_JUDGED, Pairs
from hilum.gates import combine
from hilum.gates.plan import load_plan
from hilum.gates.shadow import firsts, shadow_checks
from hilum.gates.technical import Times, error_check, latency_check, times_of_buckets

PLAN = load_plan()
POINTS = np.array([[0.2, 0.6], [0.1, 0.5]], dtype=np.float32)


def made(n: int = 6000, seed: int = 1, lost: float = 0.0, moved: float = 0.0, read: float = 0.5) -> Pairs:
    """`n` studies of n / 2 patients; the candidate loses a share `lost` of true Edema, moves scores."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 2)) < 0.3
    live = np.clip(np.where(truth, 0.75, 0.2) + rng.normal(0, 0.1, (n, 2)), 0.001, 0.999)
    shadow = np.clip(live + rng.normal(0, 0.01, (n, 2)) + moved, 0.001, 0.999)
    gone = truth & (rng.random((n, 2)) < [lost, 0])
    shadow[gone] = 0.3
    labels = np.where(rng.random(n)[:, None] < read, truth.astype(np.int8), NOT_JUDGED).astype(np.int8)
    band = np.where(truth[:, 0], 0, 2).astype(np.int8)
    return Pairs(
        findings=("Edema", "Mass"),
        patients=np.arange(n, dtype=np.int64) // 2,
        live=live.astype(np.float32),
        shadow=shadow.astype(np.float32),
        live_points=POINTS,
        shadow_points=POINTS,
        live_band=band,
        shadow_band=band,
        reads={"blind": labels},
    )


def verdicts(pairs: Pairs, missing: float | None = 0.0) -> dict[str, str]:
    """What each check says, by name and finding."""
    return {f"{c.name} {c.finding or ''}".strip(): c.verdict for c in shadow_checks(pairs, PLAN, missing)}


def test_a_release_that_agrees_passes_every_question() -> None:
    checks = shadow_checks(made(), PLAN, 0.0, site="ED")
    assert combine(checks) == "pass", [c for c in checks if c.verdict not in {"pass", "reported"}]
    assert {c.site for c in checks} == {"ED"}
    assert all(c.n <= 3000 for c in checks)


def test_losing_a_tenth_of_one_acute_findings_true_alerts_fails_on_blind_reads() -> None:
    said = verdicts(made(lost=0.12))
    assert said["sensitivity on blind reads"] == "fail"
    assert said["sensitivity of one finding Edema"] == "fail"
    assert said["sensitivity of one finding Mass"] == "reported"


def test_moved_scores_fail_for_each_finding_and_say_which_way() -> None:
    checks = {c.finding: c for c in shadow_checks(made(moved=-0.08), PLAN, 0.0) if c.name == "score shift"}
    assert [checks[name].verdict for name in ("Edema", "Mass")] == ["fail", "fail"]
    assert checks["Edema"].metric == "mean fall of probability"


@pytest.mark.parametrize(
    ("pairs", "missing", "said"),
    [
        (made(300), 0.0, "300 pairs"),
        (made(599), 0.0, "300 patients of at least"),
        (made(), 0.2, "lack their pair"),
        (made(), None, "not known"),
    ],
)
def test_too_little_evidence_is_inconclusive_even_where_the_release_is_bad(
    pairs: Pairs, missing: float | None, said: str
) -> None:
    few = replace(pairs, patients=pairs.patients % 250) if "patients" in said else pairs
    bad = replace(few, shadow=np.zeros_like(few.shadow))
    checks = shadow_checks(bad, PLAN, missing)
    assert combine(checks) == "inconclusive"
    assert said.split(" of", maxsplit=1)[0].replace("300 patients", "patients") in checks[0].reason


def test_without_blind_reads_the_gate_stays_inconclusive() -> None:
    said = verdicts(made(read=0.0))
    assert said["sensitivity on blind reads"] == "inconclusive"
    assert said["disagreement"] == "pass"
    none = replace(made(), reads={})
    assert combine(shadow_checks(none, PLAN, 0.0)) == "inconclusive"


def test_a_release_that_scores_no_film_fails_and_does_not_pass_by_absence() -> None:
    pairs = made()
    gone = pairs.shadow.copy()
    gone[::10] = np.nan
    assert verdicts(replace(pairs, shadow=gone))["not scored"] == "fail"


def test_each_patient_answers_once_by_the_first_study_that_can() -> None:
    patients = np.array([1, 1, 2, 3, 2])
    can = np.array([False, True, True, True, True])
    assert firsts(patients, can, np.arange(5)).tolist() == [1, 2, 3]
    assert firsts(patients, can, np.array([0, 4, 3, 2, 1])).tolist() == [4, 3, 1]


def test_a_hundred_clean_requests_pass_and_ten_failures_among_them_fail() -> None:
    asked = PLAN.canary.error_rate
    say: Any = lambda n, e: error_check(n, e, asked, 0.0005, 0.05).verdict  # noqa: E731
    assert [say(20, 0), say(200, 0), say(200, 20), say(200, 5)] == ["inconclusive", "pass", "fail", "inconclusive"]
    assert [say(None, 0), say(0, 0), say(math.nan, 0), say(100, math.nan)] == ["inconclusive"] * 4


def test_half_as_slow_again_fails_and_no_times_are_inconclusive() -> None:
    asked = PLAN.canary.latency
    base = Times(400, 0.1, 0.0125)
    slow = Times(400, 0.15, 0.0125 * 2.25)
    assert latency_check(base, base, asked, 0.0005, 0.05).verdict == "pass"
    assert latency_check(slow, base, asked, 0.0005, 0.05).verdict == "fail"
    assert latency_check(Times(20, 0.1, 0.0125), base, asked, 0.0005, 0.05).verdict == "inconclusive"
    assert latency_check(None, base, asked, 0.0005, 0.05).reason == "there are no times of the candidate"


def test_buckets_give_the_mean_exactly_and_nonsense_gives_nothing() -> None:
    found = times_of_buckets({0.1: 50, 0.2: 90, math.inf: 100}, 11.0)
    assert found is not None
    assert (found.count, found.mean) == (100, pytest.approx(0.11))
    assert 0.0121 < found.square < 0.03
    for buckets, total in (
        ({}, 1.0),
        ({0.1: 5.0}, 1.0),
        ({0.1: 0.0, math.inf: 0.0}, 0.0),
        ({0.1: 1, math.inf: 2}, math.nan),
    ):
        assert times_of_buckets(buckets, total) is None
