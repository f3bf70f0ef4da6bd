"""Canary's gate in the cluster: the run that ArgoCD makes asks production's reading room and Prometheus, and waits."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from typing import Any

import yaml

from hilum.release.signing import new_key, public_text
from hilum.release.store import push_release
from hilum.storage import open_blobs
from tests.e2e.cluster.kube import ROOT, get, kubectl, refresh, wait_until
from tests.e2e.cluster.site import GIT_SECONDS, PRODUCTION, Site, forwarded, pods, ready, scored, secret, send
from tests.e2e.promotion import candidates

TOKEN = """
import sys
from datetime import timedelta
from hilum.settings import from_environment
from hilum.storage import make_engine, session_factory
from services.web.context import utc_now
from services.web.identity.tokens import make
from services.web.settings import WebSettings
with session_factory(make_engine(from_environment(WebSettings).database("web"))).begin() as rows:
    print(make(rows, sys.argv[1], frozenset({"evidence:read"}), utc_now(), utc_now() + timedelta(days=1)))
"""
GATES = "gates: {{enabled: true, canary: {{live: {live}, interval: 5s, window: 10m}}}}\n"
CANARY, LIVE = "argocd/environments/canary", "argocd/environments/production"


def canarys_analysis_asks_the_reading_room_and_waits_for_evidence(site: Site) -> str:
    key, folder = new_key(), site.folder / "candidate"
    shutil.rmtree(folder, ignore_errors=True)
    release = candidates.make(folder, f"9.{int(time.time())}.0", key)
    with forwarded("platform", "minio", 9000) as address:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ[name] = secret("platform", "minio", name)
        digest = push_release(release.folder, open_blobs("s3://hilum-releases", address)).digest
    name = f"canary-{secrets.token_hex(4)}"
    # By stdin, as the token: neither stands in a process list.
    token = kubectl("-n", PRODUCTION, "exec", "-i", "deploy/web", "--", "python", "-", name, text=TOKEN).strip()
    kubectl("-n", "hilum-canary", "delete", "secret", "hilum-evidence", "--ignore-not-found")
    held = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hilum-evidence", "namespace": "hilum-canary"}}
    kubectl("apply", "-f", "-", text=json.dumps({**held, "stringData": {"token": token}}))
    live = _running(site)
    site.tree.append(f"{CANARY}/values.yaml", GATES.format(live=live))
    # The set before starts beside the new one and fetches its release too: its key stays trusted.
    keys = (ROOT / "models/trusted-keys.txt").read_text(encoding="utf-8").strip().splitlines()[-1]
    trusted = f"releaseStore:\n  trustedKeys: |\n    {keys}\n    {public_text(key).strip()}"
    site.tree.change(f"{CANARY}/values.yaml", r"(?m)^releaseStore:$", trusted)
    site.tree.change(f"{CANARY}/bundle.yaml", r"digest: [0-9a-f]{64}", f"digest: {digest}")
    site.tree.append(f"{CANARY}/bundle.yaml", "  run: {attempt: 1, replicas: 1}\n")
    site.tree.append(f"{LIVE}/values.yaml", "gates: {enabled: true}\n")
    values = yaml.safe_load((site.tree.folder / f"{LIVE}/values.yaml").read_text(encoding="utf-8"))
    settings = values["web"].get("settings")
    asked = json.dumps({**(settings or {}), "HILUM_CANARY_URL": "http://inference.hilum-canary.svc:8000"})
    pattern = r"(?m)^web:\n  settings: .*$" if settings else r"(?m)^web:$"
    site.tree.change(f"{LIVE}/values.yaml", pattern, f"web:\n  settings: {asked}")
    site.tree.commit("A candidate in canary")
    began = time.monotonic()
    refresh("hilum-canary", PRODUCTION)
    run = f"gate-{digest[:12]}-1"
    wait_until("canary's pod", lambda: any(ready(pod) for pod in pods("inference", "hilum-canary")), 2 * GIT_SECONDS)
    wait_until("canary's run", lambda: bool(get("hilum-canary", "analysisrun", run)), 120)
    client = site.client()
    sent = [send(client, "GATE", number) for number in range(6)]
    assert all(answer.status_code == 201 for _, answer in sent)
    scored(client, [accession for accession, _ in sent])
    wait_until("an answer of the reading room", lambda: "inconclusive" in _values(run, "evidence"), GIT_SECONDS)
    site.settled("hilum-canary")
    time.sleep(10)
    found = get("hilum-canary", "analysisrun", run)["status"]
    seen = {m["name"]: (m["phase"], m.get("inconclusive", 0), m.get("failed", 0)) for m in found["metricResults"]}
    assert found["phase"] == "Running" and not any(failed for _, _, failed in seen.values()), found
    took = time.monotonic() - began
    word = _values(run, "evidence")[-1]
    site.tree.revert()
    site.settled("hilum-canary")
    site.settled()
    assert get("hilum-canary", "analysisrun", run), "the run went with its release"
    kubectl("-n", "hilum-canary", "delete", "analysisrun", run)
    return (
        f"{run} made by ArgoCD; after {took:.0f} s it is Running: "
        + "; ".join(f"{n} {count} times inconclusive" for n, (_, count, _) in sorted(seen.items()))
        + f"; the reading room's word: {word}; nothing failed; canary Synced and Healthy all the while"
    )


def _running(site: Site) -> str:
    """The release that production serves, by its bundle."""
    text = (site.tree.folder / f"{LIVE}/bundle.yaml").read_text(encoding="utf-8")
    return next(line.split()[1] for line in text.splitlines() if line.startswith("    digest: "))


def _values(run: str, metric: str) -> list[str]:
    """What a metric of the run measured so far."""
    found: dict[str, Any] = get("hilum-canary", "analysisrun", run)
    results = found.get("status", {}).get("metricResults", [])
    return [
        str(one.get("value", "")).strip('"')
        for each in results
        if each["name"] == metric
        for one in each.get("measurements", [])
    ]
