"""The chart of what the environments stand on."""

from __future__ import annotations

from tests.charts.tools import ROOT, named, objects, template

CI = ROOT / "charts/platform/ci"


def test_postgresql_stops_fast_so_that_it_is_back_before_its_grace_is_over() -> None:
    made = named(objects("platform", CI / "all-values.yaml"), "StatefulSet", "postgresql")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"][-4:] == ["-m", "fast", "-w", "stop"]


def test_what_holds_data_is_never_pruned_or_deleted() -> None:
    made = objects("platform", CI / "all-values.yaml")
    for name in ("postgresql", "minio"):
        found = named(made, "StatefulSet", name)
        assert found["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
        assert found["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }


def test_databases_are_utf8_whatever_the_images_locale_is() -> None:
    script = named(objects("platform", CI / "all-values.yaml"), "ConfigMap", "postgresql-databases")["data"][
        "databases.sh"
    ]
    assert "ENCODING ''UTF8'' LOCALE ''C'' TEMPLATE template0" in script
    assert "hilum_production hilum_staging" in script


def test_a_site_with_its_own_stores_gets_the_policies_alone() -> None:
    assert {d["kind"] for d in objects("platform", CI / "external-values.yaml")} == {"NetworkPolicy"}


def test_jobs_without_an_image_are_refused_with_a_sentence() -> None:
    refused = template("platform", mlflow__enabled="false")
    assert refused.returncode != 0
    assert "tools.image is empty" in refused.stderr


def test_mlflow_asks_who_is_there_and_keeps_everything_in_the_database_and_the_store() -> None:
    made = objects("platform", CI / "all-values.yaml")
    spec = named(made, "Deployment", "mlflow")["spec"]
    assert spec["strategy"] == {"type": "Recreate"}, "two versions would bring the tables up at once"
    (container,) = spec["template"]["spec"]["containers"]
    given = {entry["name"]: entry for entry in container["env"]}
    assert given["HILUM_MLFLOW_DATABASE_PASSWORD"]["valueFrom"]["secretKeyRef"] == {
        "name": "postgresql",
        "key": "mlflow-password",
    }
    assert given["MLFLOW_ARTIFACTS_DESTINATION"]["value"] == "s3://mlflow/artifacts"
    assert "mlflow.hilum-production.svc:5000" in given["MLFLOW_SERVER_ALLOWED_HOSTS"]["value"]
    start = (ROOT / "k8s/mlflow/start.py").read_text(encoding="utf-8")
    assert "basic-auth" in start
    assert "mlflow" in named(made, "ConfigMap", "postgresql-databases")["data"]["databases.sh"]


def test_mlflow_is_reached_by_the_named_namespaces_alone() -> None:
    policy = named(objects("platform", CI / "all-values.yaml"), "NetworkPolicy", "mlflow")["spec"]
    names = [
        peer["namespaceSelector"]["matchLabels"] for peer in policy["ingress"][0]["from"] if "namespaceSelector" in peer
    ]
    assert names == [{"kubernetes.io/metadata.name": "hilum-production"}]


def test_mlflow_without_an_image_is_refused_with_the_command_that_makes_one() -> None:
    refused = template("platform", CI / "all-values.yaml", mlflow__image="")
    assert refused.returncode != 0
    assert "mlflow.image is empty" in refused.stderr
    assert "make images" in refused.stderr


def test_films_and_reads_are_copied_where_nothing_deletes_them() -> None:
    job = named(objects("platform", CI / "all-values.yaml"), "CronJob", "copies")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "s3://hilum-films-production=s3://hilum-copies/films" in container["args"]
    program = (ROOT / "charts/platform/files/copy_buckets.py").read_text(encoding="utf-8")
    assert "delete_object" not in program


def test_helm_test_asks_whatever_is_enabled() -> None:
    pod = named(objects("platform", CI / "all-values.yaml"), "Pod", "smoke")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    asked = pod["spec"]["containers"][0]["command"][3:]
    assert asked == ["postgresql:5432", "http://minio:9000/minio/health/ready", "http://mlflow:5000/health"]
