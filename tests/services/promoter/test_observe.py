"""What was seen and what it means. No data is never a pass, and never a rejection."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from hilum.gates import Check, GateRecord
from services.promoter.kubernetes import looked
from services.promoter.looked import Looked, Measured
from services.promoter.machine import step
from services.promoter.observe import Seen, observe
from services.promoter.promotion import Ledger, Promotion
from services.promoter.rules import Rules
from services.promoter.states import Kind, State
from tests.services.promoter.test_machine import BASE, MONDAY, event

RULES = Rules()
LATER = MONDAY + timedelta(minutes=5)


def promotion(state: State) -> Promotion:
    current = step(Ledger(), event(Kind.CANDIDATE), MONDAY, RULES).ledger.current
    assert current is not None
    return replace(current, state=state, deadline=None)


NEW = promotion(State.STAGING).candidate.digest
RUNS = Looked("production", True, True, NEW, 1, NEW, NEW, "Healthy", ready=2)
ABORTED = replace(RUNS, healthy=False, serving=BASE["production"].digest, phase="Degraded", aborted=True)


def kind(state: State, look: Looked, record: GateRecord | None = None, judged: bool = False) -> Kind | None:
    seen = {name: replace(look, environment=name) for name in ("staging", "canary", "production")}
    found = observe(promotion(state), Seen(seen, record, "key", judged), LATER, RULES)
    return None if found is None else found.kind


def of(phase: str, value: str = "[0]") -> Looked:
    return replace(RUNS, analysis=(Measured("run", "errors", phase, value),))


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (of("Successful"), Kind.PASS),
        (of("Running"), None),
        (of("Inconclusive", ""), None),
        (of("Error", ""), None),
        (replace(of("Error", ""), aborted=True, phase="Degraded", healthy=False), Kind.ERROR),
        (replace(ABORTED, analysis=(Measured("run", "errors", "Failed", "[NaN]"),)), Kind.ERROR),
        (replace(ABORTED, analysis=(Measured("run", "errors", "Failed", "[0.07]"),)), Kind.FAIL),
        (RUNS, Kind.ERROR),
        (Looked("production"), None),
        (replace(RUNS, asked_attempt=0), None),
        (replace(of("Successful"), synced=False), None),
    ],
)
def test_production_passes_by_its_analysis_last_values_alone(look: Looked, expected: Kind | None) -> None:
    assert kind(State.PRODUCTION, look) is expected


def test_staging_passes_only_with_the_record_of_this_attempt_and_the_release_serving() -> None:
    record = GateRecord("staging", NEW, "", 1, "p", "", MONDAY, MONDAY, (Check("a", "b", "pass", "fine"),))
    assert kind(State.STAGING, RUNS) is None, "a rollout without a record is no pass"
    assert kind(State.STAGING, RUNS, record) is Kind.PASS
    assert kind(State.STAGING, replace(RUNS, serving="0" * 64), record) is None
    assert kind(State.STAGING, ABORTED) is Kind.ERROR, "an abort without a record brands nobody"
    empty = replace(record, checks=())
    assert kind(State.STAGING, RUNS, empty) is None


def test_pods_that_end_reject_only_where_the_version_beside_them_stays_up() -> None:
    crash = replace(RUNS, serving=BASE["staging"].digest, healthy=False, crash="OOMKilled 3 times: status 137")
    assert kind(State.STAGING, crash) is Kind.FAIL
    assert kind(State.STAGING, replace(crash, serving="")) is None


def test_an_environment_that_takes_no_bundle_is_an_error_after_the_time_of_a_start_and_no_sooner() -> None:
    seen = Seen({name: Looked(name) for name in ("staging", "canary", "production")})
    assert observe(promotion(State.STAGING), seen, LATER, RULES) is None
    late = observe(promotion(State.STAGING), seen, MONDAY + RULES.start, RULES)
    assert late is not None and late.kind is Kind.ERROR


def test_objects_of_the_cluster_are_read_as_they_are() -> None:
    template = {"spec": {"initContainers": [{"env": [{"name": "HILUM_RELEASE_DIGEST", "value": NEW}]}]}}
    pod = {
        "metadata": {"labels": {"rollouts-pod-template-hash": "new"}},
        "spec": template["spec"],
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    values = {"bundle": {"release": {"digest": NEW}, "run": {"attempt": 3}}}
    application = {
        "spec": {"source": {"helm": {"values": json.dumps(values)}}},
        "status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}},
    }
    rollout = {
        "metadata": {"generation": 4},
        "spec": {"template": template},
        "status": {
            "currentPodHash": "new", "observedGeneration": "4", "phase": "Healthy",
            "blueGreen": {"activeSelector": "new"},
        },
    }  # fmt: skip
    run = {
        "metadata": {"name": "pre", "labels": {"rollouts-pod-template-hash": "new"}},
        # A run that was cut off ends Successful; its last measurement says otherwise.
        "status": {"phase": "Successful", "metricResults": [
            {"name": "errors", "phase": "Successful", "measurements": [{"phase": "Inconclusive", "value": "[]"}]}
        ]},
    }  # fmt: skip
    found = looked("staging", application, rollout, [pod], [run])
    assert found.runs(NEW) and (found.asked_digest, found.asked_attempt, found.ready) == (NEW, 3, 1)
    assert found.analysis == (Measured("pre", "errors", "Inconclusive", "[]"),)
    behind = looked("staging", application, {**rollout, "metadata": {"generation": 5}}, [pod], [run])
    assert behind.phase == "Progressing" and not behind.runs(NEW)
    other = {**pod, "metadata": {"labels": {"rollouts-pod-template-hash": "old"}}}
    assert looked("staging", application, rollout, [other], []).serving == ""
