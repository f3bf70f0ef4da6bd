"""Names of the metrics that there are: our own from the code's registries, others from what their exporters give."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from tests.charts.monitoring.promtool import RULES
from tests.charts.tools import ROOT

# Of programs that are not ours; each name was seen at its exporter, or stands in the exporter's documentation.
OTHERS = re.compile(
    r"up|ALERTS|scrape_samples_post_metric_relabeling|process_(resident_memory_bytes|cpu_seconds_total)"
    r"|prometheus_(rule_evaluation_failures_total|notifications_errors_total|tsdb_head_series)"
    r"|alertmanager_notifications_failed_total"
    r"|container_(cpu_usage_seconds_total|memory_working_set_bytes|cpu_cfs_(throttled_)?periods_total)"
    r"|container_(fs_(reads|writes)|network_(receive|transmit))_bytes_total"
    r"|kubelet_volume_stats_(available|capacity)_bytes"
    r"|kube_(cronjob_(created|status_last_successful_time)|job_failed|deployment_(spec_replicas|status_replicas_available))"
    r"|kube_pod_container_(resource_limits|status_(restarts_total|last_terminated_reason))"
    r"|pg_(up|stat_activity_count|settings_max_connections|stat_database_xact_commit|database_size_bytes)"
    r"|minio_(s3_requests_total|cluster_usage_total_bytes)"
    r"|traefik_(tls_certs_not_after|entrypoint_requests_total)|argocd_app_info|rollout_info|analysis_run_info"
    r"|DCGM_FI_DEV_(XID_ERRORS|ECC_DBE_VOL_TOTAL|GPU_UTIL|FB_USED)"
)
WORDS = {
    *("by", "on", "ignoring", "and", "or", "unless", "group_left", "group_right", "offset", "bool", "without"),
    *("sum", "max", "min", "count", "rate", "increase", "histogram_quantile", "time", "vector", "topk", "label_values"),
    *("max_over_time", "predict_linear"),
}


def _of(registry: Any) -> Iterator[str]:
    for family in registry.collect():
        base = f"{family.name}_total" if family.type == "counter" else family.name
        yield base
        if family.type == "histogram":
            yield from (f"{family.name}_{part}" for part in ("bucket", "sum", "count"))


@cache
def ours() -> frozenset[str]:
    """Every metric that a process of ours can give, from the registries that it fills when it is imported."""
    import prometheus_client

    names: set[str] = set()
    for path in sorted((ROOT / "services").glob("*/**/*.py")) + sorted((ROOT / "training").glob("**/gauges.py")):
        text = path.read_text(encoding="utf-8")
        if "prometheus_client" in text and "FastAPI" not in text:
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            for value in vars(module).values():
                if isinstance(value, MetricWrapperBase):
                    names.update(_of(_alone(value)))
    importlib.import_module("hilum.telemetry")
    names.update(_of(prometheus_client.REGISTRY))
    from training.online.gauges import EvaluationGauges, registry
    from training.online.tally import Tally

    names.update(_of(registry(EvaluationGauges(Tally()))))
    return frozenset(names)


def _alone(metric: MetricWrapperBase) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(metric)
    return registry


@cache
def recorded() -> frozenset[str]:
    """The names that recording rules make."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return frozenset(
        rule["record"] for file in files for group in file["groups"] for rule in group["rules"] if "record" in rule
    )


def unknown(expression: str) -> set[str]:
    """Names in a PromQL expression that no code and no exporter gives."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(by|on|ignoring|without|group_left|group_right) *\([^)]*\)", "", bare)
    bare = re.sub(r"\[[^\]]*\]|\boffset +\w+|\b\d+(\.\d+)?(e\d+)?\b", "", bare)
    names = set(re.findall(r"[a-zA-Z_][\w:]*", bare)) - WORDS
    return {name for name in names if name not in ours() and name not in recorded() and not OTHERS.fullmatch(name)}
