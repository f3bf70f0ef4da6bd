"""Cases of rules/platform.yaml and rules/monitoring.yaml."""

from __future__ import annotations

from tests.charts.monitoring.promtool import Case

ONE, TWO = 'up{job="web",pod="web-1"}', 'up{job="web",pod="web-2"}'
AVAILABLE = 'kube_deployment_status_replicas_available{namespace="n",deployment="web"}'
WANTED = 'kube_deployment_spec_replicas{namespace="n",deployment="web"}'
RESTARTS = 'kube_pod_container_status_restarts_total{namespace="n",pod="p",container="c"}'
KILLED = 'kube_pod_container_status_last_terminated_reason{namespace="n",pod="p",container="c",reason="OOMKilled"}'
MEMORY = 'container_memory_working_set_bytes{namespace="n",pod="p",container="c"}'
LIMIT = 'kube_pod_container_resource_limits{namespace="n",pod="p",container="c",resource="memory"}'
BACKED_UP = 'kube_cronjob_status_last_successful_time{namespace="platform",cronjob="backup"}'
CREATED = 'kube_cronjob_created{namespace="platform",cronjob="backup"}'
FREE = 'kubelet_volume_stats_available_bytes{namespace="n",persistentvolumeclaim="data"}'
SIZE = 'kubelet_volume_stats_capacity_bytes{namespace="n",persistentvolumeclaim="data"}'
PG, PG_TARGET = 'pg_up{namespace="platform"}', 'up{job="postgresql",namespace="platform"}'
CERTIFICATE = 'traefik_tls_certs_not_after{cn="",sans="hilum.example.org",serial="1"}'
RENEWED = 'traefik_tls_certs_not_after{cn="",sans="hilum.example.org",serial="2"}'
SYNC = 'argocd_app_info{{name="hilum-production",sync_status="{}",health_status="{}"}}'
FAILED = 'alertmanager_notifications_failed_total{integration="webhook"}'
DAY = 86_400

