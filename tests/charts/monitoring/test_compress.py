"""The rules in faster time, by which `make e2e-alerts` fires what takes days: numbers of time change, nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.charts.monitoring.promtool import RULES
from tests.e2e.alerts.compress import AGE, DURATION, SECONDS, compressed

FACTORS = (60, 720)
# A number with its unit or none; names that hold digits (`ratio5m`) are words.
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:ms|s|m|h|d|w)?\b(?: \* (?:86400|7200|3600))?")


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_nothing_but_numbers_of_time_changes(path: Path, factor: int) -> None:
    before = path.read_text(encoding="utf-8")
    after = compressed(before, factor)
    assert NUMBER.sub("N", after) == NUMBER.sub("N", before)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_wait_and_window_is_shorter_by_the_factor(path: Path, factor: int) -> None:
    before = path.read_text(encoding="utf-8")
    was = [match for line in _rules(before) for match in DURATION.findall(line)]
    now = [match for line in _rules(compressed(before, factor)) for match in DURATION.findall(line)]
    assert len(was) == len(now)
    for (_, count, unit), (_, shorter, milliseconds) in zip(was, now, strict=True):
        exact = int(count) * SECONDS[unit] / factor
        assert milliseconds == "ms"
        assert abs(int(shorter) / 1000 - exact) <= 0.0005 + 0.001


def test_ages_in_seconds_are_divided_and_counts_and_bounds_are_not() -> None:
    text = 'expr: time() - max(x) > 7200 and y > 2 * 86400 and z{le="30.0"} > 0.05 and n >= 200 and s > 1500\n'
    assert compressed(text, 60) == (
        'expr: time() - max(x) > 120 and y > 2880 and z{le="30.0"} > 0.05 and n >= 200 and s > 1500\n'
    )


def test_every_age_in_the_rules_is_known() -> None:
    """A new rule that compares an age with days or hours must write it as one of these, or it would not be faster."""
    for path in RULES:
        for line in _rules(path.read_text(encoding="utf-8")):
            rest = AGE.sub("", DURATION.sub("", line))
            assert not [word for word in re.findall(r"(?<![\w.\"=])\d{4,}\b", rest) if word != "1500"], line


def test_the_faster_rules_are_rules() -> None:
    for path in RULES:
        groups = yaml.safe_load(compressed(path.read_text(encoding="utf-8"), 720))["groups"]
        assert [len(group["rules"]) for group in groups] == [
            len(group["rules"]) for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        ]


def _rules(text: str) -> list[str]:
    """The lines that Prometheus evaluates."""
    told = ("#", "summary:", "description:", "runbook_url:", "record:", "- record:")
    return [line for line in text.splitlines() if not line.lstrip().startswith(told)]
