"""What people do with it: films in, three ways; reads; a release in the registry; figures."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from io import BytesIO
from typing import Any

import httpx

from tests.e2e.alerts import panels
from tests.e2e.cluster.kube import ROOT, get, kubectl, wait_until
from tests.e2e.cluster.site import (
    PRODUCTION,
    Site,
    forwarded,
    ledger,
    listed,
    objects,
    scored,
    secret,
    send,
    store,
)
from tests.e2e.drift.names import IDENTITY


def films_go_in_by_https_and_are_scored(site: Site) -> str:
    client = site.client()
    sent = [send(client, "E2E", number) for number in range(3)]
    assert {answer.status_code for _, answer in sent} == {201}, sent[0][1].text[:300]
    took = scored(client, [accession for accession, _ in sent])
    hsts = client.get("/login").headers.get("strict-transport-security", "")
    assert "max-age=31536000" in hsts
    heavy = client.post("/v1/studies", files={"file": b"\0" * 66_000_000})
    assert heavy.status_code == 413, heavy.status_code
    return f"three films listed and scored within {took:.0f} s; 66 MB refused with 413; HSTS {hsts}"


def a_radiologist_uploads_and_reads_three_studies_in_chromium(site: Site) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.cluster.browser", site.address],
        cwd=ROOT,
        env={**os.environ, "E2E_PASSWORD": str(site.memory["password"]), "E2E_SHOTS": str(site.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    uids = done.stdout.split()
    assert len(uids) == 3, done.stdout
    client = site.client()
    reads: list[dict[str, Any]] = []

    def arrived() -> bool:
        reads[:] = [read for read in ledger() if read["study_uid"] in uids]
        return {read["study_uid"] for read in reads} == set(uids)

    took = wait_until("three reads in the ledger", arrived, 60)
    assert all(client.get(f"/v1/studies/{uid}").json()["status"] == "read" for uid in uids)
    assert {read["reader"] for read in reads} == {"anna"}
    return f"signed in, three films uploaded, three studies read; their reads in the ledger after {took:.0f} s"


def a_modality_sends_a_film_by_c_store(site: Site) -> str:
    import pydicom
    from pydicom.uid import generate_uid
    from pynetdicom import AE

    import hilum.imaging  # noqa: F401 - before pydicom

    service = get(PRODUCTION, "service", "dicom")
    assert service, "the commit that opens DICOM is part of the tree: is it Synced?"
    (given,) = service["status"]["loadBalancer"]["ingress"]
    host, port = given["ip"], service["spec"]["ports"][0]["port"]
    film = pydicom.dcmread(BytesIO((ROOT / "samples/nih_test1.dcm").read_bytes()))
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = (generate_uid() for _ in range(3))
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    film.AccessionNumber = accession = f"CSTORE-{uuid.uuid4().hex[:6]}"
    film.PatientID = f"PAT-{uuid.uuid4().hex[:8]}"
    for keyword, value in IDENTITY.items():
        setattr(film, keyword, value)
    said: dict[str, bool] = {}
    for title in ("CR1", "STRANGER"):
        entity = AE(title)
        entity.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
        association = entity.associate(host, port, ae_title="HILUM")
        said[title] = association.is_established
        if association.is_established:
            status = association.send_c_store(film)
            association.release()
            assert status.Status == 0, f"{title}: {status}"
    assert said == {"CR1": True, "STRANGER": False}, said
    client = site.client()
    took = scored(client, [accession])
    assert listed(client)[accession]["site"] == "Ward A"
    return (
        f"to {host}:{port}: stored, listed under its site, scored within {took:.0f} s; an unknown title is turned away"
    )


def a_read_given_twice_is_in_the_ledger_once(site: Site) -> str:
    client = site.client()
    study = next(one for one in listed(client).values() if one["status"] == "scored")
    body = {"labels": {"Effusion": 1, "Edema": 0}, "answer_version": study["answer_version"]}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    kept, again = (client.post(f"/v1/studies/{study['uid']}/reads", json=body, headers=key) for _ in range(2))
    assert (kept.status_code, again.status_code) == (201, 200), (kept.text[:300], again.text[:300])
    reads: list[dict[str, Any]] = []

    def there() -> bool:
        reads[:] = [read for read in ledger() if read["id"] == key["Idempotency-Key"]]
        return bool(reads)

    took = wait_until("the read in the ledger", there, 60)
    assert [read["labels"]["Effusion"] for read in reads] == [1]
    site.remember(read=key["Idempotency-Key"], sequence=reads[0]["sequence"])
    return f"one read by {reads[0]['reader']}, {took:.0f} s after it was given"


def reads_lie_in_the_object_store(site: Site) -> str:
    key = f"ledger/reads/{site.memory['sequence']:012d}.json"
    with store() as s3:

        def there() -> bool:
            return key in objects(s3, "hilum-newdata-production", "ledger/reads/")

        took = wait_until(key, there, 90)
        body = s3.get_object(Bucket="hilum-newdata-production", Key=key)["Body"].read().decode()
        assert site.memory["read"] in body
        films = len(objects(s3, "hilum-films-production"))
        count = len(objects(s3, "hilum-newdata-production", "ledger/reads/"))
    return f"{key} is there within {took:.0f} s; {count} reads and {films} films lie in the store"


def a_run_and_a_release_are_in_mlflow(site: Site) -> str:
    with forwarded("platform", "mlflow", 5000) as address:
        stranger = httpx.get(f"{address}/api/2.0/mlflow/experiments/search?max_results=1", timeout=30)
        assert stranger.status_code == 401, stranger.status_code
        key = {
            "MLFLOW_TRACKING_USERNAME": "trainer",
            "MLFLOW_TRACKING_PASSWORD": secret("platform", "mlflow", "trainer-password"),
        }
        name = f"e2e-{uuid.uuid4().hex[:6]}"
        code = (
            "import mlflow,sys\n"
            "mlflow.set_experiment('e2e')\n"
            "with mlflow.start_run(run_name=sys.argv[1]) as run:\n"
            "    mlflow.log_metric('auroc', 0.5)\n    mlflow.log_text('seen', 'note.txt')\n"
            "print(run.info.run_id)\n"
        )
        environment = {**os.environ, **key, "MLFLOW_TRACKING_URI": address, "HILUM_MLFLOW": address}
        environment |= {"HILUM_DATA": str(site.folder / "data"), "MLFLOW_DISABLE_TELEMETRY": "true"}
        run = _python(environment, "-c", code, name).split()[-1]
        _python(environment, "-c", "from services.cli import main; main()", "release", "register", "models/default")
        client = httpx.Client(base_url=address, auth=tuple(key.values()), timeout=30)  # type: ignore[arg-type]
        found = client.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).raise_for_status().json()["run"]
        assert found["info"]["run_name"] == name
        models = client.get("/api/2.0/mlflow/registered-models/search").raise_for_status().json()["registered_models"]
    with store() as s3:
        kept = [key for key in objects(s3, "mlflow", "artifacts/") if run in key]
    assert kept, "the run's artifact is not in the store"
    names = ", ".join(model["name"] for model in models)
    return f"401 without a password; run {run[:8]} with its artifact in the store; models: {names}"


def _python(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout


def metrics_are_in_prometheus(_: Site) -> str:
    if os.environ.get("E2E_WITHOUT") == "monitoring":
        return "NOT RUN: somebody else holds the namespace of monitoring"
    with forwarded("monitoring", "prometheus", 9090) as address:

        def asked(query: str) -> list[dict[str, Any]]:
            answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, timeout=30, trust_env=False)
            assert answer.is_success, f"{query}: {answer.text[:300]}"
            found: list[dict[str, Any]] = answer.json()["data"]["result"]
            return found

        counted = 'sum(hilum_requests_total{namespace="hilum-production"})'
        took = wait_until("production's requests in Prometheus", lambda: bool(asked(counted)), 180)
        up, targets = asked("sum(up)"), asked("count(up)")
        down = asked('up{namespace="hilum-production"} == 0')
        # Exporters that this run leaves out and what has not happened yet have no data: that every query is understood
        # is seen here, each empty panel's reason by tests.e2e.alerts.panels.
        make, boards = panels.boards()
        shown = [
            any(asked(query.replace("$environment", ".*")) for query, _ in make.queries(panel))
            for board in boards.values()
            for panel in board["panels"]
        ]
        requests = asked(counted)[0]["value"][1]
    assert not down, f"pods of production that Prometheus can't ask: {down}"
    assert sum(shown) > len(shown) / 2, f"{sum(shown)} of {len(shown)} panels have data"
    return (
        f"{requests} requests counted in production after {took:.0f} s; {up[0]['value'][1]} of "
        f"{targets[0]['value'][1]} targets up; every "
        f"query of the {len(shown)} panels is answered, {sum(shown)} of them with data"
    )


def what_no_policy_allows_is_refused(_: Site) -> str:
    code = (
        "import socket,sys\n"
        "for host, port in (('postgresql.platform', 5432), ('inference.hilum-production', 8000), ('1.1.1.1', 443)):\n"
        "    try:\n        socket.create_connection((host, port), 3); print(host, 'open')\n"
        "    except OSError: print(host, 'refused')\n"
    )
    seen = kubectl("-n", PRODUCTION, "exec", "deploy/feedback", "--", "python", "-c", code).split("\n")
    assert seen[:3] == ["postgresql.platform open", "inference.hilum-production refused", "1.1.1.1 refused"], seen
    return "feedback reaches its database; inference and the world refuse it"
