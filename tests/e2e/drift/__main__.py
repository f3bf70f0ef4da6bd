"""`python -m tests.e2e.drift`: films of named patients go through a hospital on the cluster of KUBECONFIG.

The chart's own drift job finds their change; then every log, metric, trace and object of the run is searched for those
names. Needs build/images.json (`make images PUSH=...`). Writes build/e2e-drift/run.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.charts.tools import ROOT
from tests.e2e.cluster.kube import get, kubectl, wait_until
from tests.e2e.cluster.site import forwarded
from tests.e2e.drift.hospital import APP, BASELINE, FOLDER, TOOLS, Hospital
from tests.e2e.drift.names import PATIENT, dicom_film, everything_said, given_away, patients

FILMS = sorted((ROOT / "samples").glob("nih_0*.jpg"))
STEADY, CHANGED = BASELINE + 60, 60


def film(number: int, inverted: bool) -> bytes:
    """A sample film with noise, exposure and edge of its own; `inverted`: of the wrong polarity."""
    chance = np.random.default_rng(number)
    with Image.open(FILMS[number % len(FILMS)]) as opened:
        frame = np.asarray(opened.convert("L"), dtype=np.float64) / 255
    side = frame.shape[0] - int(chance.integers(0, 12))
    frame = np.clip(frame[:side, :side] ** chance.uniform(0.9, 1.1) + chance.normal(0, 0.01, (side, side)), 0, 1)
    out = BytesIO()
    Image.fromarray(np.uint8(255 * (1 - frame if inverted else frame))).save(out, "PNG")
    return out.getvalue()


def films_come(client: httpx.Client) -> str:
    """A site that changes, a site that is new, and DICOM films of named patients; all are scored and some are read."""

    def one(number: int) -> int:
        site = "NORTH" if number < STEADY + CHANGED else "NEW"
        body = film(number, STEADY <= number < STEADY + CHANGED)
        facts = {"patient_id": PATIENT.format(number), "accession": f"ACC-{number:05}-Q", "site": site}
        files = {"file": (f"Beispiel_Anna_{number}.png", body)}
        return client.post("/v1/studies", files=files, data=facts).status_code

    # One after another: what is watched is their order.
    codes = [one(number) for number in range(STEADY + CHANGED + 20)]
    for number in range(3):
        codes.append(client.post("/v1/studies", files={"file": ("x.dcm", dicom_film(number))}).status_code)
    assert set(codes) <= {200, 201}, sorted(set(codes))
    wait_until("scores", lambda: client.get("/v1/studies", params={"status": "waiting"}).json()["studies"] == [], 600)
    studies = client.get("/v1/studies", params={"limit": "10"}).json()["studies"]
    for study in studies:
        answer = client.get(f"/v1/studies/{study['uid']}").json()["answer"]
        labels = {found["name"]: 0 for found in (answer or {}).get("findings", [])[:2]} or {"Effusion": 0}
        body = {"labels": labels, "answer_version": (answer or {}).get("version", 0), "comment": "Frau Beispiel"}
        read = client.post(f"/v1/studies/{study['uid']}/reads", json=body,
                           headers={"Idempotency-Key": f"e2e-{study['uid']}"})  # fmt: skip
        assert read.status_code in {200, 201}, read.text
    # What goes wrong speaks too.
    client.post("/v1/studies", files={"file": ("Beispiel_Anna.dcm", dicom_film(0)[:5000])})
    client.get("/v1/studies", params={"q": PATIENT.format(3)})
    client.get(f"/studies/{PATIENT.format(3)}")
    return f"{len(codes)} films, {len(studies)} reads"


def the_job_runs() -> str:
    """The CronJob's own Job, by hand."""
    name = f"drift-by-hand-{int(time.time())}"
    kubectl("-n", APP, "create", "job", "--from=cronjob/drift", name)
    wait_until("the job", lambda: bool(get(APP, "job", name).get("status", {}).get("succeeded")), 300)
    log = kubectl("-n", APP, "logs", f"job/{name}")
    judged = [json.loads(line) for line in log.splitlines() if '"judged"' in line]
    return "; ".join(
        f"{one['site'] or '(none)'}: {one['state']}, {one['films']} films, {one['reason']}" for one in judged
    )


