"""What is broken on purpose, how, and which alerts must say so."""

from __future__ import annotations

import base64
import io
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.site import APP, FILMS, STORES, WATCH, Site, applied, pod
from tests.e2e.cluster.kube import ROOT, kubectl

# Values of an Application that is never synced: it has to render, and nothing more.
UNSYNCED = "tools: {image: x@sha256:" + "a" * 64 + "}\nmlflow: {enabled: false}"


def _scale(what: str, replicas: int, namespace: str = APP) -> Callable[[Site], object]:
    return lambda _: kubectl("-n", namespace, "scale", what, f"--replicas={replicas}")


def _film(number: int, critical: bool = False) -> bytes:
    if critical:
        return (ROOT / "samples/nih_test1.dcm").read_bytes()
    return FILMS[number % len(FILMS)].read_bytes() + uuid.uuid4().bytes


def _send(site: Site, body: bytes, **data: str) -> Any:
    """Again where the door or web says that it is busy: on two cores a hospital of faults is."""
    for _ in range(6):
        told = {"accession": uuid.uuid4().hex[:8], **data}
        answer = site.client().post("/v1/studies", files={"file": body}, data=told)
        if answer.status_code < 500:
            break
        time.sleep(3)
    return answer


def _studies(site: Site, status: str = "unread") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        site.client().get("/v1/studies", params={"limit": 200, "status": status}).raise_for_status().json()["studies"]
    )
    return found


def _read(site: Site, study: dict[str, Any], labels: dict[str, int]) -> None:
    body = {"labels": labels, "answer_version": study["answer_version"]}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    site.client().post(f"/v1/studies/{study['uid']}/reads", json=body, headers=key).raise_for_status()


def _read_all(site: Site) -> None:
    for study in _studies(site):
        _read(site, study, {"Effusion": 0})


def _nobody_reads(site: Site) -> None:
    for number in range(12):
        assert _send(site, _film(number)).status_code == 201
    # Whichever film the release calls critical; a DICOM order that says STAT is critical by itself.
    import pydicom

    import hilum.imaging  # noqa: F401 - before pydicom

    film = pydicom.dcmread(io.BytesIO((ROOT / "samples/nih_test1.dcm").read_bytes()))
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = (pydicom.uid.generate_uid() for _ in range(3))
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    film.add_new((0x0040, 0x1003), "SH", "STAT")
    out = io.BytesIO()
    film.save_as(out)
    assert _send(site, out.getvalue()).status_code == 201


def _skip(site: Site) -> None:
    assert _send(site, _film(1)).status_code == 201
    study = _studies(site)[-1]
    site.client().post(f"/v1/studies/{study['uid']}/skip").raise_for_status()
    site.memory["skipped"] = study["uid"]


def _read_skipped(site: Site) -> None:
    study = site.client().get(f"/v1/studies/{site.memory['skipped']}").raise_for_status().json()
    _read(site, study, {"Effusion": 0})


def _no_chests(site: Site) -> None:
    import numpy as np
    from PIL import Image

    for seed in range(14):
        noise = np.random.default_rng(seed).integers(0, 255, (256, 256), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(noise).save(out, "PNG")
        assert _send(site, out.getvalue()).status_code == 201


def _damaged(site: Site) -> None:
    client = site.client()
    for number in range(130):
        client.post("/v1/studies", files={"file": _film(number)[:2000] + uuid.uuid4().bytes})


def _job(site: Site) -> None:
    template = pod("fails", APP, ["false"], image=site.python, restart="Never")["spec"]
    meta = {"name": "fails", "namespace": APP}
    applied({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta,
             "spec": {"backoffLimit": 0, "template": {"spec": template}}})  # fmt: skip


def _pods(site: Site) -> None:
    fill = "import time; kept = bytearray(%d << 20); print(len(kept), flush=True); time.sleep(9999)"
    series = "".join(f'made_up{{number=\\"{n}\\"}} 1\\n' for n in range(2000))
    page = (
        "from http.server import *\n"
        "class P(BaseHTTPRequestHandler):\n"
        "  def do_GET(self):\n"
        "    self.send_response(200); self.send_header('Content-Type', 'text/plain; version=0.0.4')\n"
        f'    self.end_headers(); self.wfile.write("{series}".encode())\n'
        "HTTPServer(('', 8005), P).serve_forever()\n"
    )
    part = {"app.kubernetes.io/name": "hilum", "app.kubernetes.io/component": "promoter",
            "hilum.io/environment": "production"}  # fmt: skip
    found = {"prometheus.io/scrape": "true", "prometheus.io/port": "8005", "prometheus.io/path": "/metrics"}
    crowd = pod("crowd", WATCH, ["python", "-c", page], image=site.python, labels=part, annotations=found)
    applied(
        pod("greedy", APP, ["python", "-c", fill % 200], image=site.python, memory="64Mi"),
        pod("full", APP, ["python", "-c", fill % 116], image=site.python, memory="128Mi"),
        crowd,
    )


def _crashes(site: Site) -> None:
    applied(pod("crashes", APP, ["python", "-c", "import time; time.sleep(2); raise SystemExit(1)"], image=site.python))


def _pods_gone(_: Site) -> None:
    kubectl("-n", APP, "delete", "pod", "greedy", "full", "--ignore-not-found", "--wait=false")
    kubectl("-n", WATCH, "delete", "pod", "crowd", "--ignore-not-found", "--wait=false")


def _unsynced(_: Site) -> None:
    source = {"repoURL": "http://172.31.255.1:3000/hilum.git", "targetRevision": "main", "path": "charts/platform"}
    spec = {"project": "default", "source": source | {"helm": {"values": UNSYNCED}},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "mon-nowhere"}}  # fmt: skip
    meta = {"name": "mon-nowhere", "namespace": "argocd"}
    applied({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta, "spec": spec})