CASES = [
    Case("ServiceNotReady", "its pods run and none is ready", {AVAILABLE: "2x5 0x20", WANTED: "2x25"}, fires=("8m",),
         quiet=("6m",)),
    Case("ServiceNotReady", "one of two is", {AVAILABLE: "2x5 1x20", WANTED: "2x25"}, quiet=("10m",)),
    Case("ServiceNotReady", "it is scaled to nought", {AVAILABLE: "2x5 0x20", WANTED: "2x5 0x20"}, quiet=("10m",)),
    Case("ServiceDown", "no pod answers", {ONE: "1x5 0x20", TWO: "1x5 0x20"}, fires=("8m",), quiet=("6m",)),
    Case("ServiceDown", "one of two does", {ONE: "1x5 0x20", TWO: "1x25"}, quiet=("10m",)),
    Case("ServiceGone", "its pods are no more", {ONE: "1x20 _x40"}, fires=("30m",), quiet=("19m",)),
    Case("ServiceGone", "it was scaled from two to one", {ONE: "1x60", TWO: "1x20 _x40"}, quiet=("30m",)),
    Case("ServiceGone", "canary is scaled to nought, as it may",
         {'up{job="inference",pod="i-1",environment="canary"}': "1x20 _x40"}, quiet=("30m",)),
    Case("ServiceGone", "Prometheus was away for ten minutes", {ONE: "1x20 _x10 1x40"}, quiet=("32m", "40m")),
    Case("PodDown", "one of two does not answer", {ONE: "1x5 0x30", TWO: "1x35"}, fires=("12m",), quiet=("9m",)),
    Case("PodDown", "none does: that is ServiceDown", {ONE: "1x5 0x30", TWO: "1x5 0x30"}, quiet=("20m",)),
    Case("PodRestarts", "four times in an hour", {RESTARTS: "0x5 1x5 2x5 3x5 4x60"}, fires=("25m",), quiet=("7m",)),
    Case("PodRestarts", "it is deleted", {RESTARTS: "0x5 1x5 2x5 3x5 4x5 _x60"}, fires=("25m",), quiet=("40m",)),
    Case("PodRestarts", "once", {RESTARTS: "0x5 1x60"}, quiet=("25m",)),
    Case("OutOfMemory", "it went over its limit", {RESTARTS: "0x5 1x60", KILLED: "_x5 1x60"}, fires=("8m",),
         quiet=("4m", "40m")),
    Case("OutOfMemory", "it ended by itself", {RESTARTS: "0x5 1x60"}, quiet=("8m",)),
    Case("MemoryNearLimit", "95 % are used", {MEMORY: "95x30", LIMIT: "100x30"}, fires=("15m",), quiet=("5m",)),
    Case("MemoryNearLimit", "half is", {MEMORY: "50x30", LIMIT: "100x30"}, quiet=("15m",)),
    Case("MemoryNearLimit", "there is no limit", {MEMORY: "95x30"}, quiet=("15m",)),
    Case("JobFailed", "a job failed", {'kube_job_failed{namespace="n",job_name="j",condition="true"}': "0x2 1x20"},
         fires=("10m",), quiet=("4m",)),
    Case("JobFailed", "it succeeded", {'kube_job_failed{namespace="n",job_name="j",condition="true"}': "0x30"},
         quiet=("10m",)),
    Case("BackupMissed", "the last one is from the beginning", {BACKED_UP: "0x300", CREATED: "0x300"},
         fires=("130m",), quiet=("110m",)),
    Case("BackupMissed", "one each half hour", {BACKED_UP: "0x30 1800x30 3600x30 5400x30 7200x30 9000x30",
         CREATED: "0x300"}, quiet=("130m", "150m")),
    Case("BackupMissed", "there never was one", {CREATED: "0x300"}, fires=("130m",), quiet=("110m",)),
    Case("BackupMissed", "the clock of the node was put back by three hours", {BACKED_UP: "10800x200"},
         quiet=("60m", "150m")),
    Case("PostgresqlDown", "it does not answer its exporter", {PG: "1x5 0x20", PG_TARGET: "1x25"}, fires=("8m",),
         quiet=("6m",)),
    Case("PostgresqlDown", "its pod is away", {PG_TARGET: "1x5 0x20"}, fires=("8m",), quiet=("6m",)),
    Case("PostgresqlDown", "it answers", {PG: "1x25", PG_TARGET: "1x25"}, quiet=("10m",)),
    Case("PostgresqlConnections", "95 of 100 are open", {'pg_stat_activity_count{namespace="n",state="idle"}': "95x30",
         'pg_settings_max_connections{namespace="n"}': "100x30"}, fires=("15m",), quiet=("5m",)),
    Case("PostgresqlConnections", "20 are", {'pg_stat_activity_count{namespace="n",state="idle"}': "20x30",
         'pg_settings_max_connections{namespace="n"}': "100x30"}, quiet=("15m",)),
    Case("ObjectStoreDown", "it does not answer", {'up{job="minio",namespace="platform"}': "1x5 0x20"}, fires=("8m",),
         quiet=("6m",)),
    Case("ObjectStoreDown", "it does", {'up{job="minio",namespace="platform"}': "1x25"}, quiet=("8m",)),
    Case("VolumeFilling", "a tenth of it goes each day", {FREE: "350-0.07x900", SIZE: "1000x900"}, fires=("500m",),
         every="5m"),
    Case("VolumeFilling", "it is stable", {FREE: "350x900", SIZE: "1000x900"}, quiet=("500m",), every="5m"),
    Case("VolumeFilling", "it fills, and most is free", {FREE: "900-0.07x900", SIZE: "1000x900"}, quiet=("500m",),
         every="5m"),
    Case("VolumeFilling", "one large file an hour ago", {FREE: "350x440 340x460", SIZE: "1000x900"}, quiet=("500m",),
         every="5m"),
    Case("VolumeNearlyFull", "three per cent are left", {FREE: "30x30", SIZE: "1000x30"}, fires=("8m",), quiet=("3m",)),
    Case("VolumeNearlyFull", "a tenth is", {FREE: "100x30", SIZE: "1000x30"}, quiet=("8m",)),
    Case("CertificateExpires", "in ten days", {CERTIFICATE: f"{10 * DAY}x200"}, fires=("70m",), quiet=("50m",)),
    Case("CertificateExpires", "in a month", {CERTIFICATE: f"{30 * DAY}x200"}, quiet=("70m",)),
    Case("CertificateExpires", "renewed, and Traefik still tells of the old one",
         {CERTIFICATE: f"{10 * DAY}x200", RENEWED: f"{80 * DAY}x200"}, quiet=("70m",)),
    Case("CertificateExpired", "in an hour", {CERTIFICATE: "3600x30"}, fires=("8m",), quiet=("3m",)),
    Case("CertificateExpired", "in ten days", {CERTIFICATE: f"{10 * DAY}x30"}, quiet=("8m",)),
    Case("ArgocdOutOfSync", "for 35 minutes", {SYNC.format("OutOfSync", "Healthy"): "1x60"}, fires=("35m",),
         quiet=("25m",)),
    Case("ArgocdOutOfSync", "while it syncs", {SYNC.format("OutOfSync", "Healthy"): "1x5 _x60",
         SYNC.format("Synced", "Healthy"): "_x5 1x60"}, quiet=("4m", "40m")),
    Case("ArgocdUnhealthy", "for 20 minutes", {SYNC.format("Synced", "Degraded"): "1x60"}, fires=("20m",),
         quiet=("10m",)),
    Case("ArgocdUnhealthy", "it progresses", {SYNC.format("Synced", "Progressing"): "1x60"}, quiet=("20m",)),
    Case("LedgerContradicted", "an object differs", {"hilum_ledger_contradictions_total": "0x5 1x20"}, fires=("6m",),
         quiet=("5m",)),
    Case("LedgerContradicted", "none does", {"hilum_ledger_contradictions_total": "0x20"}, quiet=("6m",)),
    Case("Watchdog", "always", {ONE: "1x5"}, fires=("1m", "5m")),
    Case("RulesFail", "a rule fails", {'prometheus_rule_evaluation_failures_total{rule_group="g"}': "0+1x30"},
         fires=("12m",), quiet=("2m",)),
    Case("RulesFail", "none does", {'prometheus_rule_evaluation_failures_total{rule_group="g"}': "7x30"},
         quiet=("12m",)),
    Case("AlertsNotDelivered", "the receiver refuses", {FAILED: "0+1x30"}, fires=("12m",), quiet=("2m",)),
    Case("AlertsNotDelivered", "it takes them", {FAILED: "3x30"}, quiet=("12m",)),
    Case("TooManySeries", "2,000 series", {'scrape_samples_post_metric_relabeling{job="web",pod="p"}': "2000x60"},
         fires=("40m",), quiet=("20m",)),
    Case("TooManySeries", "900", {'scrape_samples_post_metric_relabeling{job="web",pod="p"}': "900x60"},
         quiet=("40m",)),
]  # fmt: skip