def prometheus(ask: Callable[[str], Any]) -> str:
    """The gauges are there, and the `for` of the alert begins (tests/e2e/alerts waits for it)."""

    def value(expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(f"query?query={expression}")["result"]
        return found

    wait_until("the alarm in Prometheus", lambda: bool(value('hilum_drift_alarm{site="NORTH"}==1')), 120)
    assert not value('hilum_drift_alarm{site="NEW"}'), "a new site has no alarm series"
    assert value('hilum_drift_enough_data{site="NEW"}==0')
    took = wait_until("DriftFound", lambda: bool(value('ALERTS{alertname="DriftFound",site="NORTH"}')), 120)
    assert not value('ALERTS{alertname="DriftFound",site="NEW"}')
    (rested,) = value('topk(1,hilum_drift_evidence_share{site="NORTH"})')
    names = rested["metric"]
    return f"hilum_drift_alarm 1, most on {names['kind']}/{names['finding']}; DriftFound pending {took:.0f} s later"


def exemplars(ask: Callable[[str], Any], spans: list[dict[str, Any]]) -> str:
    """Of those that Prometheus keeps, how many lead to a trace of the collector: every one."""
    now = time.time()
    known = {span["trace"] for span in spans}
    said = []
    for metric in ("hilum_request_seconds_bucket", "hilum_ranked_seconds_bucket", "hilum_predict_seconds_bucket"):
        found = ask(f"query_exemplars?query={metric}&start={now - 3600:.0f}&end={now:.0f}")
        traces = [one["labels"]["trace_id"] for series in found for one in series["exemplars"]]
        assert traces, metric
        assert set(traces) <= known, metric
        said.append(f"{metric} {len(traces)}")
    return "; ".join(said)


def one_trace(spans: list[dict[str, Any]]) -> str:
    """From the upload to the model, and from the read, linked to it, to the ledger."""
    by_id = {span["id"]: span for span in spans}

    def way(service: str, name: str) -> list[str]:
        here = next(
            s for s in spans if (s["service"], s["name"]) == (f"hilum-{service}", name) and s["parent"] in by_id
        )
        names = [f"{here['service'].removeprefix('hilum-')} {here['name']}"]
        while here["parent"] in by_id:
            here = by_id[here["parent"]]
            names.append(f"{here['service'].removeprefix('hilum-')} {here['name']}")
        return names[::-1]

    up, down = way("inference", "infer"), way("feedback", "POST /v1/reads")
    assert up[0] == "web POST /v1/studies", up
    assert down[0] == "web POST /v1/studies/{uid}/reads", down
    assert any(s["links"] for s in spans if s["name"] == "POST /v1/studies/{uid}/reads")
    return f"{' > '.join(up)}; {' > '.join(down)}"


def main() -> int:
    """All of it, told as it goes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--again", action="store_true", help="the films are there: go on with the drift job")
    options = parser.parse_args()
    images = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]
    hospital = Hospital(images)
    told: list[str] = []

    def tell(what: str, said: str) -> None:
        told.append(f"| {what} | {said} |")
        print(f"{what}: {said}", flush=True)

    if not options.again:
        hospital.prepare()
    client = hospital.recall().client()
    if not options.again:
        tell("films of named patients, reads", films_come(client))
    tell("the CronJob's Job", the_job_runs())
    page = client.get("/drift").text
    assert page.index("NORTH") < page.index("NEW") and "thumbnail.png" in page and "not enough data" in page
    (FOLDER / "drift.html").write_text(page, encoding="utf-8")
    with forwarded(TOOLS, "prometheus", 9090) as at, forwarded(TOOLS, "collector", 4318) as collector:

        def ask(question: str) -> Any:
            return httpx.get(f"{at}/api/v1/{question}", timeout=60, trust_env=False).json()["data"]

        tell("Prometheus", prometheus(ask))
        spans = httpx.get(collector, timeout=60, trust_env=False).json()
        tell("traces", one_trace(spans))
        tell("exemplars", exemplars(ask, spans))
        said = everything_said(APP, spans) | {
            "drift page": page,
            "Prometheus": json.dumps(ask("series?match[]={job!=''}")),
        }
    found = given_away(said)
    assert not found, found
    counted = ", ".join(f"{name} {len(text) // 1024} KiB" for name, text in sorted(said.items()))
    tell("nobody is named", f"{len(patients())} parts of identities in none of: {counted}")
    (FOLDER / f"run{'-again' * options.again}.md").write_text(
        "\n".join(["| step | what came |", "|---|---|", *told]) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