def _receiver(word: str) -> Callable[[Site], object]:
    code = (
        "import urllib.request as u; u.urlopen(u.Request("
        f"'http://127.0.0.1:8080/{word}/data-science', b'{{}}', method='POST'))"
    )
    return lambda _: kubectl("-n", WATCH, "exec", "receiver", "--", "python", "-c", code)


def _connections(_: Site) -> None:
    hold = "for n in $(seq 76); do psql -U postgres -q -c 'select pg_sleep(1500)' >/dev/null 2>&1 & done; sleep 2"
    kubectl("-n", STORES, "exec", "postgresql-0", "--", "bash", "-c", hold)


def _free(_: Site) -> None:
    end = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'"
    kubectl("-n", STORES, "exec", "postgresql-0", "--", "psql", "-U", "postgres", "-q", "-c", end)


def _forged(site: Site) -> None:
    """An object where the next reads' objects go, as one who has the store's key could put it."""
    code = (
        "import boto3, os; s = boto3.client('s3', endpoint_url=os.environ['HILUM_S3_ENDPOINT']);"
        "k = s.list_objects_v2(Bucket='hilum-newdata', Prefix='ledger/reads/').get('KeyCount', 0);"
        "[s.put_object(Bucket='hilum-newdata', Key=f'ledger/reads/{k + n:012d}.json', Body=b'forged') for n in (1, 2)]"
    )
    kubectl("-n", APP, "exec", "deploy/feedback", "-c", "feedback", "--", "python", "-c", code)
    study = _studies(site)[0]
    body = {"labels": {"Effusion": 0}, "answer_version": study["answer_version"]}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    site.client().post(f"/v1/studies/{study['uid']}/reads", json=body, headers=key).raise_for_status()


def _forged_gone(_: Site) -> None:
    code = (
        "import boto3, os; s = boto3.client('s3', endpoint_url=os.environ['HILUM_S3_ENDPOINT']);"
        "[s.delete_object(Bucket='hilum-newdata', Key=o['Key']) for o in s.list_objects_v2(Bucket='hilum-newdata',"
        " Prefix='ledger/reads/')['Contents'] if o['Size'] == 6]"
    )
    kubectl("-n", APP, "exec", "deploy/feedback", "-c", "feedback", "--", "python", "-c", code)
    # The count of contradictions is the process's own.
    kubectl("-n", APP, "rollout", "restart", "deployment/feedback")


def _slow_pages(_: Site) -> None:
    limit = "cpu=40m"
    kubectl("-n", APP, "set", "resources", "deployment/web", f"--limits={limit},memory=1Gi", "--requests=cpu=10m")


def _shed(_: Site) -> None:
    """Forty callers of one worker and a queue of one, from where web calls; they end by themselves."""
    few = ("HILUM_QUEUE=1", "HILUM_WORKERS=1")
    kubectl("-n", APP, "set", "env", "deployment/inference", *few)
    kubectl("-n", APP, "rollout", "status", "deployment/inference", "--timeout=240s")
    code = (
        "import base64, concurrent.futures as c, sys, httpx; b = base64.b64decode(sys.stdin.read())\n"
        "def go(_):\n"
        "  for n in range(6): httpx.post('http://inference:8000/v1/predict', files={'file': b}, timeout=60)\n"
        "with c.ThreadPoolExecutor(40) as pool: list(pool.map(go, range(40)))\n"
    )
    film = base64.b64encode(_film(0)).decode()
    kubectl("-n", APP, "exec", "-i", "deploy/web", "-c", "web", "--", "python", "-c", code, text=film)


