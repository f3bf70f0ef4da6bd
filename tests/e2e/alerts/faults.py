"""What is broken on purpose, how, and which alerts must say so."""

from __future__ import annotations

import base64
import io
import os
import time
import uuid
from collections.abc import Callable

from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.reading import film, read, read_all, read_first, send, studies
from tests.e2e.alerts.site import APP, STORES, WATCH, Site, applied, pod
from tests.e2e.cluster.kube import ROOT, kubectl, sh

# A Git server that takes pushes, and that ArgoCD can ask.
GIT = os.environ.get("E2E_ALERTS_GIT", "http://172.31.255.1:3000/mon.git")
# Values of an Application that is never synced: it has to render, and nothing more.
UNSYNCED = "tools: {image: x@sha256:" + "a" * 64 + "}\nmlflow: {enabled: false}"


def _scale(what: str, replicas: int, namespace: str = APP) -> Callable[[Site], object]:
    return lambda _: kubectl("-n", namespace, "scale", what, f"--replicas={replicas}")


def _nobody_reads(site: Site) -> None:
    site.nobody_reads.set()
    for number in range(12):
        assert send(site, film(number)).status_code == 201
    # Whichever film the release calls critical; a DICOM order that says STAT is critical by itself.
    import pydicom

    import hilum.imaging  # noqa: F401 - before pydicom

    stat = pydicom.dcmread(io.BytesIO((ROOT / "samples/nih_test1.dcm").read_bytes()))
    stat.StudyInstanceUID, stat.SeriesInstanceUID, stat.SOPInstanceUID = (pydicom.uid.generate_uid() for _ in range(3))
    stat.file_meta.MediaStorageSOPInstanceUID = stat.SOPInstanceUID
    stat.add_new((0x0040, 0x1003), "SH", "STAT")
    out = io.BytesIO()
    stat.save_as(out)
    assert send(site, out.getvalue()).status_code == 201


def _all_read(site: Site) -> None:
    site.nobody_reads.clear()
    read_all(site)


def _skip(site: Site) -> None:
    assert send(site, film(1)).status_code == 201
    with site.reads:
        study = studies(site)[-1]
        site.memory["skipped"] = study["uid"]
        site.client().post(f"/v1/studies/{study['uid']}/skip").raise_for_status()


def _read_skipped(site: Site) -> None:
    study = site.client().get(f"/v1/studies/{site.memory['skipped']}").raise_for_status().json()
    site.memory.pop("skipped")
    read(site, study, {"Effusion": 0})


def _no_chests(site: Site) -> None:
    import numpy as np
    from PIL import Image

    # More than a tenth of the films that come in the hour of the proof.
    for seed in range(60):
        noise = np.random.default_rng(seed).integers(0, 255, (256, 256), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(noise).save(out, "PNG")
        assert send(site, out.getvalue()).status_code == 201


def _damaged(site: Site) -> None:
    client = site.client()
    for number in range(130):
        client.post("/v1/studies", files={"file": film(number)[:2000] + uuid.uuid4().bytes})


def _job(site: Site) -> None:
    template = pod("fails", APP, ["false"], image=site.python, restart="Never")["spec"]
    meta = {"name": "fails", "namespace": APP}
    applied({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta,
             "spec": {"backoffLimit": 0, "template": {"spec": template}}})  # fmt: skip


def _pods(site: Site) -> None:
    fill = "import time; kept = bytearray(%d << 20); print(len(kept), flush=True); time.sleep(9999)"
    series = "".join(f'crowd{{number=\\"{n}\\"}} 1\\n' for n in range(2000))
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
        pod("nearly", APP, ["python", "-c", fill % 116], image=site.python, memory="128Mi"),
        crowd,
    )


def _crashes(site: Site) -> None:
    applied(pod("crashes", APP, ["python", "-c", "import time; time.sleep(2); raise SystemExit(1)"], image=site.python))


def _pods_gone(_: Site) -> None:
    kubectl("-n", APP, "delete", "pod", "greedy", "nearly", "--ignore-not-found", "--wait=false")
    kubectl("-n", WATCH, "delete", "pod", "crowd", "--ignore-not-found", "--wait=false")


def _unsynced(_: Site) -> None:
    sh("git", "-C", str(ROOT), "push", "--quiet", "--force", GIT, "HEAD:refs/heads/main")
    source = {"repoURL": GIT, "targetRevision": "main", "path": "charts/platform"}
    spec = {"project": "default", "source": source | {"helm": {"values": UNSYNCED}},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "mon-nowhere"}}  # fmt: skip
    meta = {"name": "mon-nowhere", "namespace": "argocd"}
    applied({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta, "spec": spec})


