"""Cases of rules/slo.yaml: how fast the error budget burns."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

RANKED, IN_TIME = "hilum_ranked_seconds_count", 'hilum_ranked_seconds_bucket{le="30.0"}'
PAGE = 'hilum_request_seconds_{}{{service="web",method="GET",route="/"{}}}'
PAGES, SWIFT = PAGE.format("count", ""), PAGE.format("bucket", ',le="0.3"')
UPLOAD = 'hilum_request_seconds_{}{{service="web",method="POST",route="/v1/studies"{}}}'
STREAM = 'hilum_request_seconds_{}{{service="web",method="GET",route="/v1/events"{}}}'


def series(late_share: float, count: str = RANKED, good: str = IN_TIME, rate: float = 1.0) -> dict[str, str]:
    return {count: f"0+{rate}x1500", good: f"0+{rate * (1 - late_share):.4f}x1500"}


CASES = [
    Case("RankingBudgetBurnsFast", "a tenth of the films is late", series(0.1), fires=("90m",)),
    Case("RankingBudgetBurnsFast", "half of them, since ten minutes",
         {RANKED: "0+1x600", IN_TIME: "0+1x300 300+0.5x300"}, fires=("315m",), quiet=("300m",)),
    Case("RankingBudgetBurnsFast", "none is", series(0.0), quiet=("90m", "600m"), every="5m"),
    Case("RankingBudgetBurnsFast", "a site with five films a day, one late",
         {RANKED: "0x300 1x300 2x300 3x300", IN_TIME: "0x300 0x300 1x300 2x300"}, quiet=("310m", "400m", "1000m"),
         every="5m"),
    Case("RankingBudgetBurnsFast", "it is over", {RANKED: "0+1x600", IN_TIME: "0+1x100 100+0x30 130+1x400"},
         fires=("125m",), quiet=("170m",)),
    Case("RankingBudgetBurnsFast", "the counters begin anew",
         {RANKED: "9000+1x100 0+1x100", IN_TIME: "9000+1x100 0+1x100"}, quiet=("103m", "110m", "150m")),
    Case("RankingBudgetBurnsFast", "Prometheus was away for half an hour",
         {RANKED: "0+1x100 _x30 130+1x100", IN_TIME: "0+1x100 _x30 130+1x100"}, quiet=("131m", "140m")),
    Case("RankingBudgetBurnsFast", "nothing but not a number comes", {}, quiet=("70m", "110m"), nan=(RANKED, IN_TIME)),
    Case("RankingBudgetBurnsSlowly", "one film in a hundred is late", series(0.01), fires=("1400m",), quiet=("60m",),
         every="10m"),
    Case("RankingBudgetBurnsSlowly", "one in ten thousand is", series(0.0001, rate=20), quiet=("1400m",), every="10m"),
    Case("ReadingRoomBudgetBurnsFast", "a third of the pages is slow", series(0.33, PAGES, SWIFT, 5), fires=("90m",)),
    Case("ReadingRoomBudgetBurnsFast", "one in two hundred is", series(0.005, PAGES, SWIFT, 5), quiet=("90m",
         "900m"), every="5m"),
    Case("ReadingRoomBudgetBurnsFast", "three slow pages at night", {PAGES: "0x60 3x200", SWIFT: "0x260"},
         quiet=("63m", "100m")),
    Case("ReadingRoomBudgetBurnsFast", "uploads and streams are long, as they are",
         {UPLOAD.format("count", ""): "0+9x300", UPLOAD.format("bucket", ',le="0.3"'): "0x300",
          STREAM.format("count", ""): "0+9x300", STREAM.format("bucket", ',le="0.3"'): "0x300"}, quiet=("200m",)),
    Case("ReadingRoomBudgetBurnsSlowly", "one page in twenty is slow", series(0.05, PAGES, SWIFT, 5),
         fires=("1400m",), quiet=("60m",), every="10m"),
    Case("ReadingRoomBudgetBurnsSlowly", "one in a thousand is", series(0.001, PAGES, SWIFT, 5), quiet=("1400m",),
         every="10m"),
    Case("ExportStale", "the bucket lacks a read of two hours", {"hilum_newdata_lag_seconds": "0+60x200"},
         fires=("70m",), quiet=("60m",)),
    Case("ExportStale", "it is brought up to date", {"hilum_newdata_lag_seconds": "0+60x30 0+60x30 0+60x30 0+60x30"},
         quiet=("50m", "110m")),
    Case("ExportStale", "the database is away: no series", {"hilum_newdata_lag_seconds": "0+60x20 _x200"},
         quiet=("70m", "150m")),
]  # fmt: skip
