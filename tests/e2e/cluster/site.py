"""The cluster under test: where it is, what this run remembers, and the ways into it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.cluster.kube import ROOT, application, get, kubectl, refresh, room, sign_in, wait_until
from tests.e2e.cluster.tree import ENVIRONMENTS, Tree

# E2E_WITHOUT=monitoring: somebody else holds that namespace.
MONITORING = () if os.environ.get("E2E_WITHOUT") == "monitoring" else ("monitoring",)
APPLICATIONS = ("hilum", "platform", *MONITORING, *(f"hilum-{name}" for name in ENVIRONMENTS))
PRODUCTION = "hilum-production"
# ArgoCD asks Git every 15 s, the ApplicationSet every 30 s, both of them on a machine that is busy.
GIT_SECONDS = 180
FILMS = sorted((ROOT / "samples").glob("nih_0*.jpg"))


@dataclass
class Site:
    """What the steps share. `memory` is what a later run goes on with (`--from`)."""

    tree: Tree
    address: str
    registry: str
    folder: Path
    memory: dict[str, Any] = field(default_factory=dict)

    def remember(self, **facts: Any) -> None:
        """Keep facts for later steps, of this run and the next."""
        self.memory |= facts
        self.place(self.folder).write_text(json.dumps(self.memory), encoding="utf-8")
        self.place(self.folder).chmod(0o600)

    @staticmethod
    def place(folder: Path) -> Path:
        """The file of what is remembered."""
        return folder / "memory.json"

    def client(self, retries: int = 2) -> httpx.Client:
        """Signed in to production's reading room through the ingress."""
        client = room("hilum.test", self.address, retries)
        sign_in(client, "anna", str(self.memory["password"]))
        return client

    def settled(self, name: str = PRODUCTION, seconds: float = 2 * GIT_SECONDS) -> float:
        """Ask ArgoCD to look at Git, and wait until it has what was committed and all of it is healthy."""
        wanted = self.tree.seen_by(name)

        def good() -> bool:
            return wanted() and application(name) == ("Synced", "Healthy")

        refresh(name)
        return wait_until(f"{name} Synced and Healthy", good, seconds)


def send(client: httpx.Client, prefix: str, number: int = 0) -> tuple[str, httpx.Response]:
    """A film of its own bytes (a JPEG may have more after its end), as a study of its own: accession and answer."""
    accession = f"{prefix}-{uuid.uuid4().hex[:8]}"
    film = FILMS[number % len(FILMS)].read_bytes() + uuid.uuid4().bytes
    return accession, client.post("/v1/studies", files={"file": film}, data={"accession": accession})


def listed(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every study by its accession number, read or unread."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        query = {"limit": "200", "status": "all", **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/studies", params=query).raise_for_status().json()
        found |= {str(study["accession"]): study for study in page["studies"]}
        cursor = page["next_cursor"] or ""
        if not cursor:
            return found


def scored(client: httpx.Client, accessions: list[str], seconds: float = 120) -> float:
    """Wait until each has its answer; how long it took."""

    def done() -> bool:
        studies = listed(client)
        return all(one in studies and studies[one]["status"] != "waiting" for one in accessions)

    return wait_until(f"scores of {len(accessions)} studies", done, seconds)


@contextlib.contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """The address of a Service that nothing but a port-forward reaches from here."""
    process = subprocess.Popen(
        ["kubectl", "-n", namespace, "port-forward", f"service/{service}", f":{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "127.0.0.1:" in line, f"no port could be forwarded to {service}: {line!r}"
        yield f"http://127.0.0.1:{line.split('127.0.0.1:')[1].split(' ')[0]}"
    finally:
        process.terminate()
        process.wait(10)


def ledger() -> list[dict[str, Any]]:
    """Every read that production's feedback has."""
    reads: list[dict[str, Any]] = []
    with forwarded(PRODUCTION, "feedback", 8001) as address, httpx.Client(base_url=address, timeout=30) as client:
        since = 0
        while True:
            query = {"since": str(since), "limit": "500"}
            page = client.get("/v1/reads", params=query).raise_for_status().json()["reads"]
            if not page:
                return reads
            reads += page
            since = max(int(read["sequence"]) for read in page)


def secret(namespace: str, name: str, key: str) -> str:
    """One value of a Secret, never printed."""
    return kubectl(
        "-n", namespace, "get", "secret", name, "-o", f'go-template={{{{index .data "{key}" | base64decode}}}}'
    )


@contextlib.contextmanager
def store() -> Iterator[Any]:
    """The cluster's object store as a boto3 client."""
    import boto3

    with forwarded("platform", "minio", 9000) as address:
        yield boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id=secret("platform", "minio", "AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=secret("platform", "minio", "AWS_SECRET_ACCESS_KEY"),
        )


def objects(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    """The keys in a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def pods(part: str, namespace: str = PRODUCTION) -> list[dict[str, Any]]:
    """The pods of a part."""
    found: list[dict[str, Any]] = get(namespace, "pods", "-l", f"app.kubernetes.io/component={part}").get("items", [])
    return found


def ready(pod: dict[str, Any]) -> bool:
    """Whether a pod answers and is not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def now() -> float:
    """Seconds on a clock that never goes back."""
    return time.monotonic()


def chromium() -> str:
    """The browser's path; empty where there is none."""
    places = [os.environ.get("HILUM_CHROMIUM", ""), "/usr/bin/chromium", "/usr/bin/google-chrome"]
    return next((place for place in places if place and Path(place).exists()), "")
