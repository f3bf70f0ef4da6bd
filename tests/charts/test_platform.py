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
    refused = template("platform")
    assert refused.returncode != 0
    assert "tools.image is empty" in refused.stderr
