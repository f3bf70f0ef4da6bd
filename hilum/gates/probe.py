"""The prober: sends the golden film to the active and the preview endpoint all the time, and counts what comes back.

    python -m hilum.gates.probe --target active=http://inference:8000 --target preview=http://inference-preview:8000

At a hospital's traffic eight films come in a quarter of an hour; analysis needs an answer in a minute. The film is the
release's own: it is no patient's, is sent to inference itself (nothing stores it) and marked `Hilum-Synthetic`, so that
it counts in no statistic of films. A wrong probability is a failure as much as no answer. Metrics on port 8000.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import signal
import sys
import time
from dataclasses import dataclass, field

import httpx
from prometheus_client import Counter, Histogram, start_http_server

from hilum.clients.base import over_network, request
from hilum.clients.inference import InferenceClient, Refused, Unavailable
from hilum.gates.contract import GOLDEN
from hilum.wire import ModelInfo

# `pods`: the hash that Argo Rollouts gives all pods of one update. Two attempts of one release are told apart by it,
# and what a Service answers between two updates (nothing) is held against the one that was there last.
LABELS = ("target", "release", "pods")
PROBES = Counter("hilum_probes", "Golden films sent.", LABELS)
FAILURES = Counter("hilum_probe_failures", "Golden films without their right answer.", LABELS)
SECONDS = Histogram(
    "hilum_probe_seconds",
    "Time of an answered golden film.",
    LABELS,
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10),
)
# For the geometric mean: one film that waited for the processor moves it little. At least a millisecond counts.
LOGARITHM = Counter("hilum_probe_log_milliseconds", "Sum of the logarithms of answered golden films' times.", LABELS)
# A previous pod that fails so often in a row has been scaled down.
GONE_AFTER = 20
SYNTHETIC = {"Hilum-Synthetic": "1"}


@dataclass
class Target:
    """One endpoint; what it served when last asked."""

    name: str
    client: httpx.AsyncClient
    info: ModelInfo | None = None
    film: bytes = b""
    pods: str = ""
    # Address of the pod that answered last, and of those that a switch of the Service left behind, still warm.
    address: str = ""
    left: list[str] = field(default_factory=list)

    async def learn(self) -> None:
        """Ask what is served, and its film; starts its series at 0. Raises Unavailable or Refused."""
        asked = InferenceClient(self.client)
        info = await asked.model()
        host, _, address = (
            (await request(self.client, "GET", "/healthz")).headers.get("Hilum-Instance", "").partition(" ")
        )
        pods = pods_of(host)
        if self.pods and self.pods != pods and self.address:
            self.left.append(self.address)
        if self.info is None or (info.release.digest, pods) != (self.info.release.digest, self.pods):
            self.film = await asked.golden_film()
            for series in (PROBES, FAILURES, SECONDS, LOGARITHM):
                series.labels(self.name, info.release.digest, pods)
        self.info, self.pods, self.address = info, pods, address


def pods_of(host: str) -> str:
    """`inference-7945884b4-mx2xk` -> `7945884b4`; "" for a name that no Rollout or Deployment gave."""
    parts = host.split("-")
    return parts[-2] if len(parts) >= 3 else ""


async def probe(target: Target) -> bool:
    """Send one film; whether it was answered right. A target that was never reached counts under no release."""
    asked = InferenceClient(target.client)
    if target.info is None:
        try:
            await target.learn()
        except (Unavailable, Refused):
            return False
    info = target.info
    assert info is not None  # noqa: S101 - learned above
    digest, began = info.release.digest, time.perf_counter()
    try:
        answer = await asked.predict(target.film, "golden")
    except (Unavailable, Refused):
        answer = None
    if answer is not None and answer.release.digest != digest:
        # The switch happened between two films: this answer belongs to no comparison.
        target.info = None
        return True
    labels = target.name, digest, target.pods
    PROBES.labels(*labels).inc()
    given = {} if answer is None else {f.name: f.probability for f in answer.findings}
    right = answer is not None and all(abs(given.get(name, 9.0) - p) <= GOLDEN for name, p in info.golden.items())
    if answer is not None:
        seconds = time.perf_counter() - began
        SECONDS.labels(*labels).observe(seconds)
        LOGARITHM.labels(*labels).inc(math.log(max(1.0, 1000 * seconds)))
    if not right:
        FAILURES.labels(*labels).inc()
    return right


async def keep_probing(target: Target, every_seconds: float, stop: asyncio.Event) -> None:
    """Probe until `stop`; what is served is asked anew every twentieth time, and after a failure."""
    count = 0
    while not stop.is_set():
        began = time.monotonic()
        right = await probe(target)
        count += 1
        if not right or count % 20 == 0:
            with contextlib.suppress(Unavailable, Refused):
                await target.learn()
        await pause(max(0.05, every_seconds - (time.monotonic() - began)), stop)


async def keep_previous(active: Target, port: int, every_seconds: float, stop: asyncio.Event, seconds: float) -> None:
    """Probe the pod that `active` left behind at its own address, as target `previous`, until it is gone.

    So the release before is asked in the very minutes after the switch; compared with an hour ago, every busy node
    would look like a slow release.
    """
    while not stop.is_set():
        if active.left:
            async with over_network(f"http://{active.left.pop()}:{port}", answer_seconds=seconds) as http:
                http.headers.update(SYNTHETIC)
                previous, fallen = Target("previous", http), 0
                while not stop.is_set() and not active.left and fallen < GONE_AFTER:
                    fallen = 0 if await probe(previous) else fallen + 1
                    await pause(every_seconds, stop)
        await pause(every_seconds, stop)


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait, but not beyond `stop`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def run(targets: dict[str, str], every_seconds: float, timeout_seconds: float) -> None:
    """Probe all targets until SIGTERM, and what `active` was before."""
    stop = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    made = [Target(name, over_network(url, answer_seconds=timeout_seconds)) for name, url in targets.items()]
    for target in made:
        target.client.headers.update(SYNTHETIC)
    work = [keep_probing(target, every_seconds, stop) for target in made]
    for target in made:
        if target.name == "active":
            port = httpx.URL(targets["active"]).port or 80
            work.append(keep_previous(target, port, every_seconds, stop, timeout_seconds))
    await asyncio.gather(*work)
    for target in made:
        await target.client.aclose()


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m hilum.gates.probe", description=__doc__.splitlines()[0])
    parser.add_argument("--target", action="append", required=True, help="name=URL; repeated")
    parser.add_argument("--every-seconds", type=float, default=0.5)
    parser.add_argument("--timeout-seconds", type=float, default=5.0)
    parser.add_argument("--port", type=int, default=8000, help="port of /metrics")
    given = parser.parse_args(arguments)
    targets = dict(one.split("=", 1) for one in given.target if "=" in one)
    if len(targets) != len(given.target):
        print("error: --target takes name=URL, each name once", file=sys.stderr)  # noqa: T201
        return 64
    start_http_server(given.port)
    asyncio.run(run(targets, given.every_seconds, given.timeout_seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
