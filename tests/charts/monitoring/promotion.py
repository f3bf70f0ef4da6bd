"""Cases of rules/promotion.yaml."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

VERDICT = 'hilum_gate_verdict{environment="canary",release="r"}'
LEFT, AGE = "hilum_promotion_deadline_seconds", "hilum_promotion_age_seconds"
AWAY = 'hilum_promoter_away{part="git"}'
BROKEN, DONE = 'hilum_promoter_turns_total{outcome="broken"}', 'hilum_promoter_turns_total{outcome="done"}'

CASES = [
    Case("GateFailed", "the gate fails", {VERDICT: "0x5 -2x20"}, fires=("6m",), quiet=("5m",)),
    Case("GateFailed", "it can't be judged", {VERDICT: "-1x30"}, quiet=("20m",)),
    Case("GateFailed", "its verdict is not a number", {}, quiet=("20m",), nan=(VERDICT,)),
    Case("GateInError", "for 35 minutes", {VERDICT: "0x5 -1x60"}, fires=("40m",), quiet=("30m",)),
    Case("GateInError", "for ten, as Prometheus began anew", {VERDICT: "0x5 -1x10 0x60"}, quiet=("14m", "40m")),
    Case("CandidateInconclusive", "twelve hours are left of a week",
         {VERDICT: "0x60", LEFT: "43200-60x60", AGE: "500000+60x60"}, fires=("20m",), quiet=("10m",)),
    Case("CandidateInconclusive", "three days are left", {VERDICT: "0x60", LEFT: "259200-60x60", AGE: "300000+60x60"},
         quiet=("20m",)),
    Case("CandidateInconclusive", "staging's deadline is an hour", {VERDICT: "0x60", LEFT: "3600-60x60",
         AGE: "0+60x60"},
         quiet=("20m", "50m")),
    Case("CandidateInconclusive", "there is no candidate", {LEFT: "0x60", AGE: "0x60"}, quiet=("20m",)),
    Case("PromoterStuck", "Git does not answer", {AWAY: "0x5 1x60"}, fires=("25m",), quiet=("15m",)),
    Case("PromoterStuck", "each turn breaks", {BROKEN: "0+1x60", DONE: "5x60"}, fires=("30m",), quiet=("10m",)),
    Case("PromoterStuck", "one turn broke", {BROKEN: "0x5 1x60", DONE: "0+1x65"}, quiet=("30m",)),
]  # fmt: skip