def _receiver(word: str) -> Callable[[Site], object]:
    code = (
        "import urllib.request as u; u.urlopen(u.Request("
        f"'http://127.0.0.1:8080/{word}/watchdog', b'{{}}', method='POST'))"
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
    read_first(site)


def _forged_gone(_: Site) -> None:
    code = (
        "import boto3, os; s = boto3.client('s3', endpoint_url=os.environ['HILUM_S3_ENDPOINT']);"
        "[s.delete_object(Bucket='hilum-newdata', Key=o['Key']) for o in s.list_objects_v2(Bucket='hilum-newdata',"
        " Prefix='ledger/reads/')['Contents'] if o['Size'] == 6]"
    )
    kubectl("-n", APP, "exec", "deploy/feedback", "-c", "feedback", "--", "python", "-c", code)
    # The count of contradictions is the process's own.
    kubectl("-n", APP, "rollout", "restart", "deployment/feedback")


def _held_table(_: Site) -> None:
    """Somebody's maintenance holds a table that the list needs, for 2.5 s again and again, for 25 minutes at most."""
    hold = (
        "do $$ begin for n in 1..580 loop lock table saved_views in access exclusive mode;"
        " perform pg_sleep(2.5); commit; perform pg_sleep(0.1); end loop; end $$"
    )
    run = f'psql -U postgres -q -d hilum_production -c "{hold.replace("$", chr(92) + "$")}" >/dev/null 2>&1 &'
    kubectl("-n", STORES, "exec", "postgresql-0", "--", "bash", "-c", run)


def _free_table(_: Site) -> None:
    end = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'do %saved_views%'"
    kubectl("-n", STORES, "exec", "postgresql-0", "--", "psql", "-U", "postgres", "-q", "-c", end)


def _shed(_: Site) -> float:
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
    one = base64.b64encode(film(0)).decode()
    # The new pod is scraped once: what a counter holds when it is first seen is no increase.
    time.sleep(40)
    began = time.time()
    kubectl("-n", APP, "exec", "-i", "deploy/web", "-c", "web", "--", "python", "-c", code, text=one)
    return began


def _postgresql(_: Site) -> None:
    kubectl("-n", STORES, "scale", "statefulset/postgresql", "--replicas=1")
    kubectl("-n", STORES, "rollout", "status", "statefulset/postgresql", "--timeout=180s")
    kubectl("-n", APP, "rollout", "status", "deployment/web", "--timeout=180s")


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
        send(site, film(number))
    time.sleep(100)
    _scale("deployment/inference", 1)(site)


FAULTS = [
    Fault("a Job fails", 0, ("JobFailed",), _job, lambda _: kubectl("-n", APP, "delete", "job", "fails"), minutes=10),
    Fault("a pod that ends with an error two seconds after its start", 0, ("PodRestarts",), _crashes,
          lambda _: kubectl("-n", APP, "delete", "pod", "crashes", "--ignore-not-found", "--wait=false"), minutes=8),
    Fault("pods that take too much memory, nearly so, and give 2,000 series", 0,
          ("OutOfMemory", "MemoryNearLimit", "TooManySeries"), _pods, _pods_gone),
    Fault("an Application is not synced", 0, ("ArgocdUnhealthy", "ArgocdOutOfSync"), _unsynced,
          lambda _: kubectl("-n", "argocd", "delete", "application", "mon-nowhere", "--wait=false")),
    Fault("the receiver of the watchdog answers 500", 0, ("AlertsNotDelivered",), _receiver("refuse"),
          _receiver("take"), minutes=12, rest_minutes=14),
    Fault("a reader skips a study", 1, ("StudiesEscalated",), _skip, _read_skipped, minutes=18),
    Fault("60 pictures of noise are sent", 1, ("NotScoredShareHigh", "OutOfDomainShareHigh"), _no_chests, _nothing,
          fast={60: ("NotScoredShareHigh", "OutOfDomainShareHigh")}, minutes=18, rest_minutes=3),
    Fault("130 films cut off after 2,000 bytes are sent", 1, ("FilmsRefused",), _damaged, _nothing,
          fast={60: ("FilmsRefused",)}, minutes=14, rest_minutes=3),
    Fault("canary does not answer", 1, ("CanaryAway",), _nothing, _nothing, lane="canary", minutes=18),
    Fault("76 sessions hold PostgreSQL", 1, ("PostgresqlConnections",), _connections, _free,
          fast={60: ("PostgresqlConnections",)}, minutes=14),
    Fault("somebody writes into the ledger's bucket", 1, ("LedgerContradicted",), _forged, _forged_gone,
          lane="feedback", minutes=5),
    Fault("inference is away for 100 s, and six films come", 1, ("RankingBudgetBurnsFast", "RankingBudgetBurnsSlowly"),
          _late, _nothing, fast={60: ("RankingBudgetBurnsFast", "RankingBudgetBurnsSlowly")}, minutes=22,
          rest_minutes=9),
    Fault("a table that the list needs is locked for 2.5 s again and again", 1,
          ("ReadingRoomBudgetBurnsFast", "ReadingRoomBudgetBurnsSlowly"), _held_table, _free_table, lane="pages",
          fast={60: ("ReadingRoomBudgetBurnsFast", "ReadingRoomBudgetBurnsSlowly")}, minutes=22, rest_minutes=9),
    Fault("PostgreSQL is scaled to nought", 2, ("PostgresqlDown", "WorklistUnknown"),
          _scale("statefulset/postgresql", 0, STORES), _postgresql, lane="stores", minutes=8),
    Fault("40 callers of one worker and a queue of one", 3, ("InferenceSheds",), _shed,
          lambda _: kubectl("-n", APP, "set", "env", "deployment/inference", "HILUM_QUEUE-", "HILUM_WORKERS-"),
          lane="inference", minutes=6, rest_minutes=12),
    Fault("inference and feedback are scaled to nought", 4,
          ("FilmsWaitForScores", "ServiceGone", "ReadsDoNotReachTheLedger"),
          lambda site: (_scale("deployment/inference", 0)(site), _scale("deployment/feedback", 0)(site),
                        [send(site, film(n)) for n in range(6)], read_all(site)),
          lambda site: (_scale("deployment/inference", 1)(site), _scale("deployment/feedback", 2)(site)), minutes=22),
    Fault("inference starts without its release", 3, ("ModelNotReady",), _no_release, lambda site: site.application(),
          lane="inference", minutes=8),
    Fault("nobody reads; a STAT order and twelve films are unread", 3,
          ("CriticalStudiesOverdue", "StudiesOverdueBeyondWait"), _nobody_reads, _all_read, lane="reading",
          minutes=14),
]  # fmt: skip
