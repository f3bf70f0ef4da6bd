"""Somebody in the cluster who has a film scored by production twice a second, a connection each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.e2e.cluster.kube import get, kubectl, wait_until
from tests.e2e.promotion import ground

NAME = "user"
# Runs in inference's image, with the reading room's client; a line per film: when, how long, of which release.
ASKS = """
import asyncio, json, time
from hilum.clients.base import over_network
from hilum.clients.inference import InferenceClient
async def ask():
    async with over_network("http://inference.promo-production:8000", answer_seconds=10) as http:
        http.headers["Hilum-Synthetic"] = "1"
        asked = InferenceClient(http)
        film = await asked.golden_film()
        while True:
            at = time.time()
            try:
                said = {"release": (await asked.predict(film, "film")).release.digest}
            except Exception as error:
                said = {"error": f"{type(error).__name__} {error}"[:120]}
            print(json.dumps({"at": at, "seconds": time.time() - at, **said}), flush=True)
            await asyncio.sleep(max(0.05, 0.5 - (time.time() - at)))
asyncio.run(ask())
"""


@dataclass(frozen=True)
class Asked:
    """One film: when it was sent (this host's clock), how long its answer took, whose it was ("": none came)."""

    at: float
    seconds: float
    release: str
    error: str


def start(image: str) -> None:
    """Begin, and wait until the first film was answered."""
    leave()
    container = {
        "name": NAME, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["python", "-c", ASKS],
        "resources": {"requests": {"cpu": "10m", "memory": "100Mi"}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "namespace": ground.STORE},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    kubectl("apply", "-f", "-", text=json.dumps(pod))
    wait_until("the user's first film", lambda: bool(seen()), 120)


def seen() -> list[Asked]:
    """Every film so far."""
    if not get(ground.STORE, "pod", NAME):
        return []
    lines = kubectl("-n", ground.STORE, "logs", NAME, check=False).splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [Asked(one["at"], one["seconds"], one.get("release", ""), one.get("error", "")) for one in found]


def leave() -> None:
    """End it."""
    kubectl("-n", ground.STORE, "delete", "pod", NAME, "--ignore-not-found", "--wait=true")
