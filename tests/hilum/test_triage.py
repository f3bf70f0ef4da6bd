"""Urgency and due time, by property: what must hold for every study, policy, order and answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.findings import finding, known_findings
from hilum.triage import (
    Band,
    TriagePolicy,
    Urgency,
    due_time,
    from_prediction,
    logit,
    margin,
    never_later,
    urgency,
)
from hilum.wire import CodeOut, DomainCheck, PredictedFinding, Prediction, ReleaseRef, Timings

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SCORED = tuple(name for name in known_findings() if not finding(name).absence)
PRIORITIES = [
    "",
    "STAT",
    "HIGH",
    "ROUTINE",
    "MEDIUM",
    "LOW",
    "S",
    "A",
    "R",
    "P",
    "T",
    "ASAP",
    "stat",
    " High ",
    "nonsense",
]
LOCATIONS = ["", "ED", "ER", "ICU", "icu ", "Ward 3"]


def predicted(name: str, probability: float, alert: float = 0.5, established: bool = True) -> PredictedFinding:
    code = finding(name).code
    return PredictedFinding(
        name=name,
        code=CodeOut(value=code.value, scheme=code.scheme, meaning=code.meaning),
        probability=probability,
        rule_out=alert / 2,
        alert=alert,
        present=established and probability >= alert,
        established=established,
    )


def prediction(*findings: PredictedFinding, critical_margin: float = 1.0, in_domain: bool = True) -> Prediction:
    acute = [margin(f.probability, f.alert) for f in findings if f.established and finding(f.name).acute]
    return Prediction(
        release=ReleaseRef(name="r", version="1", digest="0" * 64, precision="fp32"),
        findings=list(findings) if in_domain else [],
        domain=DomainCheck(in_domain=in_domain, score=1.0, threshold=2.0, reason=None if in_domain else "a leg"),
        acute_margin=max(acute, default=None) if in_domain else None,
        critical_margin=critical_margin,
        warnings=[],
        timings=Timings(decode_seconds=0, preprocess_seconds=0, queue_seconds=0, infer_seconds=0),
    )


findings_lists = st.lists(
    st.builds(predicted, st.sampled_from(SCORED), st.floats(0, 1), st.floats(0.01, 0.99), st.booleans()),
    max_size=6,
    unique_by=lambda f: f.name,
)
predictions = st.builds(
    lambda findings, critical, in_domain: prediction(*findings, critical_margin=critical, in_domain=in_domain),
    findings_lists,
    st.floats(0, 5),
    st.booleans(),
)
urgencies = st.builds(Urgency, st.sampled_from(Band), st.floats(0, 1), st.just("because"))
arrivals = st.integers(0, 31_536_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


@st.composite
def sound_policies(draw: st.DrawFn) -> TriagePolicy:
    share = draw(st.floats(0, 0.9))
    critical = draw(st.floats(1, 3600))
    urgent = critical / (1 - share) * draw(st.floats(1.001, 10))
    routine = urgent / (1 - share) * draw(st.floats(1.001, 10))
    return TriagePolicy(*(timedelta(seconds=s) for s in (critical, urgent, routine)), within_band_share=share)


@given(
    st.lists(predictions, max_size=3),
    st.booleans(),
    st.sampled_from(PRIORITIES),
    st.sampled_from(LOCATIONS),
    sound_policies(),
)
def test_an_order_never_lowers_what_the_model_says(
    answers: list[Prediction], pending: bool, priority: str, location: str, policy: TriagePolicy
) -> None:
    alone = urgency(answers, pending)
    ordered = urgency(answers, pending, priority, location)
    assert ordered.band.rank <= alone.band.rank
    assert due_time(NOW, ordered, policy) <= due_time(NOW, alone, policy)


@given(st.lists(predictions, min_size=1, max_size=3), st.sampled_from(PRIORITIES), st.sampled_from(LOCATIONS))
def test_the_model_never_lowers_what_the_order_says(answers: list[Prediction], priority: str, location: str) -> None:
    routine = prediction(predicted("Effusion", 0.0))
    assert (
        urgency(answers, False, priority, location).band.rank <= urgency([routine], False, priority, location).band.rank
    )


@given(st.lists(predictions, max_size=3), predictions)
def test_another_film_never_lowers_a_scored_study(answers: list[Prediction], late: Prediction) -> None:
    before, after = urgency(answers, False), urgency([*answers, late], False)
    if any(answer.domain.in_domain for answer in answers):
        assert (after.band.rank, -after.score) <= (before.band.rank, -before.score)


@given(arrivals, arrivals, urgencies, urgencies, sound_policies())
def test_no_study_is_overtaken_by_one_that_arrives_after_its_due_time(
    first: datetime, second: datetime, one: Urgency, other: Urgency, policy: TriagePolicy
) -> None:
    due = due_time(first, one, policy)
    if second >= due:
        assert due_time(second, other, policy) > due


@given(arrivals, urgencies, sound_policies())
def test_the_due_time_lies_after_arrival_and_within_the_bands_wait(
    arrived: datetime, study: Urgency, policy: TriagePolicy
) -> None:
    due = due_time(arrived, study, policy)
    assert arrived < due <= arrived + policy.wait(study.band)


@given(urgencies, urgencies, sound_policies())
def test_of_two_that_arrive_together_the_more_urgent_is_due_first(
    one: Urgency, other: Urgency, policy: TriagePolicy
) -> None:
    if one.band.rank < other.band.rank or (one.band is other.band and one.score > other.score):
        assert due_time(NOW, one, policy) <= due_time(NOW, other, policy)


@given(st.none() | arrivals, arrivals)
def test_a_late_film_never_makes_a_study_due_later(previous: datetime | None, proposed: datetime) -> None:
    due = never_later(previous, proposed)
    assert due <= proposed
    assert previous is None or due <= previous
    assert due in {previous, proposed}


@given(st.lists(predictions, max_size=3), st.sampled_from(PRIORITIES), st.sampled_from(LOCATIONS))
def test_a_study_with_a_waiting_film_is_at_least_urgent(
    answers: list[Prediction], priority: str, location: str
) -> None:
    assert urgency(answers, True, priority, location).band.rank <= Band.URGENT.rank


@given(predictions)
def test_a_finding_that_is_not_established_says_nothing(answer: Prediction) -> None:
    kept = [f for f in answer.findings if f.established]
    without = prediction(*kept, critical_margin=answer.critical_margin, in_domain=answer.domain.in_domain)
    assert from_prediction(answer) == from_prediction(without)


@given(predictions)
def test_only_acute_findings_make_a_study_critical(answer: Prediction) -> None:
    found = from_prediction(answer)
    if found is not None and found.band is Band.CRITICAL:
        assert any(finding(f.name).acute and f.established for f in answer.findings)


def test_the_default_waits_are_those_of_the_design() -> None:
    policy = TriagePolicy()
    assert [policy.wait(band) for band in Band] == [timedelta(minutes=15), timedelta(hours=4), timedelta(hours=24)]


@pytest.mark.parametrize(
    ("probability", "band", "reason"),
    [
        (0.95, Band.CRITICAL, "Pneumothorax 95 %"),
        (0.60, Band.URGENT, "Pneumothorax 60 %"),
        (0.30, Band.ROUTINE, "no finding at its alert point"),
    ],
)
def test_an_acute_finding_is_critical_beyond_the_margin_urgent_beyond_the_alert_point(
    probability: float, band: Band, reason: str
) -> None:
    found = from_prediction(prediction(predicted("Pneumothorax", probability)))
    assert found is not None
    assert (found.band, found.reason) == (band, reason)


def test_a_finding_that_is_not_acute_is_urgent_at_most() -> None:
    found = from_prediction(prediction(predicted("Cardiomegaly", 0.999), predicted("Effusion", 0.01)))
    assert found is not None
    assert found.band is Band.URGENT


def test_the_margin_counts_from_its_own_value_on() -> None:
    exactly = prediction(predicted("Effusion", 0.8), critical_margin=margin(0.8, 0.5))
    found = from_prediction(exactly)
    assert found is not None
    assert found.band is Band.CRITICAL


@pytest.mark.parametrize("priority", ["", "ROUTINE", "LOW"])
def test_an_unscored_study_is_urgent(priority: str) -> None:
    assert urgency([], scorable_pending=True, priority=priority) == Urgency(Band.URGENT, 0.0, "waiting for its score")
    assert urgency([], scorable_pending=False, priority=priority) == Urgency(Band.URGENT, 0.0, "not scored")


def test_an_unscored_study_ordered_at_once_is_critical_but_behind_known_critical_ones() -> None:
    ordered = urgency([], scorable_pending=False, priority="STAT")
    known = urgency([prediction(predicted("Pneumothorax", 0.99))], scorable_pending=False)
    assert ordered.band is known.band is Band.CRITICAL
    assert due_time(NOW, known, TriagePolicy()) < due_time(NOW, ordered, TriagePolicy())


def test_a_film_out_of_domain_alone_leaves_the_study_unscored() -> None:
    leg = prediction(in_domain=False)
    assert from_prediction(leg) is None
    assert urgency([leg], scorable_pending=False).band is Band.URGENT


def test_an_answer_of_names_that_the_dictionary_lacks_still_ranks() -> None:
    odd = prediction(predicted("Effusion", 0.99))
    odd.findings[0].name = "Aliens"
    found = from_prediction(odd)
    assert found is not None
    assert (found.band, found.reason) == (Band.CRITICAL, "acute finding")


@pytest.mark.parametrize(
    "waits",
    [
        {"within_band_share": 1.0},
        {"within_band_share": -0.1},
        {"wait_critical": timedelta(0)},
        {"wait_critical": timedelta(hours=5)},
        {"wait_urgent": timedelta(hours=20)},
    ],
)
def test_a_policy_under_which_an_order_could_lower_a_study_is_refused(waits: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"wait|share"):
        TriagePolicy(**waits)  # type: ignore[arg-type]


def test_an_arrival_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_time(NOW.replace(tzinfo=None), Urgency(Band.ROUTINE, 0.0, ""), TriagePolicy())


@given(st.floats(0, 1))
def test_log_odds_are_finite(probability: float) -> None:
    assert math.isfinite(logit(probability))


def test_half_the_weight_asks_for_twice_the_odds() -> None:
    assert margin(0.8, 0.5, weight=0.5) == pytest.approx(margin(2 / 3, 0.5))
