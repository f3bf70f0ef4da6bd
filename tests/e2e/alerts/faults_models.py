"""Model servers that go wrong: a canary that fails and calls too often, a precision that is slow and no good."""

from __future__ import annotations

import base64
import csv
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hilum.imaging import decode
from hilum.release import Release
from hilum.release.signing import new_key, public_text
from services.inference.providers import Wish
from services.inference.scorer import open_scorer
from tests.e2e.alerts import releases
from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.monitor import EVALUATION_PORT
from tests.e2e.alerts.site import APP, CANARY, FILMS, FOLDER, SLOW, STORES, WATCH, WATCHES, Site, installed
from tests.e2e.alerts.watch import Watch
from tests.e2e.cluster.kube import ROOT, kubectl, sh, wait_until
from tests.e2e.promotion.ground import address

SET = FOLDER / "set"
# Films of the labelled set; the alert asks for a hundred.
SET_FILMS = 104
_RUNNING: dict[str, subprocess.Popen[bytes]] = {}
# Each second a film, and the next one whatever became of it.
ASK = """
import base64, json, sys, time, httpx
films = [base64.b64decode(one) for one in json.loads(sys.stdin.read())]
for n in range(1500):
    try: httpx.post('http://127.0.0.1:8000/v1/predict', files={'file': films[n % len(films)]}, timeout=60)
    except httpx.HTTPError: pass
    time.sleep(0.6)
"""


def served(
    site: Site, namespace: str, environment: str, release: str, precision: str, key: str, wait: bool = True
) -> None:
    """Inference alone, as canary runs it."""
    off = {"enabled": False}
    installed("hilum", namespace, {
        "environment": environment,
        "bundle": {"images": site.images, "release": {"digest": release, "precision": precision}},
        "releaseStore": {"endpoint": f"http://minio.{STORES}.svc:9000", "trustedKeys": key},
        "inference": {"resources": {"requests": {"cpu": "10m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}},
                      "autoscaling": {"mode": "none"}},
        "web": off, "feedback": off, "migrations": off,
        "networkPolicy": {"storage": {"namespace": STORES}, "monitoringNamespace": WATCH, "askingNamespaces": [APP]},
    })  # fmt: skip
    if wait:
        kubectl("-n", namespace, "rollout", "status", "deployment/inference", "--timeout=300s")


def pushed(release: Release, port: int) -> str:
    """Into the hospital's store; its digest."""
    sh("k8s/push-release.sh", str(release.folder), PLATFORM_NAMESPACE=STORES, PORT=str(port))
    return release.digest


def end(name: str) -> None:
    """End what was started here under this name."""
    process = _RUNNING.pop(name, None)
    if process is not None:
        process.kill()
        process.wait(10)


def _no_such_release(site: Site) -> float:
    began = time.time()
    served(site, CANARY, "canary", "0" * 64, "", public_text(new_key()), wait=False)
    return began


def _failing_release(site: Site) -> None:
    key = new_key()
    release = releases.failing(FOLDER / "release-fails", key)
    site.memory |= {"failing_digest": pushed(release, 19017), "failing_key": public_text(key)}


def _bad_canary(site: Site) -> float:
    served(site, CANARY, "canary", site.memory["failing_digest"], "fp32", site.memory["failing_key"])
    began = time.time()
    films = "[" + ",".join(f'"{base64.b64encode(one.read_bytes()).decode()}"' for one in FILMS) + "]"
    command = ["kubectl", "-n", CANARY, "exec", "-i", "deploy/inference", "-c", "inference", "--",
               "python", "-c", ASK]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(films.encode())
    process.stdin.close()
    _RUNNING["ask"] = process
    return began


def _good_canary(site: Site) -> None:
    """The same network as production's under another version: studies are paired again."""
    from tests.e2e.promotion import candidates

    end("ask")
    key = new_key()
    folder = FOLDER / "release-good"
    if folder.exists():
        sh("rm", "-r", str(folder))
    release = candidates.make(folder, "2.0.1", key)
    served(site, CANARY, "canary", pushed(release, 19018), "fp32", public_text(key))


def _labelled_set(release: Release) -> Path:
    """Films with other light, labelled as the good precision ranks them: what is above its median is present."""
    SET.mkdir(parents=True, exist_ok=True)
    scorer = open_scorer(release, "fp32", Wish("cpu", 1, 1, ""))
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for number in range(SET_FILMS):
        pixels = np.asarray(Image.open(FILMS[number % len(FILMS)]).convert("L"), dtype=np.float32)
        changed = np.clip(pixels * rng.uniform(0.85, 1.1) + rng.uniform(-8, 8), 0, 255).astype(np.uint8)
        name = f"film-{number}.png"
        Image.fromarray(changed).save(SET / name)
        score = scorer.score(decode((SET / name).read_bytes()).pixels)
        rows.append({"film": name, **{one.spec.name: one.probability for one in score.findings}})
    names = [name for name in rows[0] if name != "film"]
    middle = {name: float(np.median([row[name] for row in rows])) for name in names}
    with (SET / "set.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["film", *names])
        writer.writeheader()
        for row in rows:
            writer.writerow({"film": row["film"], **{name: int(row[name] > middle[name]) for name in names}})
    return SET / "set.csv"


def _first_rounds(site: Site) -> None:
    """fp32 is evaluated round after round."""
    key = new_key()
    release = releases.two_precisions(FOLDER / "release-two", key)
    digest = pushed(release, 19019)
    served(site, SLOW, "staging", digest, "fp32", public_text(key))
    labelled = _labelled_set(release)
    command = [sys.executable, "-m", "services.cli", "evaluate-online", address(SLOW, "inference", 8000), str(labelled),
               "--out", str(SET / "out.jsonl"), "--every-hours", "0.002", "--speed-up", "100000", "--at-once",
               "2", "--metrics-port", str(EVALUATION_PORT), "--metrics-address", "0.0.0.0"]  # fmt: skip
    with (SET / "log").open("wb") as log:
        _RUNNING["evaluate"] = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    site.memory |= {"two_digest": digest, "two_key": public_text(key)}
    watch = Watch(WATCHES[60])
    wait_until("a first round", lambda: watch.query('hilum_evaluation_auroc{finding="overall"}'), 300)
    # Every scraper sees it.
    time.sleep(30)


def _another_precision(site: Site) -> float:
    """The bundle's precision is changed, under the same digest."""
    began = time.time()
    served(site, SLOW, "staging", site.memory["two_digest"], "int8", site.memory["two_key"])
    return began


def _first_precision(site: Site) -> None:
    served(site, SLOW, "staging", site.memory["two_digest"], "fp32", site.memory["two_key"])
    watch = Watch(WATCHES[60])
    wait_until("a good round", lambda: "ModelQualityFell" not in watch.firing(), 240)
    end("evaluate")


FAULTS = [
    Fault("canary's release is not in the store", 1, ("ServiceNotReady",), _no_such_release, _good_canary,
          lane="canary", minutes=5),
    Fault("canary's release fails on two films in three and calls the rest too often", 1,
          ("InferenceErrors", "ShadowStalled"), _bad_canary, _good_canary, lane="canary",
          fast={60: ("AlertRateHigh", "ShadowStalled")}, minutes=30, rest_minutes=12, ready=_failing_release),
    Fault("another precision of the release is served, which is slow and no good", 1, ("InferenceSlow",),
          _another_precision, _first_precision, lane="staging", fast={60: ("ModelQualityFell",)}, minutes=30,
          rest_minutes=15, ready=_first_rounds),
]  # fmt: skip
