"""The plan: one file with a digest, and no plan that promises what it can't keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.gates.plan import BadPlan, load_plan


def test_the_default_plan_shares_its_error_among_the_environments() -> None:
    plan = load_plan()
    parts = (plan.staging, plan.canary, plan.production, plan.guard)
    assert sum(p.false_abort for p in parts) == pytest.approx(plan.errors.false_abort)
    assert plan.errors.false_abort <= 0.01
    assert plan.errors.miss <= 0.05
    assert len(plan.digest) == 64


def test_a_site_changes_one_number_and_the_digest_with_it(tmp_path: Path) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text('name = "small-site"\n[canary]\nmin_pairs = 100\ndisagreement = {tolerance = 0.08}\n')
    plan = load_plan(overlay)
    assert (plan.name, plan.canary.min_pairs, plan.canary.min_positives) == ("small-site", 100, 50)
    assert (plan.canary.disagreement.tolerance, plan.canary.disagreement.margin) == (0.08, 0.10)
    assert plan.digest != load_plan().digest
    overlay.write_text('name = "default"\n')
    assert load_plan(overlay).digest == load_plan().digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[canary]\nmin_pears = 5\n", "canary.min_pears"),
        ("[canary]\nmin_pairs = 5\n", "canary.min_pairs"),
        ("[canary]\nshift = {tolerance = 0.05}\n", "below the margin"),
        ("[canary]\nmax_missing = nan\n", "canary.max_missing"),
        ("[staging]\nfalse_abort = 0.02\n", "add up to 0.027"),
        ("format = 2\n", "format"),
        ("[canary\n", "site.toml"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_with_its_field(tmp_path: Path, text: str, said: str) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text(text)
    with pytest.raises(BadPlan, match=said):
        load_plan(overlay)
    with pytest.raises(BadPlan, match=r"missing\.toml"):
        load_plan(tmp_path / "missing.toml")


def test_the_simulation_in_the_docs_is_of_the_plan_in_force() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "promotion.md"
    assert f"({load_plan().digest[:12]})" in page.read_text(encoding="utf-8"), "run: make simulate-gates"
