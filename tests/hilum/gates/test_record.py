"""The record of a judgement: how checks combine, and that no document says more than its checks."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hilum.gates import BadRecord, Check, GateRecord, combine, rejected_tag

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORST_FIRST = ("fail", "error", "inconclusive", "pass")


def check(verdict: Any = "pass", **changes: Any) -> Check:
    """A check with this verdict."""
    given = {"name": "sensitivity", "metric": "difference", "reason": "as measured", "value": -0.01, "bound": -0.05}
    return Check(verdict=verdict, **{**given, "n": 400, **changes})


def record(*checks: Check, **changes: Any) -> GateRecord:
    """A record of staging with these checks."""
    given: dict[str, Any] = {
        "environment": "staging",
        "release": "a" * 64,
        "active": "b" * 64,
        "attempt": 1,
        "plan": "default",
        "plan_digest": "c" * 64,
        "started": START,
        "ended": START + timedelta(seconds=90),
        "checks": checks,
    }
    return GateRecord(**{**given, **changes})


@pytest.mark.parametrize("verdicts", list(itertools.product(WORST_FIRST, repeat=2)))
def test_the_worst_check_decides_and_a_reported_one_counts_for_nothing(verdicts: tuple[str, str]) -> None:
    worst = min(verdicts, key=WORST_FIRST.index)
    assert combine([check(v) for v in verdicts]) == worst
    assert combine([check("reported"), *(check(v) for v in verdicts)]) == worst


def test_no_check_is_inconclusive_and_never_a_pass() -> None:
    assert combine([]) == "inconclusive"
    assert combine([check("reported")]) == "inconclusive"
    assert record().reasons == ("nothing was asked",)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_cannot_pass(number: float) -> None:
    made = check("pass", value=number)
    assert (made.verdict, made.value) == ("inconclusive", None)
    assert "not a number" in made.reason
    assert check("fail", value=number).verdict == "fail"


def test_a_record_comes_back_from_its_json_as_it_was() -> None:
    made = record(check(), check("fail", finding="Edema", site="ED", low=-0.09, high=-0.06), figures={"roc": [[0, 1]]})
    again = GateRecord.from_json(made.to_json())
    assert again == made
    assert again.digest == made.digest
    assert json.loads(made.to_json())["verdict"] == "fail"
    assert made.reasons == ("sensitivity of Edema at ED: difference -0.01, bound -0.05, n 400 (as measured)",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "pass"}, "its checks say 'fail'"),
        ({"format": 2}, "format 2"),
        ({"environment": "lab"}, "no such environment"),
        ({"checks": [{"verdict": "fine"}]}, "no such verdict"),
        ({"stranger": 1}, "not a gate record"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    document = {**json.loads(record(check("fail")).to_json()), **change}
    with pytest.raises(BadRecord, match=said):
        GateRecord.from_json(json.dumps(document))
    with pytest.raises(BadRecord):
        GateRecord.from_json("{}")


def test_only_a_failure_makes_a_rejected_tag_and_it_says_metric_value_bound_and_n() -> None:
    tag = json.loads(rejected_tag(record(check(), check("fail", value=-0.08, finding="Edema"))))
    assert (tag["metric"], tag["value"], tag["bound"], tag["n"]) == ("difference", -0.08, -0.05, 400)
    for verdict in ("error", "inconclusive", "pass"):
        with pytest.raises(ValueError, match="rejects nothing"):
            rejected_tag(record(check(verdict)))
