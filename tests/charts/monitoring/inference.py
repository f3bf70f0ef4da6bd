"""Cases of rules/inference.yaml and rules/model.yaml."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

READY = 'hilum_model_ready{pod="inference-1"}'
OTHER = 'hilum_model_ready{pod="inference-2"}'
OK = 'hilum_requests_total{service="inference",method="POST",route="/v1/predict",status="200"}'
BROKEN = 'hilum_requests_total{service="inference",method="POST",route="/v1/predict",status="500"}'
SHEDS = 'hilum_sheds_total{reason="full"}'
SECONDS = 'hilum_predict_seconds_{kind}{{phase="infer",release="r",precision="fp32"{le}}}'
FAST, SLOW = SECONDS.format(kind="bucket", le=',le="0.6"'), SECONDS.format(kind="bucket", le=',le="2.5"')
ALL, COUNT = SECONDS.format(kind="bucket", le=',le="+Inf"'), SECONDS.format(kind="count", le="")
XID = 'DCGM_FI_DEV_XID_ERRORS{Hostname="node-1",gpu="0"}'
ECC = 'DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{Hostname="node-1",gpu="0"}'
OF = 'finding="Effusion",release="r",precision="fp32"'
PRESENT = f"hilum_findings_present_total{{{OF}}}"
SCORED = f"hilum_prediction_probability_count{{{OF}}}"
EXPECTED = {
    f'hilum_finding_expected_rate{{{OF},population="nih"}}': "0.1x2000",
    f'hilum_finding_expected_rate{{{OF},population="kermany"}}': "0.02x2000",
}
OUTSIDE = 'hilum_films_out_of_domain_total{release="r",precision="fp32"}'
BLIND = 'hilum_reads_total{finding="Effusion",agreement="agree",release="r",blind="true"}'
SEEN = 'hilum_reads_total{finding="Effusion",agreement="agree",release="r",blind="false"}'
PAIRED, SHED = 'hilum_shadow_asked_total{outcome="paired"}', 'hilum_shadow_asked_total{outcome="shed"}'
AUROC = 'hilum_evaluation_auroc{finding="overall",release="r",dataset="nih"}'
FILMS = 'hilum_evaluation_films_total{release="r",dataset="nih",outcome="scored"}'

CASES = [
    Case("ModelNotReady", "no process serves a release", {READY: "1x5 0x30", OTHER: "1x5 0x30"}, fires=("9m",),
         quiet=("7m",)),
    Case("ModelNotReady", "one of two does", {READY: "1x5 0x30", OTHER: "1x35"}, quiet=("20m",)),
    Case("ModelNotReady", "it starts", {READY: "0 1x30"}, quiet=("1m", "5m")),
    Case("InferenceErrors", "a tenth of the requests fails", {OK: "0+90x30", BROKEN: "0+10x30"}, fires=("10m",)),
    Case("InferenceErrors", "one in a hundred does", {OK: "0+990x30", BROKEN: "0+10x30"}, quiet=("10m",)),
    Case("InferenceErrors", "nobody asks", {OK: "5x30", BROKEN: "5x30"}, quiet=("10m",)),
    Case("InferenceErrors", "one request of two, once", {OK: "0x5 1x30", BROKEN: "0x5 1x30"}, quiet=("8m",)),
    Case("InferenceSheds", "the queue is full", {SHEDS: "0x5 4 8 12 16x30"}, fires=("12m",), quiet=("5m", "30m")),
    Case("InferenceSheds", "it sheds one", {SHEDS: "0x5 1x30"}, quiet=("9m",)),
    Case("InferenceSheds", "a counter begins anew", {SHEDS: "500x5 0x30"}, quiet=("6m", "9m")),
    Case("InferenceSlow", "films take two seconds", {FAST: "0x60", SLOW: "0+10x60", ALL: "0+10x60", COUNT: "0+10x60"},
         fires=("20m",)),
    Case("InferenceSlow", "films take half a second",
         {FAST: "0+10x60", SLOW: "0+10x60", ALL: "0+10x60", COUNT: "0+10x60"}, quiet=("20m",)),
    Case("InferenceSlow", "five films a day, all slow", {FAST: "0x60", SLOW: "0x20 1x60", ALL: "0x20 1x60",
         COUNT: "0x20 1x60"}, quiet=("22m", "30m")),
    Case("InferenceSlow", "no film at all: the quantile is not a number", {FAST: "3x60", SLOW: "3x60", ALL: "3x60",
         COUNT: "3x60"}, quiet=("30m",)),
    Case("GpuError", "the driver reports XID 79", {XID: "0x5 79x10"}, fires=("7m",), quiet=("5m",)),
    Case("GpuError", "double-bit errors appear", {ECC: "0x5 1x20"}, fires=("7m",), quiet=("5m", "20m")),
    Case("GpuError", "nothing is wrong", {XID: "0x20", ECC: "0x20"}, quiet=("10m",)),
    Case("AlertRateHigh", "half of the films are called, a tenth was expected",
         {PRESENT: "0+0.5x2000", SCORED: "0+1x2000", **EXPECTED}, fires=("600m",), quiet=("100m",), every="5m"),
    Case("AlertRateHigh", "a little more than expected", {PRESENT: "0+0.2x2000", SCORED: "0+1x2000", **EXPECTED},
         quiet=("600m", "1800m"), every="10m"),
    Case("AlertRateHigh", "five films a day, all called",
         {PRESENT: "0x300 1x300 2x300 3x300 4x800", SCORED: "0x300 1x300 2x300 3x300 4x800", **EXPECTED},
         quiet=("700m", "1400m", "1900m"), every="10m"),
    Case("AlertRateHigh", "a release without reference statistics", {PRESENT: "0+0.9x2000", SCORED: "0+1x2000"},
         quiet=("1500m",), every="10m"),
    Case("OutOfDomainShareHigh", "a fifth is outside", {OUTSIDE: "0+1x400", COUNT: "0+5x400"}, fires=("300m",)),
    Case("OutOfDomainShareHigh", "one in fifty is", {OUTSIDE: "0+1x400", COUNT: "0+50x400"}, quiet=("300m",)),
    Case("OutOfDomainShareHigh", "two of five a day", {OUTSIDE: "0x60 2x340", COUNT: "0x60 5x340"},
         quiet=("120m", "300m")),
    Case("NoRecentBlindReads", "a thousand reads, none blind", {SEEN: "0+1x1000", BLIND: "0x1000"}, fires=("900m",),
         every="5m"),
    Case("NoRecentBlindReads", "a fifth is blind", {SEEN: "0+1x1000", BLIND: "0+0.25x1000"}, quiet=("900m",),
         every="5m"),
    Case("NoRecentBlindReads", "a small site, two reads", {SEEN: "0x100 2x900", BLIND: "0x1000"}, quiet=("900m",),
         every="5m"),
    Case("CanaryAway", "canary is away", {"hilum_canary_away": "0x5 1x60"}, fires=("25m",), quiet=("15m",)),
    Case("CanaryAway", "it comes back", {"hilum_canary_away": "0x5 1x5 0x60"}, quiet=("25m",)),
    Case("ShadowStalled", "studies are shed", {PAIRED: "0x120", SHED: "0+1x120"}, fires=("60m",)),
    Case("ShadowStalled", "most are paired", {PAIRED: "0+5x120", SHED: "0+1x120"}, quiet=("60m",)),
    Case("ShadowStalled", "nothing arrives", {PAIRED: "5x120", SHED: "50x120"}, quiet=("60m",)),
    Case("ModelQualityFell", "the mean AUROC falls by a tenth", {AUROC: "0.76x30 0.66x90", FILMS: "500x120"},
         fires=("90m",), quiet=("29m",)),
    Case("ModelQualityFell", "it wobbles", {AUROC: "0.76x30 0.74x90", FILMS: "500x120"}, quiet=("90m",)),
    Case("ModelQualityFell", "of thirty films", {AUROC: "0.76x30 0.5x90", FILMS: "30x120"}, quiet=("90m",)),
    Case("ModelQualityFell", "it is not a number", {FILMS: "500x120"}, quiet=("90m",), nan=(AUROC,)),
]  # fmt: skip
