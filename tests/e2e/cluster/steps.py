"""What is proven, a function each; their names are the log."""

from __future__ import annotations

import secrets
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.cluster.kube import ROOT, Load, application, get, kubectl, refresh, room, sh, sign_in, wait_until
from tests.e2e.cluster.tree import ENVIRONMENTS, Tree

APPLICATIONS = ("hilum", "platform", *(f"hilum-{name}" for name in ENVIRONMENTS))
PRODUCTION = "hilum-production"
GIT_SECONDS = 90


@dataclass
class Site:
    """The cluster under test."""

    tree: Tree
    address: str
    folder: Path
    password: str = ""

    def client(self) -> httpx.Client:
        """Signed in to production's reading room through the ingress."""
        client = room("hilum.test", self.address)
        sign_in(client, "anna", self.password)
        return client


def namespaces_and_secrets_are_there(site: Site) -> str:
    kubectl("apply", "-k", "k8s/bootstrap")
    made = sh("k8s/secrets.sh")
    cert, key, users = (site.folder / name for name in ("tls.crt", "tls.key", "users.toml"))
    sh(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
        *("-subj", "/CN=hilum.test", "-addext", "subjectAltName=DNS:hilum.test,DNS:staging.hilum.test"),
        *("-keyout", str(key), "-out", str(cert)),
    )
    site.password = secrets.token_urlsafe(18)
    roles = ("--role", "reader", "--role", "lead", "--role", "admin")
    sh(".venv/bin/hilum", "users", "add", "anna", *roles, "--file", str(users), "--stdin", text=f"{site.password}\n")
    for namespace in ("hilum-production", "hilum-staging"):
        for name in ("hilum-users", "hilum-tls"):
            kubectl("-n", namespace, "delete", "secret", name, "--ignore-not-found")
        kubectl("-n", namespace, "create", "secret", "generic", "hilum-users", f"--from-file=users.toml={users}")
        kubectl("-n", namespace, "create", "secret", "tls", "hilum-tls", f"--cert={cert}", f"--key={key}")
    kubectl("-n", "argocd", "patch", "configmap", "argocd-cm", "--patch-file", "k8s/argo/argocd/settings.yaml")
    return f"{len(made.splitlines())} lines of make secrets"


def one_application_brings_up_everything(site: Site) -> str:
    kubectl("apply", "-f", str(site.tree.folder / "argocd/root.yaml"))
    began = time.monotonic()
    wait_until("platform", lambda: application("platform") == ("Synced", "Healthy"), 300)
    platform = time.monotonic() - began
    sh("k8s/push-release.sh", "models/default")

    def all_good() -> bool:
        return all(application(name) == ("Synced", "Healthy") for name in APPLICATIONS)

    wait_until("all Applications Synced and Healthy", all_good, 600)
    return f"platform after {platform:.0f} s, all of {', '.join(APPLICATIONS)} after {time.monotonic() - began:.0f} s"


def films_go_in_by_https_and_are_scored(site: Site) -> str:
    client = site.client()
    films = sorted((ROOT / "samples").glob("nih_*.jpg"))[:3]
    for number, film in enumerate(films):
        accession = f"E2E-{uuid.uuid4().hex[:8]}-{number}"
        answer = client.post("/v1/studies", files={"file": film.read_bytes()}, data={"accession": accession})
        assert answer.status_code in {200, 201, 202}, answer.text[:300]

    def scored() -> bool:
        studies = client.get("/v1/studies").raise_for_status().json()["studies"]
        return len(studies) >= len(films) and all(study["status"] != "waiting" for study in studies)

    took = wait_until("scores", scored, 90)
    listed = client.get("/v1/studies").json()["studies"]
    hsts = client.get("/login").headers.get("strict-transport-security", "")
    assert "max-age=31536000" in hsts
    return f"{len(listed)} studies on the list, scored within {took:.0f} s; HSTS {hsts}"


def a_read_arrives_in_the_ledger(site: Site) -> str:
    client = site.client()
    study = client.get("/v1/studies").json()["studies"][0]
    detail = client.get(f"/v1/studies/{study['uid']}").raise_for_status().json()
    version = detail.get("answer_version") or (detail.get("answer") or {}).get("version") or 0
    key = uuid.uuid4().hex
    body: dict[str, Any] = {"labels": {"Effusion": 1, "Edema": 0}, "answer_version": version}
    kept = client.post(f"/v1/studies/{study['uid']}/reads", json=body, headers={"Idempotency-Key": key})
    assert kept.status_code == 201, kept.text[:300]
    again = client.post(f"/v1/studies/{study['uid']}/reads", json=body, headers={"Idempotency-Key": key})
    assert again.status_code == 200, "a retry made another read"
    reads: list[dict[str, Any]] = []

    def there() -> bool:
        reads[:] = [read for read in ledger() if read["study_uid"] == study["uid"]]
        return bool(reads)

    took = wait_until("the read in the ledger", there, 60)
    assert [read["labels"]["Effusion"] for read in reads] == [1]
    return f"one read, {took:.0f} s after it was given, by {reads[0]['reader']}"


