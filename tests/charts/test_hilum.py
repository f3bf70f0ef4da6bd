"""The chart of one environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.tools import ROOT, named, objects, pods, template

CI = ROOT / "charts/hilum/ci"
PRODUCTION, CANARY, GPU, SMALL = (CI / f"{name}-values.yaml" for name in ("production", "canary", "gpu", "small"))
DIGEST = "a" * 64


def environment(pod: dict[str, Any], container: str) -> dict[str, Any]:
    (found,) = [c for c in (*pod.get("initContainers", []), *pod["containers"]) if c["name"] == container]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in found["env"]}


def test_canary_runs_inference_alone_and_without_a_candidate_no_pod_of_it() -> None:
    made = objects("hilum", CANARY)
    assert [where for where, _ in pods(made) if not where.startswith("Pod/")] == ["Rollout/inference"]
    assert named(made, "Rollout", "inference")["spec"]["replicas"] == 0
    assert not [d for d in made if d["kind"] in {"HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"}]


def test_the_release_is_fetched_by_its_digest_and_verified_before_the_server_starts() -> None:
    spec = named(objects("hilum", PRODUCTION), "Rollout", "inference")["spec"]["template"]["spec"]
    fetch = environment(spec, "release")
    assert fetch["HILUM_RELEASE_DIGEST"] == DIGEST
    assert fetch["HILUM_TRUSTED_KEYS"] == environment(spec, "inference")["HILUM_TRUSTED_KEYS"]
    assert fetch["HILUM_RELEASE"] == environment(spec, "inference")["HILUM_RELEASE"]
    (server,) = spec["containers"]
    assert {"name": "release", "mountPath": "/release", "readOnly": True} in server["volumeMounts"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert "emptyDir" in volumes["release"]
    keys = named(objects("hilum", PRODUCTION), "ConfigMap", "trusted-keys")["data"]["trusted-keys.txt"]
    theirs = (ROOT / "models/trusted-keys.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert theirs in keys, "the chart trusts another key than the bundled release is signed by"


def test_images_run_by_digest_alone() -> None:
    for where, pod in pods(objects("hilum", PRODUCTION)):
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            assert container["image"].endswith(f"@sha256:{DIGEST}"), where
    without = template("hilum", PRODUCTION, bundle__images__web__digest="")
    assert "bundle.images.web.digest is empty" in without.stderr
    assert "make publish" in without.stderr


def test_no_name_holds_the_name_of_the_installation_so_that_two_environments_cannot_share_a_namespace() -> None:
    names = {d["metadata"]["name"] for d in objects("hilum", PRODUCTION)}
    assert {"inference", "web", "feedback"} <= names
    assert not [name for name in names if name.startswith("hilum")]


def test_selectors_never_change_with_the_version() -> None:
    for document in objects("hilum", PRODUCTION):
        if document["kind"] in {"Deployment", "Rollout"}:
            labels = document["spec"]["selector"]["matchLabels"]
            assert set(labels) == {"app.kubernetes.io/name", "app.kubernetes.io/component"}


def test_blue_green_has_a_service_each_for_the_active_and_the_next_version() -> None:
    made = objects("hilum", PRODUCTION)
    strategy = named(made, "Rollout", "inference")["spec"]["strategy"]["blueGreen"]
    for key in ("activeService", "previewService"):
        (port,) = named(made, "Service", strategy[key])["spec"]["ports"]
        assert port["protocol"] == "TCP", "server-side apply leaves it out of sync otherwise"


def test_what_scales_is_not_given_a_number_of_replicas() -> None:
    made = objects("hilum", PRODUCTION)
    assert "replicas" not in named(made, "Rollout", "inference")["spec"]
    target = named(made, "HorizontalPodAutoscaler", "inference")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["apiVersion"]) == ("Rollout", "argoproj.io/v1alpha1")
    assert named(objects("hilum", GPU), "ScaledObject", "inference")["spec"]["minReplicaCount"] == 1


def test_two_replicas_are_spread_and_never_both_disrupted() -> None:
    made = objects("hilum", PRODUCTION)
    for name in ("inference", "web", "feedback"):
        assert named(made, "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1
    assert "topologySpreadConstraints" in named(made, "Deployment", "web")["spec"]["template"]["spec"]
    assert not [d for d in objects("hilum", SMALL) if d["kind"] == "PodDisruptionBudget"]


def test_a_gpu_pod_asks_for_the_runtime_the_node_and_the_device() -> None:
    spec = named(objects("hilum", GPU), "Deployment", "inference")["spec"]["template"]["spec"]
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nodeAffinity" in spec["affinity"]
    assert environment(spec, "inference")["HILUM_PROVIDER"] == "cuda"


def test_only_the_reading_room_is_public_by_https_with_hsts() -> None:
    made = objects("hilum", PRODUCTION)
    for ingress in (d for d in made if d["kind"] == "Ingress"):
        assert ingress["spec"]["tls"][0]["secretName"] == "hilum-tls"
        for rule in ingress["spec"]["rules"]:
            assert {p["backend"]["service"]["name"] for p in rule["http"]["paths"]} == {"web"}
        assert (
            "hsts@kubernetescrd"
            in ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
        )
    assert named(made, "Middleware", "hsts")["spec"]["headers"]["stsSeconds"] == 31536000
    loads = [d["metadata"]["name"] for d in made if d["kind"] == "Service" and d["spec"].get("type")]
    assert loads == ["dicom"]


def test_the_door_takes_as_large_a_body_as_the_reading_room_does() -> None:
    made = objects("hilum", PRODUCTION)
    limit = named(made, "Middleware", "body-limit")["spec"]["buffering"]["maxRequestBodyBytes"]
    spec = named(made, "Deployment", "web")["spec"]["template"]["spec"]
    assert environment(spec, "web")["HILUM_MAX_BODY_BYTES"] == str(limit)


def test_dicom_without_an_allow_list_is_refused() -> None:
    refused = template("hilum", SMALL, dicom__enabled="true")
    assert refused.returncode != 0
    assert "allowedCIDRs" in refused.stderr
    assert named(objects("hilum", PRODUCTION), "Service", "dicom")["spec"]["loadBalancerSourceRanges"]


def test_nothing_goes_in_or_out_but_what_a_policy_allows() -> None:
    made = objects("hilum", PRODUCTION)
    deny = named(made, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    feedback = named(made, "NetworkPolicy", "feedback")["spec"]["ingress"]
    assert [p["podSelector"]["matchLabels"].get("app.kubernetes.io/component") for p in feedback[0]["from"]] == [
        "web",
        None,
    ]


def test_migrations_have_a_job_for_each_image_which_no_sync_waits_for() -> None:
    made = objects("hilum", PRODUCTION)
    annotations = named(made, "Job", "migrate-web-aaaaaaaaaa")["metadata"]["annotations"]
    assert annotations == {"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}
    for kind, name in (("ServiceAccount", "web"), ("NetworkPolicy", "storage"), ("NetworkPolicy", "names")):
        wave = named(made, kind, name)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        assert int(wave) < 0, f"{kind} {name} comes after what needs it"
    assert not [d for d in made if "argocd.argoproj.io/hook" in d["metadata"].get("annotations", {})]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"environment": "prod"}, "value must be one of 'staging', 'canary', 'production'"),
        ({"web__replicas": "two"}, "got string, want integer"),
        ({"web__replica": "2"}, "additional properties 'replica' not allowed"),
        ({"web__settings__NOT_OURS": "1"}, "NOT_OURS"),
        ({"bundle__release__digest": "latest"}, "/bundle/release/digest"),
        ({"inference__gpu__resource": "gpu"}, "/inference/gpu/resource"),
        ({"releaseStore__trustedKeys": "nonsense"}, "/releaseStore/trustedKeys"),
        ({"promoter__git__url": ""}, "promoter.git.url is empty"),
        ({"dicom__peers__A=B": "x"}, "/dicom/peers"),
        ({"web__publicUrl": "http://open.example.org"}, "/web/publicUrl"),
        ({"feedback__newdata__url": "newdata"}, "/feedback/newdata/url"),
        ({"bundle__release__digest": ""}, "bundle.release.digest is empty"),
    ],
)
def test_a_wrong_value_is_refused_by_name_before_it_reaches_a_cluster(given: dict[str, str], words: str) -> None:
    refused = template("hilum", PRODUCTION, **given)
    assert refused.returncode != 0
    assert words in refused.stderr


def test_settings_in_the_chart_are_settings_of_the_services() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    for values in (PRODUCTION, GPU):
        for where, pod in pods(objects("hilum", values)):
            for container in (*pod.get("initContainers", []), *pod["containers"]):
                for entry in container.get("env", []):
                    if entry["name"].startswith("HILUM_"):
                        assert f"`{entry['name']}`" in page, f"{where}: {entry['name']} is no setting"


def test_every_example_of_values_says_what_it_shows() -> None:
    for path in Path(CI).glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# "), path.name


def test_dicom_is_opened_in_the_service_with_its_senders_and_by_tls() -> None:
    spec = named(objects("hilum", PRODUCTION), "Deployment", "web")["spec"]["template"]["spec"]
    given = environment(spec, "web")
    assert (given["HILUM_DICOM_PORT"], given["HILUM_DICOM_TITLE"]) == ("11112", "HILUM")
    assert given["HILUM_DICOM_PEERS"] == "CR1=Ward A,PACS="
    folders = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    for setting in ("HILUM_DICOM_TLS_CERTIFICATE", "HILUM_DICOM_TLS_KEY", "HILUM_DICOM_TLS_CA"):
        assert str(Path(given[setting]).parent) in folders
    assert "HILUM_DICOM_PORT" not in environment(
        named(objects("hilum", SMALL), "Deployment", "web")["spec"]["template"]["spec"], "web"
    )


def test_somebody_can_sign_in_by_a_file_or_by_a_provider() -> None:
    spec = named(objects("hilum", PRODUCTION), "Deployment", "web")["spec"]["template"]["spec"]
    assert environment(spec, "web")["HILUM_OIDC_CLIENT_SECRET_FILE"] == "/etc/hilum/oidc/client-secret"
    refused = template("hilum", SMALL, web__usersSecret="")
    assert "web.usersSecret and web.oidc.issuer are both empty" in refused.stderr


def test_reads_become_objects_and_signed_heads_in_the_bucket_newdata() -> None:
    spec = named(objects("hilum", PRODUCTION), "Deployment", "feedback")["spec"]["template"]["spec"]
    given = environment(spec, "feedback")
    assert given["HILUM_NEWDATA_URL"] == "s3://hilum-newdata"
    assert given["HILUM_BLOBS_URL"] == "s3://hilum-films", "films become training data"
    assert Path(given["HILUM_LEDGER_KEY"]).parent == Path("/etc/hilum/ledger-key")
    assert {"name": "ledger-key", "secret": {"secretName": "hilum-ledger-key", "defaultMode": 0o440}} in spec["volumes"]


def test_the_salts_of_pseudonyms_come_from_a_secret() -> None:
    spec = named(objects("hilum", PRODUCTION), "Deployment", "web")["spec"]["template"]["spec"]
    entries = {entry["name"]: entry for entry in spec["containers"][0]["env"]}
    for setting, key in (("HILUM_PATIENT_SALT", "patient"), ("HILUM_BLIND_SALT", "blind")):
        assert entries[setting]["valueFrom"]["secretKeyRef"] == {"name": "hilum-salts", "key": key}


def test_web_reaches_a_provider_and_an_archive_only_where_they_are_said_to_be() -> None:
    def reached(values: Path) -> set[str]:
        egress = named(objects("hilum", values), "NetworkPolicy", "web")["spec"]["egress"]
        return {peer["ipBlock"]["cidr"] for rule in egress for peer in rule["to"] if "ipBlock" in peer}

    assert reached(PRODUCTION) == {"10.30.0.5/32", "10.20.0.9/32"}
    assert reached(GPU) == set()


def test_traces_leave_for_their_collector_alone_and_only_where_one_is_named() -> None:
    assert not [d for d in objects("hilum", PRODUCTION) if d["metadata"]["name"] == "traces"]
    made = objects("hilum", PRODUCTION, networkPolicy__collector__namespace="tracing")
    spec = named(made, "NetworkPolicy", "traces")["spec"]
    (rule,) = spec["egress"]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}]
    assert rule["ports"] == [{"port": 4318, "protocol": "TCP"}]


def test_the_promoter_alone_asks_the_api_server_and_by_a_short_token() -> None:
    for where, pod in pods(objects("hilum", PRODUCTION)):
        tokens = [
            source["serviceAccountToken"]["expirationSeconds"]
            for volume in pod.get("volumes", [])
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]
        assert tokens == ([3607] if where == "Deployment/promoter" else []), where


def test_the_promoter_may_read_the_environments_and_change_nothing() -> None:
    text = (ROOT / "k8s/bootstrap/promoter.yaml").read_text(encoding="utf-8")
    made = [document for document in yaml.safe_load_all(text) if document]
    verbs = {verb for role in made for rule in role.get("rules", []) for verb in rule["verbs"]}
    resources = {one for role in made for rule in role.get("rules", []) for one in rule["resources"]}
    assert verbs == {"get", "list"}
    assert "secrets" not in resources and "*" not in resources
    assert {one["kind"] for one in made} == {"ClusterRole", "Role", "RoleBinding"}, "no right in every namespace"
    subjects = {(s["name"], s["namespace"]) for one in made for s in one.get("subjects", [])}
    assert subjects == {("promoter", "hilum-production")}


def test_the_promoter_reaches_git_mlflow_and_the_reading_room_alone() -> None:
    policy = named(objects("hilum", PRODUCTION), "NetworkPolicy", "promoter")["spec"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [8080, 5000, 9090, 443, 6443]
    refused = template(
        "hilum",
        SMALL,
        promoter__enabled="true",
        promoter__git__url="http://git:3000/x.git",
        networkPolicy__enabled="true",
        bundle__images__promoter__digest=f"sha256:{DIGEST}",
    )
    assert "networkPolicy.promoter.cidrs is empty" in refused.stderr


def test_a_vault_may_hold_the_secrets_and_none_goes_when_the_vault_forgets_it() -> None:
    spec = named(objects("hilum", GPU), "ExternalSecret", "hilum-database")["spec"]
    assert spec["target"] == {"name": "hilum-database", "deletionPolicy": "Retain"}
    assert [entry["secretKey"] for entry in spec["data"]] == ["feedback-url", "web-url"]
    assert not [d for d in objects("hilum", PRODUCTION) if d["kind"] == "ExternalSecret"]
