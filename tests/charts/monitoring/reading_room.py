"""Cases of rules/reading-room.yaml."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

OVERDUE = 'hilum_studies_overdue_seconds{band="critical"}'
URGENT = 'hilum_studies_overdue_seconds{band="urgent"}'
WAIT = 'hilum_band_wait_seconds{band="urgent"}'
STORED, REFUSED = "hilum_films_stored_total", 'hilum_films_refused_total{kind="damaged-film"}'
SCORED, NOT_SCORED = 'hilum_films_scored_total{outcome="scored"}', 'hilum_films_scored_total{outcome="not_scored"}'
OK = 'hilum_requests_total{service="web",method="GET",route="/",status="200"}'
BROKEN = 'hilum_requests_total{service="web",method="GET",route="/",status="500"}'
PROBE = 'hilum_requests_total{service="web",method="GET",route="/readyz",status="503"}'
UPLOAD = 'hilum_requests_total{service="web",method="POST",route="/v1/studies",status="503"}'
NO_ROOM = 'hilum_dicom_refused_total{way="c-store",kind="out-of-resources"}'
WAITING = 'hilum_films_waiting_oldest_seconds{pod="web-1"}'


def gauge(alert: str, series: str, over: float, says: str, at: str, before: str) -> list[Case]:
    """A gauge goes over its bound and stays, or comes back."""
    return [
        Case(alert, says, {series: f"0x2 {over}x60"}, fires=(at,), quiet=("2m", before)),
        Case(alert, f"{says}, for one scrape", {series: f"0x2 {over} 0x60"}, quiet=("3m", at)),
        Case(alert, f"{says}: not a number is no page", {}, quiet=("3m", at), nan=(series,)),
        Case(
            alert, f"{says}, and Prometheus was away in between", {series: f"0x2 {over}x30 _x10 0x20"}, quiet=("45m",)
        ),
    ]


CASES = [
    *gauge("CriticalStudiesOverdue", OVERDUE, 60, "a critical study is overdue", "10m", "6m"),
    Case("CriticalStudiesOverdue", "only a routine one is",
         {'hilum_studies_overdue_seconds{band="routine"}': "9000x30"},
         quiet=("20m",)),
    Case("StudiesOverdueBeyondWait", "an urgent study is overdue by more than four hours",
         {URGENT: "14000+60x60", WAIT: "14400x60"}, fires=("20m",), quiet=("5m", "10m")),
    Case("StudiesOverdueBeyondWait", "it is overdue by less", {URGENT: "9000x60", WAIT: "14400x60"}, quiet=("50m",)),
    Case("StudiesOverdueBeyondWait", "the wait is not known", {URGENT: "90000x60"}, quiet=("50m",)),
    *gauge("FilmsWaitForScores", WAITING, 200, "a film waits for 200 s", "5m", "3m"),
    Case("FilmsWaitForScores", "it waits for a minute, as a film may", {WAITING: "60x30"}, quiet=("20m",)),
    Case("NotScoredShareHigh", "a fifth is not scored", {SCORED: "0+4x120", NOT_SCORED: "0+1x120"}, fires=("60m",)),
    Case("NotScoredShareHigh", "a twentieth is not", {SCORED: "0+19x120", NOT_SCORED: "0+1x120"}, quiet=("60m",)),
    Case("NotScoredShareHigh", "five films a day, two of them bad",
         {SCORED: "0x600 3x600", NOT_SCORED: "0x600 2x600"}, quiet=("630m", "700m")),
    Case("NotScoredShareHigh", "the process began anew", {SCORED: "5000x30 0+10x60", NOT_SCORED: "900x30 0x60"},
         quiet=("45m", "80m")),
    Case("WorklistUnknown", "web can't read its rows", {}, fires=("3m",), nan=(WAITING,)),
    Case("WorklistUnknown", "the rows are read", {WAITING: "0x30"}, quiet=("20m",)),
    *gauge("ReadsDoNotReachTheLedger", "hilum_outbox_oldest_seconds", 700, "a read waits", "10m", "6m"),
    *gauge("ReadsRefused", "hilum_outbox_refused", 1, "feedback refuses a read", "10m", "6m"),
    *gauge("ResultsWait", "hilum_results_oldest_seconds", 1000, "a report waits", "10m", "6m"),
    *gauge("ResultsRefused", "hilum_results_refused", 1, "a report is refused", "10m", "6m"),
    *gauge("StudiesEscalated", "hilum_studies_escalated", 1, "a study is escalated", "20m", "10m"),
    Case("FilmsNotKept", "the disk is full for a sender", {NO_ROOM: "0x5 1x30"}, fires=("8m",), quiet=("5m", "25m")),
    Case("FilmsNotKept", "uploads are answered 503", {UPLOAD: "0x5 2 4 6x30"}, fires=("9m",), quiet=("5m",)),
    Case("FilmsNotKept", "one upload is", {UPLOAD: "0x5 1x30"}, quiet=("9m",)),
    Case("FilmsNotKept", "a counter begins anew", {NO_ROOM: "7x5 0x30"}, quiet=("7m", "12m")),
    Case("FilmsRefused", "half of the files are damaged", {STORED: "0+1x120", REFUSED: "0+1x120"}, fires=("75m",)),
    Case("FilmsRefused", "few are, of many", {STORED: "0+20x120", REFUSED: "0+1x120"}, quiet=("75m",)),
    Case("FilmsRefused", "a site with five films a day", {STORED: "0x100 3x100", REFUSED: "0x100 2x100"},
         quiet=("110m", "150m")),
    Case("SiteSilent", "a busy site sends nothing for a day",
         {'hilum_site_studies{site="north"}': "80x1440 _x200", 'hilum_site_studies{site="south"}': "80x1640"},
         fires=("1500m",), quiet=("1430m",), every="5m"),
    Case("SiteSilent", "a site with five films a day does not", {'hilum_site_studies{site="north"}': "5x1440 _x200"},
         quiet=("1500m",), every="5m"),
    Case("SiteSilent", "a site that is new", {'hilum_site_studies{site="north"}': "_x1440 80x200"}, quiet=("1600m",),
         every="5m"),
    Case("ReadingRoomErrors", "a tenth of the pages fails", {OK: "0+90x30", BROKEN: "0+10x30"}, fires=("10m",)),
    Case("ReadingRoomErrors", "one page in a hundred does", {OK: "0+990x30", BROKEN: "0+10x30"}, quiet=("10m", "25m")),
    Case("ReadingRoomErrors", "one page of few, at night", {OK: "0x10 2x30", BROKEN: "0x10 1x30"}, quiet=("13m",
         "20m")),
    Case("ReadingRoomErrors", "only the probe fails", {OK: "0+1x30", PROBE: "0+20x30"}, quiet=("20m",)),
    Case("ReadingRoomErrors", "the process began anew", {OK: "9000x10 0+50x30", BROKEN: "300x10 0x30"},
         quiet=("12m", "15m")),
]  # fmt: skip