def ledger() -> list[dict[str, Any]]:
    """Every read that feedback has, by a port forwarded to it."""
    forward = subprocess.Popen(
        ["kubectl", "-n", PRODUCTION, "port-forward", "service/feedback", "18001:8001"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        client = httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=10)
        wait_until("the forwarded port", lambda: _answers(client, "http://127.0.0.1:18001/healthz"), 20)
        reads: list[dict[str, Any]] = client.get("http://127.0.0.1:18001/v1/reads").raise_for_status().json()["reads"]
        return reads
    finally:
        forward.terminate()
        forward.wait(10)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.HTTPError:
        return False


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


def drift_made_by_hand_is_healed(_: Site) -> str:
    kubectl("-n", PRODUCTION, "scale", "deployment/feedback", "--replicas=1")

    def healed() -> bool:
        return bool(get(PRODUCTION, "deployment", "feedback")["spec"]["replicas"] == 2)

    return f"feedback scaled to 1 by hand is back at 2 after {wait_until('healing', healed, GIT_SECONDS):.0f} s"


def a_broken_values_file_is_refused_and_what_runs_keeps_running(site: Site) -> str:
    before = get(PRODUCTION, "deployment", "web")["metadata"]["generation"]
    site.tree.change("argocd/environments/production/values.yaml", r"(?m)^web:\n  replicas: 2", "web:\n  replica: 3")
    site.tree.commit("A typo")
    refresh(PRODUCTION)

    def told() -> bool:
        conditions = get("argocd", "application", PRODUCTION).get("status", {}).get("conditions", [])
        return any("additional properties 'replica' not allowed" in c.get("message", "") for c in conditions)

    took = wait_until("the schema's refusal in the Application", told, GIT_SECONDS)
    assert get(PRODUCTION, "deployment", "web")["metadata"]["generation"] == before
    site.client().get("/v1/studies").raise_for_status()
    site.tree.revert()
    refresh(PRODUCTION)
    wait_until("the good values", lambda: application(PRODUCTION) == ("Synced", "Healthy"), GIT_SECONDS)
    return f"refused by the schema after {took:.0f} s, named in the Application; nothing in the cluster changed"


def a_bad_image_leaves_production_serving(site: Site) -> str:
    bundle = "argocd/environments/production/bundle.yaml"
    client = site.client()
    with Load(lambda: client.get("/v1/studies"), 0.5) as load:
        site.tree.change(bundle, r'(inference: \{.*digest: "sha256:)[0-9a-f]{8}', r"\g<1>00000000")
        site.tree.commit("An image that is not there")
        refresh(PRODUCTION)

        def failing() -> bool:
            pods = get(PRODUCTION, "pods", "-l", "app.kubernetes.io/component=inference").get("items", [])
            waits = [s.get("state", {}).get("waiting", {}).get("reason", "") for p in pods for s in states(p)]
            return any("Pull" in reason for reason in waits)

        wait_until("the preview's failure", failing, GIT_SECONDS)
        film = (ROOT / "samples/nih_00003817_000.jpg").read_bytes()
        sent = client.post("/v1/studies", files={"file": film}, data={"accession": f"E2E-{uuid.uuid4().hex[:8]}"})
        assert sent.status_code in {200, 201, 202}
        site.tree.revert()
        refresh(PRODUCTION)
        wait_until("the good image", lambda: application(PRODUCTION) == ("Synced", "Healthy"), 2 * GIT_SECONDS)
    assert load.failures == []
    return f"the preview never became ready, the active version served: {load.asked} requests, none failed"


def states(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The states of a pod's containers, those of its start included."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def a_rolling_update_under_load_fails_no_request(site: Site) -> str:
    client, sender = site.client(), site.client()
    film = (ROOT / "samples/nih_00002720_006.jpg").read_bytes()

    def send() -> httpx.Response:
        return sender.post("/v1/studies", files={"file": film}, data={"accession": f"LOAD-{uuid.uuid4().hex[:8]}"})

    with Load(lambda: client.get("/v1/studies"), 0.6) as clicks, Load(send, 0.5) as films:
        values = "argocd/environments/production/values.yaml"
        for part in ("web", "feedback"):
            site.tree.change(values, rf"(?m)^{part}:\n", f"{part}:\n  settings: {{HILUM_LOG_LEVEL: warning}}\n")
        site.tree.commit("Less in the log")
        refresh(PRODUCTION)
        for part in ("web", "feedback"):

            def rolled(part: str = part) -> bool:
                return "warning" in str(get(PRODUCTION, "deployment", part)["spec"]["template"]["spec"]["containers"])

            wait_until(f"{part}'s new settings", rolled, GIT_SECONDS)
            kubectl("-n", PRODUCTION, "rollout", "status", f"deployment/{part}", "--timeout=180s")
    assert clicks.failures == [] and films.failures == [], (clicks.failures[:3], films.failures[:3])
    return f"web and feedback replaced: {clicks.asked} clicks and {films.asked} films, none failed"


def a_removed_environment_loses_nothing(site: Site) -> str:
    names = ("pods", "services", "secrets")
    before = {name: len(get("hilum-staging", name)["items"]) for name in names}
    sh("git", "-C", str(site.tree.folder), "rm", "-r", "--quiet", "argocd/environments/staging")
    site.tree.commit("Staging goes")
    refresh("hilum")
    time.sleep(45)
    after = {name: len(get("hilum-staging", name)["items"]) for name in names}
    assert after == before
    site.tree.revert()
    return f"staging's folder removed from Git: {before} stay"


STEPS = (
    namespaces_and_secrets_are_there,
    one_application_brings_up_everything,
    films_go_in_by_https_and_are_scored,
    a_read_arrives_in_the_ledger,
    what_no_policy_allows_is_refused,
    drift_made_by_hand_is_healed,
    a_broken_values_file_is_refused_and_what_runs_keeps_running,
    a_bad_image_leaves_production_serving,
    a_rolling_update_under_load_fails_no_request,
    a_removed_environment_loses_nothing,
)
