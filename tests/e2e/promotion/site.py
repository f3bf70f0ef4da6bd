"""The proof's site: the cluster's environments, and on this host MLflow, reading room and promoter, all real."""

from __future__ import annotations

import json
import os
import shlex
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import httpx
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from hilum.gates.film_set import INDEX
from hilum.release import Release, read_release
from hilum.release.signing import public_text
from hilum.release.store import push_release
from hilum.storage import open_blobs
from services.promoter.tokens import sha256
from tests.e2e.cluster.kube import ROOT, application, kubectl, sh, wait_until
from tests.e2e.promotion import candidates, ground, values
from tests.fixtures.mlflow import MlflowServer
from tests.fixtures.ports import free_ports
from tests.fixtures.processes import ServiceProcess
from training.registry import register
from training.tracking.place import client, place

MODEL = "hilum-default"
TOKEN, ROOM_TOKEN = "hilum_e2e", "hilum_e2e_room"
FILMS = sorted((ROOT / "samples").glob("nih_0*.jpg"))


@dataclass
class Site:
    """Everything that the steps use."""

    folder: Path
    remote: str
    inference: str
    key: Ed25519PrivateKey
    base: ground.Ground | None = None
    mlflow: MlflowServer | None = None
    room: ServiceProcess | None = None
    promoter: ServiceProcess | None = None
    baseline: str = ""
    made: dict[str, Release] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def store_keys(self) -> ground.Ground:
        """The store's address, its keys in the environment as everywhere."""
        assert self.base is not None
        os.environ |= {"AWS_ACCESS_KEY_ID": self.base.user, "AWS_SECRET_ACCESS_KEY": self.base.password}
        os.environ["AWS_REGION"] = "us-east-1"
        return self.base

    def fill_store(self, films: int) -> str:
        """The bucket, the release that runs at the beginning, and the labelled set."""
        base = self.store_keys()
        # A Service is known to the node a moment after its pod is ready.
        wait_until("the object store", lambda: httpx.get(f"{base.s3}/minio/health/live").is_success, 60)
        s3 = boto3.client("s3", endpoint_url=base.s3)
        if values.BUCKET not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=values.BUCKET)
        self.baseline = push_release(self.release("1.9.0").folder, self.blobs()).digest
        if s3.list_objects_v2(Bucket=values.BUCKET, Prefix=f"labelled-set/{INDEX}").get("KeyCount"):
            return "the labelled set is there"
        command = (".venv/bin/hilum", "gate-set", f"s3://{values.BUCKET}/labelled-set", "--most", str(films))
        return sh(*command, "--endpoint", base.s3).strip().splitlines()[-1]

    def blobs(self) -> Any:
        """The bucket."""
        return open_blobs(f"s3://{values.BUCKET}", self.store_keys().s3)

    def release(self, version: str, surgery: candidates.Surgery | None = None, **how: Any) -> Release:
        """A release, made once."""
        if version not in self.made:
            key = how.pop("key", self.key)
            self.made[version] = candidates.make(self.folder / f"release-{version}", version, key, surgery, **how)
        return self.made[version]

    def plant(self) -> str:
        """The repository with this site's environments, as the cluster's Git server has it; returns its commit."""
        tree = self.folder / "tree"
        sh("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(tree))
        found = values.files(public_text(self.key), self.baseline, {"inference": self.inference}, "main")
        values.write(tree, found)
        who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
        sh("git", "-C", str(tree), "checkout", "--quiet", "-B", "main")
        sh("git", "-C", str(tree), "rm", "--quiet", "--ignore-unmatch", "argocd/environments/promotion.json")
        sh("git", "-C", str(tree), "add", "--all")
        sh("git", "-C", str(tree), *who, "commit", "--quiet", "--message", "What this site runs")
        sh("git", "-C", str(tree), "push", "--quiet", "--force", self.remote, "main")
        kubectl("apply", "-f", "-", text=values.application_set(self.remote))
        return sh("git", "-C", str(tree), "rev-parse", "HEAD").strip()

    def stands(self) -> bool:
        """Whether all three environments are as Git has them."""
        return all(application(space) == ("Synced", "Healthy") for space in ground.SPACES)

    def start_registry(self) -> None:
        """MLflow."""
        rows = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.mlflow = MlflowServer(rows, (self.folder / "artifacts").as_uri(), self.folder)
        self.mlflow.start()

    def start_services(self) -> None:
        """The reading room in front of production's and canary's inference, and the promoter."""
        base = self.store_keys()
        assert self.mlflow is not None
        (self.folder / "plan.toml").write_text(values.PLAN, encoding="utf-8")
        server, token, ca = ground.account(self.folder)
        (self.folder / "keys.txt").write_text(public_text(self.key) + "\n", encoding="utf-8")
        tokens = f"anna read,act {sha256(TOKEN)}\nroom read,for {sha256(ROOM_TOKEN)}\n"
        (self.folder / "tokens.txt").write_text(tokens, encoding="utf-8")
        (self.folder / "room-token").write_text(ROOM_TOKEN, encoding="utf-8")
        # Each of the two asks the other: the room shows where a promotion stands.
        (port,) = free_ports(1)
        self.room = ServiceProcess(
            "services.web", self.folder / "room.log",
            data=str(self.folder / "room"),
            inference_url=ground.address("promo-production", "inference", 8000),
            canary_url=ground.address("promo-canary", "inference", 8000),
            canary_timeout_seconds="60",
            blind_share="1",
            gate_plan=str(self.folder / "plan.toml"),
            promoter_url=f"http://127.0.0.1:{port}",
            promoter_token=str(self.folder / "room-token"),
        )  # fmt: skip
        self.promoter = ServiceProcess(
            "services.promoter", self.folder / "promoter.log", at=port,
            data=str(self.folder / "promoter"),
            promoter_git=self.remote,
            promoter_mlflow=self.mlflow.url,
            promoter_model=MODEL,
            trusted_keys=str(self.folder / "keys.txt"),
            release_store=f"s3://{values.BUCKET}",
            promoter_records=f"s3://{values.BUCKET}/records",
            s3_endpoint=base.s3,
            promoter_tokens=str(self.folder / "tokens.txt"),
            promoter_cluster=server,
            promoter_cluster_token=str(token),
            promoter_cluster_ca=str(ca),
            promoter_prefix=ground.PREFIX,
            promoter_web=self.room.url,
            promoter_prometheus=base.prometheus,
            gate_plan=str(self.folder / "plan.toml"),
            promoter_seconds="3",
            promoter_exposure="",
            promoter_retry_minutes="0.2",
            promoter_start_minutes="10",
            promoter_guard_hours="0.005",
            promoter_guard_gate="false",
        )  # fmt: skip
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(started, (self.room, self.promoter)))

    def ask(self, release: Release, before: Callable[[], None] | None = None) -> str:
        """Register the release, give it the alias `candidate`, tell the promoter; returns the registry's number.

        `before` is called between the two.
        """
        assert self.mlflow is not None and self.promoter is not None
        where = place(self.mlflow.url, self.folder / "registry")
        made = register(client(where), where, read_release(release.folder, None))
        if before is not None:
            before()
        client(where).set_registered_model_alias(MODEL, "candidate", made.version.number)
        httpx.post(f"{self.promoter.url}/v1/webhook", trust_env=False)
        return made.version.number

    def version(self, number: str) -> Any:
        """The version in the registry."""
        assert self.mlflow is not None
        return client(place(self.mlflow.url, self.folder / "registry")).get_model_version(MODEL, number)

    def aliases(self) -> dict[str, str]:
        """The registry's aliases."""
        assert self.mlflow is not None
        found: dict[str, str] = (
            client(place(self.mlflow.url, self.folder / "registry")).get_registered_model(MODEL).aliases
        )
        return found

    def status(self) -> dict[str, Any]:
        """What the promoter says."""
        assert self.promoter is not None
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            answer = httpx.get(f"{self.promoter.url}/v1/promotion", headers=headers, trust_env=False, timeout=30)
        except httpx.HTTPError:
            return {"state": "away", "ended": [], "current": None}
        found: dict[str, Any] = answer.json()
        return found if answer.is_success else {"state": "starting", "ended": [], "current": None}

    def hilum(self, *arguments: str) -> str:
        """The command line, as a person has it; what was asked and told is kept in `told`."""
        assert self.promoter is not None
        said = sh(".venv/bin/hilum", *arguments, HILUM_PROMOTER_URL=self.promoter.url, HILUM_PROMOTER_TOKEN=TOKEN)
        self.told.append(f"$ {shlex.join(('hilum', *arguments))}\n{said}")
        return said

    def page(self) -> str:
        """What the reading room shows of the promotion."""
        assert self.room is not None
        shown = httpx.get(f"{self.room.url}/promotion", trust_env=False, timeout=30, follow_redirects=True)
        return shown.raise_for_status().text

    def until(self, what: str, states: set[str], seconds: float) -> float:
        """Wait for the promoter's state; a failure shows what it says."""
        try:
            return wait_until(what, lambda: self.status()["state"] in states, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.status(), default=str)[:3000]}") from error

    def ended(self, digest: str, seconds: float) -> dict[str, Any]:
        """The promotion of `digest` once it has ended."""
        found: list[dict[str, Any]] = []

        def over() -> bool:
            found[:] = [p for p in self.status()["ended"] if p["candidate"]["digest"] == digest]
            return bool(found)

        try:
            wait_until(f"the end of {digest[:12]}", over, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.hilum('promote', 'status')}") from error
        return found[0]

    def feed_while(self, state: str, seconds: float, *, marked: bool = False) -> int:
        """Send films as long as the promoter says `state`; how many."""
        began, sent = time.monotonic(), 0
        with ThreadPoolExecutor(2) as pool:
            while self.status()["state"] == state and time.monotonic() - began < seconds:
                sent += len(list(pool.map(lambda n: self.feed(n, marked=marked), range(sent, sent + 20))))
        return sent

    def feed(self, number: int, *, marked: bool = False) -> int:
        """Send film `number`, a real one with other light, of a patient of its own, and read it blind.

        `marked`: with the boxes that this site's machines burn into a corner.
        """
        assert self.room is not None
        web = httpx.Client(base_url=self.room.url, trust_env=False, timeout=60)
        pixels = np.asarray(Image.open(FILMS[number % len(FILMS)]).convert("L"), dtype=np.float32)
        rng = np.random.default_rng(number)
        changed = np.clip(pixels * rng.uniform(0.85, 1.1) + rng.uniform(-8, 8), 0, 255).astype(np.uint8)
        if marked:
            high, wide = changed.shape[0] // 16, changed.shape[1] // 16
            changed[:high, :wide], changed[:high, wide : 2 * wide] = 255, 0
        stream = BytesIO()
        Image.fromarray(changed).save(stream, "PNG")
        data = {
            "accession": f"P{number}-{uuid.uuid4().hex[:6]}",
            "patient_id": f"patient-{number}-{uuid.uuid4().hex[:6]}",
        }
        sent = web.post("/v1/studies", files={"file": ("film.png", stream.getvalue())}, data=data)
        sent.raise_for_status()
        uid = sent.json()["uid"]
        end = time.monotonic() + 60
        while (study := web.get(f"/v1/studies/{uid}").json())["status"] == "waiting" and time.monotonic() < end:
            time.sleep(0.1)
        labels = {name: (number + k) % 2 for k, name in enumerate(self.made["1.9.0"].findings)}
        body = {"labels": labels, "answer_version": study.get("answer_version") or 1}
        web.post(
            f"/v1/studies/{uid}/reads", json=body, headers={"Idempotency-Key": uuid.uuid4().hex}
        ).raise_for_status()
        return number

    def serving(self, environment: str) -> str:
        """The digest that the environment's pods serve, by inference's own word."""
        url = ground.address(f"{ground.PREFIX}-{environment}", "inference", 8000)
        found = httpx.get(f"{url}/v1/model", trust_env=False, timeout=30)
        return str(found.json()["release"]["digest"]) if found.is_success else ""

    def bundle(self, environment: str) -> str:
        """The release that Git asks for, read from a fresh clone."""
        clone = self.folder / f"look-{uuid.uuid4().hex[:6]}"
        sh("git", "clone", "--quiet", "--depth=1", self.remote, str(clone))
        text = (clone / f"argocd/environments/{environment}/bundle.yaml").read_text(encoding="utf-8")
        return next(line.split()[1] for line in text.splitlines() if line.startswith("    digest: "))

    def clear(self) -> None:
        """After a step that failed: whatever is under way ends, and everything is as in the beginning."""
        assert self.mlflow is not None
        try:
            kubectl("-n", ground.STORE, "scale", "deployment/prometheus", "--replicas=1")
            self.mlflow.stop()
            self.mlflow.start()
            if self.status()["current"]:
                self.hilum("promote", "reject", "--reason", "a step of the proof failed")
            wait_until("rest", lambda: self.status()["state"] == "waiting", 120)
            for name in ("staging", "production"):
                wait_until(f"{name} as before", lambda n=name: self.serving(n) == self.baseline, 300)  # type: ignore[misc]
        except AssertionError as error:
            self.told.append(f"not cleared: {error}"[:2000])

    def close(self) -> None:
        """End what was started on this host."""
        for process in (self.promoter, self.room):
            if process is not None:
                process.kill()
        if self.mlflow is not None:
            self.mlflow.stop()


def started(process: ServiceProcess) -> None:
    """Start it; on a busy machine a start may take longer than a test is patient."""
    for again in (True, True, False):
        try:
            process.start()
            return
        except RuntimeError:
            process.kill()
            if not again:
                raise
