"""Every rule fires where it should, stays silent where it should, and leads to a page that helps."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.monitoring import drift, inference, objectives, platform, promotion, reading_room
from tests.charts.monitoring.promtool import RULES, promtool, run
from tests.charts.tools import ROOT

CASES = [*reading_room.CASES, *inference.CASES, *platform.CASES, *objectives.CASES, *promotion.CASES, *drift.CASES]
SECTIONS = ["What it means", "How to see it", "What to do", "Whom to wake"]
ALWAYS = {"Watchdog"}


def rules() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_every_alert_and_every_objective_holds_its_cases(tmp_path: Path) -> None:
    if promtool() is None:
        reason = "promtool is not here: apt-get install prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    assert run(CASES, tmp_path) == ""


def test_a_case_that_does_not_hold_is_found(tmp_path: Path) -> None:
    """promtool's own word is what the test above rests on."""
    if promtool() is None:
        pytest.skip("promtool is not here: apt-get install prometheus")
    case = reading_room.CASES[0]
    wrong = type(case)(case.alert, case.says, case.series, fires=case.quiet)
    assert "CriticalStudiesOverdue" in run([wrong], tmp_path)


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_an_alert_has_a_case_where_it_fires_and_one_where_it_does_not(alert: str) -> None:
    assert any(case.fires for case in CASES if case.alert == alert)
    assert alert in ALWAYS or any(case.quiet and not case.fires for case in CASES if case.alert == alert)


def test_no_case_is_of_an_alert_that_is_not_there() -> None:
    assert {case.alert for case in CASES} <= set(ALERTS)


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_an_alert_says_how_severe_it_is_whose_it_is_and_where_its_page_is(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert rule["labels"]["team"] in {"clinical", "platform", "data-science"}
    assert set(rule["annotations"]) - {"report_url"} == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"runbooks/{alert}.md"


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_a_runbook_says_what_to_see_to_do_and_whom_to_wake(alert: str) -> None:
    page = (ROOT / f"docs/runbooks/{alert}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS
    for section in re.split(r"^## .+$", page, flags=re.MULTILINE)[1:]:
        assert len(section.strip()) > 20, section
    for command in re.findall(r"docs/[\w./-]+", page):
        assert (ROOT / command).exists(), command


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == set(ALERTS)


def test_the_page_holds_every_alert_as_the_results_have_it() -> None:
    from tests.e2e.alerts.results import PAGE, table

    text = PAGE.read_text(encoding="utf-8")
    assert table() in text, "run: python -m tests.e2e.alerts.results"
    assert "not known" not in table(), "an alert came late, and nothing says why"