def _no_release(_: Site) -> None:
    kubectl("-n", APP, "set", "env", "deployment/inference", "-c", "inference", "HILUM_RELEASE=/nowhere")
    # A Deployment keeps the pod that serves until the new one is ready, which it never is.
    kubectl("-n", APP, "scale", "deployment/inference", "--replicas=0")
    kubectl("-n", APP, "scale", "deployment/inference", "--replicas=1")


def _nothing(_: Site) -> None:
    """Ends by itself, or with what the batch does at its end."""


def _late(site: Site) -> None:
    _scale("deployment/inference", 0)(site)
    for number in range(6):
        _send(site, _film(number))
    time.sleep(100)
    _scale("deployment/inference", 1)(site)


FAULTS = [
    Fault("a reader skips a study", 1, ("StudiesEscalated",), _skip, _read_skipped),
    Fault("14 pictures of noise are sent", 1, ("NotScoredShareHigh", "OutOfDomainShareHigh"), _no_chests, _nothing),
    Fault("130 films cut off after 2,000 bytes are sent", 1, ("FilmsRefused",), _damaged, _nothing,
          fast={60: ("FilmsRefused",)}),
    Fault("the archive for results does not answer", 1, ("ResultsWait",), _nothing, _nothing),
    Fault("canary does not answer", 1, ("CanaryAway",), _nothing, _nothing),
    Fault("a Job fails", 1, ("JobFailed",), _job, lambda _: kubectl("-n", APP, "delete", "job", "fails")),
    Fault("a pod that ends with an error two seconds after its start", 1, ("PodRestarts",), _crashes,
          lambda _: kubectl("-n", APP, "delete", "pod", "crashes", "--ignore-not-found", "--wait=false"), minutes=8),
    Fault("pods that take too much memory, nearly so, and give 2,000 series", 1,
          ("OutOfMemory", "MemoryNearLimit", "TooManySeries"), _pods, _pods_gone),
    Fault("an Application is not synced", 1, ("ArgocdUnhealthy", "ArgocdOutOfSync"), _unsynced,
          lambda _: kubectl("-n", "argocd", "delete", "application", "mon-nowhere", "--wait=false")),
    Fault("the receiver of the data scientists answers 500", 1, ("AlertsNotDelivered",), _receiver("refuse"),
          _receiver("take")),
    Fault("76 sessions hold PostgreSQL", 1, ("PostgresqlConnections",), _connections, _free,
          fast={60: ("PostgresqlConnections",)}, minutes=14),
    Fault("somebody writes into the ledger's bucket", 1, ("LedgerContradicted",), _forged, _forged_gone),
    Fault("PostgreSQL is scaled to nought", 2,
          ("PostgresqlDown", "WorklistUnknown", "ServiceNotReady"),
          _scale("statefulset/postgresql", 0, STORES), _scale("statefulset/postgresql", 1, STORES)),
    Fault("the object store is scaled to nought", 3, ("ObjectStoreDown",), _scale("statefulset/minio", 0, STORES),
          _scale("statefulset/minio", 1, STORES)),
    Fault("inference is away for 100 s, and six films come", 1, ("RankingBudgetBurnsFast", "RankingBudgetBurnsSlowly"),
          _late, _nothing, fast={60: ("RankingBudgetBurnsFast", "RankingBudgetBurnsSlowly")}, minutes=22,
          rest_minutes=9),
    Fault("inference and feedback are scaled to nought", 4,
          ("FilmsWaitForScores", "ServiceGone", "ReadsDoNotReachTheLedger"),
          lambda site: (_scale("deployment/inference", 0)(site), _scale("deployment/feedback", 0)(site),
                        [_send(site, _film(n)) for n in range(6)], _read_all(site)),
          lambda site: (_scale("deployment/inference", 1)(site), _scale("deployment/feedback", 1)(site))),
    Fault("inference starts without its release", 8, ("ModelNotReady",), _no_release, lambda site: site.application()),
    Fault("40 callers of one worker and a queue of one", 3, ("InferenceSheds",), _shed,
          lambda _: kubectl("-n", APP, "set", "env", "deployment/inference", "HILUM_QUEUE-", "HILUM_WORKERS-"),
          lane="inference", minutes=6, rest_minutes=12),
    Fault("web may use a twenty-fifth of a core", 6, ("ReadingRoomBudgetBurnsFast", "ReadingRoomBudgetBurnsSlowly"),
          _slow_pages, lambda site: site.application()),
    Fault("nobody reads; a STAT order and twelve films are unread", 7,
          ("CriticalStudiesOverdue", "StudiesOverdueBeyondWait"), _nobody_reads, _read_all),
]  # fmt: skip
