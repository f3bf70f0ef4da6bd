"""What the signed plan says of time is what the promoter waits, unless a setting says otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hilum.gates.plan import load_plan
from services.promoter.settings import PromoterSettings
from services.promoter.states import State


def test_deadlines_and_the_guards_time_are_the_plans(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[canary]\ndeadline_days = 60\n[guard]\nhours = 120\n")
    for plan, days, hours in ((load_plan(), 28, 72), (load_plan(site), 60, 120)):
        rules = PromoterSettings().rules(plan)
        assert rules.deadlines[State.CANARY_SHADOW] == rules.deadlines[State.CANARY_EXPOSED] == timedelta(days=days)
        assert rules.deadlines[State.PRODUCTION] == timedelta(minutes=60)
        assert rules.guard == timedelta(hours=hours)


def test_a_setting_has_the_last_word_on_deadlines_and_the_guards_time() -> None:
    rules = PromoterSettings(promoter_canary_days=3, promoter_production_hours=4, promoter_guard_hours=0).rules(
        load_plan()
    )
    assert rules.deadlines[State.CANARY_SHADOW] == timedelta(days=3)
    assert rules.deadlines[State.PRODUCTION] == timedelta(hours=4)
    assert rules.guard == timedelta(0)
