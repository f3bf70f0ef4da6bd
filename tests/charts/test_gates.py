"""The gates in the chart: what analysis asks, and that silence is never a pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hilum.gates.plan import load_plan
from tests.charts.test_hilum import CANARY, DIGEST, PRODUCTION
from tests.charts.tools import named, objects, pods

ON = {"gates__enabled": "true"}
LIVE = "b" * 64


def metrics(made: list[dict[str, Any]], name: str, kind: str = "AnalysisTemplate") -> list[dict[str, Any]]:
    """The metrics of a template or run."""
    found: list[dict[str, Any]] = named(made, kind, name)["spec"]["metrics"]
    return found


@pytest.fixture(scope="module")
def production() -> list[dict[str, Any]]:
    """Production with its gates."""
    return objects("hilum", PRODUCTION, **ON)


def test_without_gates_nothing_of_them_is_there_and_with_them_no_update_goes_without_analysis(
    production: list[dict[str, Any]],
) -> None:
    assert not [d for d in objects("hilum", PRODUCTION) if d["kind"].startswith("Analysis")]
    strategy = named(production, "Rollout", "inference")["spec"]["strategy"]["blueGreen"]
    templates = {d["metadata"]["name"] for d in production if d["kind"] == "AnalysisTemplate"}
    named_there = {
        t["templateName"] for k in ("prePromotionAnalysis", "postPromotionAnalysis") for t in strategy[k]["templates"]
    }
    assert named_there == templates == {"gate-production-before", "gate-production-after"}
    assert strategy["scaleDownDelaySeconds"] == 3600
    assert strategy["abortScaleDownDelaySeconds"] == 0
    assert named(production, "Rollout", "inference")["spec"]["rollbackWindow"] == {"revisions": 2}
    staging = objects("hilum", PRODUCTION, **ON, environment="staging")
    blue_green = named(staging, "Rollout", "inference")["spec"]["strategy"]["blueGreen"]
    assert blue_green["prePromotionAnalysis"]["templates"] == [{"templateName": "gate-staging"}]


def test_every_question_to_prometheus_waits_where_there_is_no_data(production: list[dict[str, Any]]) -> None:
    canary = objects("hilum", CANARY, **ON, gates__canary__live=LIVE)
    asked = [
        *metrics(production, "gate-production-before"),
        *metrics(production, "gate-production-after"),
        *metrics(canary, "gate-canary"),
    ]
    of_prometheus = [m for m in asked if "prometheus" in m["provider"]]
    assert len(of_prometheus) == 8
    for metric in of_prometheus:
        assert metric["successCondition"].startswith("len(result) > 0 &&"), metric["name"]
        assert metric["failureCondition"] == "false" or metric["failureCondition"].startswith("len(result) > 0 &&")
        # Argo Rollouts refuses a limit above the count, and it must never be reached.
        assert metric["inconclusiveLimit"] == metric["count"]
        assert metric["consecutiveErrorLimit"] >= 1_000_000
        # A metric that has used up its count ends well, were its looks all inconclusive: weeks beyond any deadline.
        assert metric["count"] >= 1_000_000 or metric["name"].endswith("-now"), metric["name"]


def test_the_run_after_the_switch_cannot_end_well_without_answered_probes(production: list[dict[str, Any]]) -> None:
    by_name = {m["name"]: m for m in metrics(production, "gate-production-after")}
    assert by_name["errors"]["count"] >= 1_000_000
    assert by_name["errors"]["consecutiveSuccessLimit"] == 1
    assert 'pods="{{args.pods}}"' in by_name["errors"]["provider"]["prometheus"]["query"]
    strategy = named(production, "Rollout", "inference")["spec"]["strategy"]["blueGreen"]
    for when in ("prePromotionAnalysis", "postPromotionAnalysis"):
        assert strategy[when]["args"] == [{"name": "pods", "valueFrom": {"podTemplateHashValue": "Latest"}}]


def test_the_numbers_of_the_chart_are_those_of_the_plan(production: list[dict[str, Any]]) -> None:
    plan = load_plan()
    asked, by_name = plan.production, {m["name"]: m for m in metrics(production, "gate-production-before")}
    query = by_name["errors"]["provider"]["prometheus"]["query"]
    assert f"vector({asked.error_rate.margin / asked.error_rate.tolerance:g})" in query
    assert by_name["errors"]["successCondition"].endswith(f"<= {plan.errors.miss:g}")
    # Five questions before and after the switch share production's error.
    alpha = 1 / float(by_name["errors"]["failureCondition"].rsplit(" ", 1)[1])
    assert alpha <= asked.false_abort / 5 + 1e-12
    bound = float(by_name["latency"]["successCondition"].rsplit(" ", 1)[1])
    assert asked.latency.tolerance < bound < asked.latency.margin


def test_the_staging_job_runs_restricted_and_may_reach_inference_and_the_store_alone() -> None:
    staging = objects("hilum", PRODUCTION, **ON, environment="staging")
    (metric,) = metrics(staging, "gate-staging")
    job = metric["provider"]["job"]["spec"]
    assert (job["backoffLimit"], metric["failureLimit"]) == (0, 0)
    pod = job["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["image"].endswith(f"@sha256:{DIGEST}")
    assert f"--release={DIGEST}" in container["args"]
    labels = job["template"]["metadata"]["labels"]
    policy = named(staging, "NetworkPolicy", "gates-ask")["spec"]
    (wanted,) = policy["podSelector"]["matchExpressions"]
    assert labels[wanted["key"]] in wanted["values"]
    # It is no pod of inference: no Service may send it films.
    assert labels["app.kubernetes.io/name"] != "hilum"


def test_the_canary_run_is_named_after_release_and_attempt_and_asks_for_these_two_releases() -> None:
    runs = {"bundle__run__attempt": "3", "bundle__run__replicas": "1"}
    made = objects("hilum", CANARY, **ON, gates__canary__live=LIVE, **runs)
    (run,) = [d for d in made if d["kind"] == "AnalysisRun"]
    assert run["metadata"]["name"] == f"gate-{DIGEST[:12]}-3"
    # Running for weeks, and left behind by the next one: the environment is Synced and Healthy all the same.
    kept = run["metadata"]["annotations"]
    assert kept["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous"
    assert kept["argocd.argoproj.io/ignore-healthcheck"] == "true"
    by_name = {m["name"]: m for m in run["spec"]["metrics"]}
    url = by_name["evidence"]["provider"]["web"]["url"]
    assert f"live={LIVE}&shadow={DIGEST}&attempt=3" in url
    assert f'hilum_model_info{{namespace="hilum-production",release="{DIGEST}"}}' in str(by_name["errors"])
    assert not [d for d in objects("hilum", CANARY, **ON) if d["kind"] == "AnalysisRun"]


@pytest.mark.parametrize(
    "resting",
    [{"gates__canary__live": DIGEST}, {"bundle__run__replicas": "0"}, {"bundle__run__replicas": "-1"}],
    ids=["the release that is live", "no pod by the bundle", "no pod by the values"],
)
def test_while_canary_rests_no_run_is_made(resting: dict[str, str]) -> None:
    runs = {"gates__canary__live": LIVE, "bundle__run__replicas": "1", "inference__replicas": "0"}
    made = objects("hilum", CANARY, **ON, **{**runs, **resting})
    assert not [d for d in made if d["kind"] == "AnalysisRun"]
    assert [d for d in made if d["kind"] == "AnalysisTemplate"]


def test_canarys_run_and_the_promoter_may_ask_the_reading_room(production: list[dict[str, Any]]) -> None:
    """Both were refused by the network policy that lets only the ingress in."""

    def let_in(made: list[dict[str, Any]]) -> str:
        return str(named(made, "NetworkPolicy", "web")["spec"]["ingress"])

    promoter = "'app.kubernetes.io/component': 'promoter'"
    assert "argo-rollouts" in let_in(production) and promoter in let_in(production)
    alone = objects("hilum", PRODUCTION, promoter__enabled="false")
    assert "argo-rollouts" not in let_in(alone) and promoter not in let_in(alone)


def test_the_prober_asks_both_services_and_is_scraped(production: list[dict[str, Any]]) -> None:
    ((_, pod),) = [(where, p) for where, p in pods(production) if where == "Deployment/prober"]
    args = pod["containers"][0]["args"]
    assert "--target=preview=http://inference-preview:8000" in args
    template = named(production, "Deployment", "prober")["spec"]["template"]["metadata"]
    assert template["annotations"]["prometheus.io/scrape"] == "true"
    assert template["labels"]["hilum.io/asks"] == "inference"


def test_a_plan_of_the_site_reaches_the_job_the_reading_room_and_the_promoter(tmp_path: Path) -> None:
    values = tmp_path / "plan.yaml"
    values.write_text("gates: {enabled: true, plan: 'name = \"site\"'}\n")
    made = objects("hilum", PRODUCTION, values, environment="staging")
    assert named(made, "ConfigMap", "gate-plan")["data"]["plan.toml"].strip() == 'name = "site"'
    assert "--plan=/etc/hilum/plan.toml" in str(named(made, "AnalysisTemplate", "gate-staging"))
    for name in ("web", "promoter"):
        pod = named(made, "Deployment", name)["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        path = next(e["value"] for e in container["env"] if e["name"] == "HILUM_GATE_PLAN")
        assert any(path.startswith(m["mountPath"]) for m in container["volumeMounts"] if m["name"] == "gate-plan")
        assert {"name": "gate-plan", "configMap": {"name": "gate-plan"}} in pod["spec"]["volumes"]
        assert "checksum/gate-plan" in pod["metadata"]["annotations"], "a new plan would wait for the next restart"
