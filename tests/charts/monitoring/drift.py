"""Cases of rules/drift.yaml."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

ALARM = 'hilum_drift_alarm{site="north",release="r"}'
MADE = 'hilum_drift_report_timestamp_seconds{site="north"}'

CASES = [
    Case("DriftFound", "a site changed", {ALARM: "0x5 1x30"}, fires=("12m",), quiet=("5m", "9m")),
    Case("DriftFound", "it did not", {ALARM: "0x30"}, quiet=("20m",)),
    Case("DriftFound", "a site that is new, or has five films a day: no series", {MADE: "0x30"}, quiet=("20m",)),
    Case("DriftFound", "it is not a number", {}, quiet=("20m",), nan=(ALARM,)),
    Case("DriftFound", "it did not, and Prometheus began anew", {ALARM: "0x10 _x10 0x30"}, quiet=("12m", "22m", "40m")),
    Case("DriftFound", "it did for four minutes before Prometheus was away", {ALARM: "0x10 1x3 _x10 0x30"},
         quiet=("13m", "25m", "40m")),
    Case("DriftReportMissed", "the clock of the job is three hours ahead", {MADE: "10800+60x200"}, quiet=("100m",)),
    Case("DriftReportMissed", "the last one is from the beginning", {MADE: "60x4000"}, fires=("2950m",),
         quiet=("2800m",), every="10m"),
    Case("DriftReportMissed", "one a day", {MADE: "60x1440 86400x1440 172800x1200"}, quiet=("2950m", "4000m"),
         every="10m"),
    Case("DriftReportMissed", "there never was one", {MADE: "0x4000"}, quiet=("3900m",), every="10m"),
]  # fmt: skip
