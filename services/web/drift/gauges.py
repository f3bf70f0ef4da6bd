"""`hilum_drift_*`: from the newest stored reports, each time the metrics page is asked for."""

from __future__ import annotations

from prometheus_client import Gauge
from sqlalchemy.orm import Session

from hilum.gauges import Labels, replace_series
from services.web.drift.job import newest

# Beyond it nothing more is said, and a board of ten to the twentieth shows nothing of the other sites.
MOST = 1000.0
ALARM = Gauge("hilum_drift_alarm", "1: the site's films or scores have changed; 0: not.", ["site", "release"])
ENOUGH = Gauge("hilum_drift_enough_data", "1: there are films enough to judge the site; 0: not.", ["site", "release"])
EVIDENCE = Gauge(
    "hilum_drift_evidence_ratio",
    "Evidence for a change against its threshold: 1 is the alarm; no more than 1000 is told.",
    ["site", "release"],
)
LED = Gauge(
    "hilum_drift_evidence_share", "Each number's part in the evidence (the leading ones).", ["site", "kind", "finding"]
)
PSI = Gauge(
    "hilum_drift_psi",
    "Population stability index of the newest films. against: release or baseline.",
    ["site", "kind", "finding", "against"],
)
P = Gauge(
    "hilum_drift_corrected_p",
    "p of the two-sample test of the newest films, Holm-corrected. against: release or baseline.",
    ["site", "kind", "finding", "against"],
)
PREVALENCE = Gauge(
    "hilum_drift_prevalence", "Share of films with the finding, estimated from its calls.", ["site", "finding"]
)
CALIBRATION = Gauge(
    "hilum_drift_calibration_ratio", "Positives on blind reads over those expected.", ["site", "finding"]
)
OUTSIDE = Gauge("hilum_drift_out_of_domain_share", "Share of films that the release refused.", ["site"])
FILMS = Gauge("hilum_drift_films", "Films behind the report.", ["site", "release"])
MADE = Gauge("hilum_drift_report_timestamp_seconds", "When the newest report was made; 0: never.", ["site"])
ALL = (ALARM, ENOUGH, EVIDENCE, LED, PSI, P, PREVALENCE, CALIBRATION, OUTSIDE, FILMS, MADE)


def forget() -> None:
    """The rows can't be read: no old number may stand."""
    for gauge in ALL:
        gauge.clear()


def refresh(session: Session) -> None:
    """Set every gauge; a site or finding that is gone is gone here too."""
    series: dict[Gauge, dict[Labels, float]] = {gauge: {} for gauge in ALL}
    for each in newest(session):
        own = (each.site, each.release)
        enough = each.state != "not enough data"
        series[ENOUGH][own] = enough
        series[FILMS][own] = each.films
        series[MADE][each.site,] = each.made_at.timestamp()
        if enough:
            # Without enough data there is no alarm series at all: nothing pages, and ENOUGH says why.
            series[ALARM][own] = each.state == "drift"
            series[EVIDENCE][own] = min(each.evidence / each.threshold, MOST)
        for name, part in each.led_by.items():
            kind, _, finding = name.partition("/")
            series[LED][each.site, kind, finding] = part
        for against, rows in (("release", each.against_release), ("baseline", each.window)):
            for row in rows:
                series[P][each.site, row.kind, row.part, against] = row.holm
                if row.psi is not None:
                    series[PSI][each.site, row.kind, row.part, against] = row.psi
        for share in each.labels:
            series[PREVALENCE][each.site, share.finding] = share.value
        for one in each.calibration:
            if one.ratio is not None:
                series[CALIBRATION][each.site, one.finding] = one.ratio
        if each.outside_share is not None:
            series[OUTSIDE][each.site,] = each.outside_share
    for gauge, values in series.items():
        replace_series(gauge, values)
