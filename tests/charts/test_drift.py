"""The drift job in charts/hilum."""

from __future__ import annotations

from tests.charts.tools import ROOT, named, objects

CI = ROOT / "charts/hilum/ci"


def test_the_drift_job_runs_where_the_reading_room_is_and_reaches_inference() -> None:
    made = objects("hilum", CI / "production-values.yaml")
    job = named(made, "CronJob", "drift")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]
    web = named(made, "Deployment", "web")["spec"]["template"]
    # Its pods are no endpoints of the Service `web`.
    assert web["metadata"]["labels"]["app.kubernetes.io/name"] != pod["metadata"]["labels"]["app.kubernetes.io/name"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == web["spec"]["containers"][0]["image"]
    assert container["command"] == ["python", "-m", "services.web.drift"]
    settings = {each["name"] for each in container["env"]}
    assert {"HILUM_DATABASE_URL", "HILUM_INFERENCE_URL", "HILUM_PATIENT_SALT"} <= settings
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    labels = pod["metadata"]["labels"].items()
    out = named(made, "NetworkPolicy", "drift")["spec"]
    into = named(made, "NetworkPolicy", "inference-from-drift")["spec"]
    assert out["podSelector"]["matchLabels"].items() <= labels
    assert into["ingress"][0]["from"][0]["podSelector"]["matchLabels"].items() <= labels


def test_there_is_no_drift_job_without_a_reading_room_or_where_it_is_off() -> None:
    canary = objects("hilum", CI / "canary-values.yaml")
    off = objects("hilum", CI / "production-values.yaml", drift__enabled="false")
    for made in (canary, off):
        assert not [each for each in made if each["metadata"]["name"] in {"drift", "inference-from-drift"}]
