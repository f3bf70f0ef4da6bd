"""The chart: what is scraped, who is told of what, and what a site with its own operator gets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.monitoring.promtool import RULES
from tests.charts.tools import ROOT, named, objects, pods, template

CI = ROOT / "charts/monitoring/ci"


def configured(name: str, file: str, **given: str) -> dict[str, Any]:
    made = named(objects("monitoring", CI / "own-values.yaml", **given), "ConfigMap", name)
    found: dict[str, Any] = yaml.safe_load(made["data"][file])
    return found


def route(tmp_path: Path, **labels: str) -> str:
    """Who is told of an alert with these labels, by Alertmanager's own tool."""
    tool = shutil.which("amtool")
    if tool is None:
        pytest.skip("amtool is not here: apt-get install prometheus-alertmanager")
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(configured("alertmanager", "alertmanager.yaml")), encoding="utf-8")
    arguments = [f"{name}={value}" for name, value in labels.items()]
    done = subprocess.run(
        [tool, "config", "routes", "test", f"--config.file={file}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_rules_reach_prometheus_as_they_stand_with_the_runbooks_address() -> None:
    held = named(objects("monitoring", CI / "own-values.yaml"), "ConfigMap", "prometheus-rules")["data"]
    assert set(held) == {path.name for path in RULES}
    for path in RULES:
        expected = path.read_text(encoding="utf-8")
        expected = expected.replace("runbook_url: runbooks/", "runbook_url: https://git.example.org/hilum/runbooks/")
        expected = expected.replace("report_url: reading-room/", "report_url: https://hilum.example.org/")
        assert yaml.safe_load(held[path.name]) == yaml.safe_load(expected)


def test_an_operator_gets_the_same_rules_and_no_pod_of_ours() -> None:
    made = objects("monitoring", CI / "operator-values.yaml")
    assert {d["kind"] for d in made} == {"PrometheusRule", "PodMonitor", "ConfigMap"}
    groups = [group["name"] for d in made if d["kind"] == "PrometheusRule" for group in d["spec"]["groups"]]
    held = [group["name"] for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    assert sorted(groups) == sorted(held)


def test_only_who_asks_the_api_server_has_a_token() -> None:
    with_token = {
        where
        for where, pod in pods(objects("monitoring", CI / "own-values.yaml"))
        if any("projected" in volume for volume in pod.get("volumes", []))
    }
    assert with_token == {"StatefulSet/prometheus", "Deployment/kube-state-metrics"}


def test_alerts_go_to_their_team(tmp_path: Path) -> None:
    assert route(tmp_path, alertname="CriticalStudiesOverdue", team="clinical", environment="production") == "clinical"
    assert route(tmp_path, alertname="CriticalStudiesOverdue", team="clinical", environment="staging") == "platform"
    assert route(tmp_path, alertname="PostgresqlDown", team="platform", severity="critical") == "platform"
    assert route(tmp_path, alertname="AlertRateHigh", team="data-science") == "data-science"
    assert route(tmp_path, alertname="Watchdog", team="platform") == "watchdog"
    assert route(tmp_path, alertname="SiteSilent", team="clinical", environment="production") == "nobody"


def test_a_cause_and_a_consequence_are_alerts_that_exist() -> None:
    import re

    alerts = set(re.findall(r"alert: (\w+)", "".join(path.read_text(encoding="utf-8") for path in RULES)))
    for rule in configured("alertmanager", "alertmanager.yaml")["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, _, value = re.fullmatch(r'(\w+)(=~?)"(.+)"', matcher).groups()  # type: ignore[union-attr]
            if label == "alertname":
                for part in value.split("|"):
                    assert any(re.fullmatch(part, alert) for alert in alerts), f"{matcher} names no alert"


def test_secrets_of_receivers_are_files_never_values() -> None:
    text = named(objects("monitoring", CI / "own-values.yaml"), "ConfigMap", "alertmanager")["data"][
        "alertmanager.yaml"
    ]
    assert "credentials_file: /etc/alertmanager-secret/pager-token" in text
    assert "smtp_auth_password_file: /etc/alertmanager-secret/smtp-password" in text
    assert "api_url_file: /etc/alertmanager-secret/chat-address" in text


def test_mail_without_a_server_and_a_chat_without_a_secret_are_refused() -> None:
    refused = template("monitoring", CI / "own-values.yaml", alertmanager__smtp__smarthost="")
    assert "alertmanager.smtp.smarthost is empty: no mail can leave" in refused.stderr
    refused = template("monitoring", CI / "own-values.yaml", alertmanager__secret="")
    assert "name it in alertmanager.secret" in refused.stderr


def test_what_a_pod_says_of_itself_counts_before_what_is_found_here() -> None:
    """The promoter's series name the environment they are about, kube-state-metrics' the pod."""
    jobs = {job["job_name"]: job for job in configured("prometheus", "prometheus.yaml")["scrape_configs"]}
    assert jobs["pods"]["honor_labels"] is True
    assert {"argocd", "node", "dcgm", "minio", "traefik", "cadvisor", "resource", "kubelet"} <= set(jobs)
    labels = [rule.get("target_label") for rule in jobs["pods"]["relabel_configs"]]
    assert {"job", "environment", "namespace", "pod"} <= set(labels)
