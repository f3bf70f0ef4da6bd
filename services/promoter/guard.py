"""The guard after the switch: what production's own metrics say of the release, against the one before it."""

from __future__ import annotations

from datetime import datetime

from hilum.gates import Check, GateRecord
from hilum.gates.guard import Share, guard_checks
from hilum.gates.plan import GatePlan
from services.promoter.prometheus import Prometheus, PrometheusUnavailable
from services.promoter.promotion import Promotion

# How far back the release before is looked at.
BEFORE = "30d"
PLACE = 'environment="production"'


class Guard:
    """Asks `prometheus` by `plan`. What it does not answer is an error; silence is inconclusive; neither rejects."""

    def __init__(self, prometheus: Prometheus, plan: GatePlan) -> None:
        self._prometheus = prometheus
        self._plan = plan

    def __call__(self, promotion: Promotion, now: datetime) -> GateRecord:
        """The record of the guard, as of now."""
        old, new = promotion.base["production"].digest, promotion.candidate.digest
        seconds = max(int((now - promotion.since).total_seconds()), 60)
        checks: tuple[Check, ...]
        try:
            agreement = (self._agreement(old, BEFORE), self._agreement(new, f"{seconds}s"))
            alerts = (self._alerts(old, BEFORE), self._alerts(new, f"{seconds}s"))
            checks = (*guard_checks(agreement, alerts, self._plan), self._drift(new))
        except PrometheusUnavailable as error:
            checks = (Check("guard", "answer of Prometheus", "error", str(error)),)
        plan = self._plan
        return GateRecord(
            "production", new, old, promotion.attempt, plan.name, plan.digest, promotion.since, now, checks
        )

    def _drift(self, release: str) -> Check:
        """An alarm of the drift job under this release holds it for a person.

        It rejects nothing by itself: it may be the site that changed, and one false alarm a month is more than the
        plan's share. Without a report the question is not asked: not every site runs the job.
        """
        name, metric = "drift", "alarm under this release, any site"
        alarm = self._prometheus.one(f'max(hilum_drift_alarm{{{PLACE},release="{release}"}})')
        if alarm is None:
            return Check(name, metric, "reported", "no drift report with films enough is of this release", bound=1.0)
        if alarm >= 1:
            reason = "films or scores of a site have changed: a person decides whether it is the release"
            return Check(name, metric, "inconclusive", reason, alarm, 1.0)
        return Check(name, metric, "pass", "no site's films or scores have changed", alarm, 1.0)

    def _agreement(self, release: str, span: str) -> Share:
        """Labels of blind reads that agree. Every replica has the same counts: the greatest is taken."""
        of = f'{PLACE},release="{release}",blind="true"'
        judged = of + ',agreement=~"agree|disagree"'
        all_of = f"sum(max by (finding, agreement) (increase(hilum_reads_total{{{judged}}}[{span}])))"
        agreeing = of + ',agreement="agree"'
        return self._share(f"sum(max by (finding) (increase(hilum_reads_total{{{agreeing}}}[{span}])))", all_of)

    def _alerts(self, release: str, span: str) -> Share:
        of = f'{PLACE},release="{release}"'
        return self._share(
            f"sum(increase(hilum_findings_present_total{{{of}}}[{span}]))",
            f"sum(increase(hilum_prediction_probability_count{{{of}}}[{span}]))",
        )

    def _share(self, part: str, whole: str) -> Share:
        return Share(self._prometheus.one(part), self._prometheus.one(whole))
