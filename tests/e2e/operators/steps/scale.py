"""Inference scales under films that wait, and back: by the HPA on CPU, and by KEDA on the queue."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx

from tests.e2e.alerts.site import INGRESS, applied
from tests.e2e.cluster.kube import get, kubectl, room, wait_until
from tests.e2e.cluster.site import send
from tests.e2e.operators.site import HOST, ROOM, WATCH, Site, installed

MOST = 3
KEDA = "ops-keda"


class Films:
    """Films sent through the door by some senders, until it is left; each is a study of its own."""

    def __init__(self, site: Site, senders: int) -> None:
        self._stop = threading.Event()
        self._first = site.client()
        self.sent = 0
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(senders)]

    def _send(self, number: int) -> None:
        client = room(HOST, INGRESS)
        client.timeout = httpx.Timeout(300.0)
        client.headers["Cookie"] = self._first.headers["Cookie"]
        while not self._stop.is_set():
            try:
                _, answer = send(client, "S", number + self.sent)
                self.sent += answer.is_success
                if not answer.is_success:
                    self.failed.append(f"{answer.status_code} {answer.text[:80]}")
            except httpx.HTTPError as error:
                self.failed.append(repr(error)[:80])

    def __enter__(self) -> Films:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def replicas() -> int:
    """Pods of inference that are ready."""
    return int(get(ROOM, "deployment", "inference")["status"].get("readyReplicas", 0))


def wanted() -> int:
    """Pods of inference that are asked for."""
    return int(get(ROOM, "deployment", "inference")["spec"]["replicas"])


def scored() -> dict[str, int]:
    """Films that each pod of inference has scored, by its own word."""
    found = {}
    for pod in get(ROOM, "pods", "-l", "app.kubernetes.io/component=inference")["items"]:
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{ROOM}/pods/{name}:8000/proxy/metrics"
        text = kubectl("get", "--raw", path, check=False)
        lines = [
            line for line in text.splitlines() if line.startswith("hilum_predict_seconds_count") and '"infer"' in line
        ]
        if lines:
            found[name] = int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))
    return found


def up_and_down(site: Site, senders: int) -> str:
    """Load until more pods are ready and have scored; then none, until one is left. Never above the most."""
    began, most = time.monotonic(), 1
    with Films(site, senders) as films:
        up = wait_until("a second pod", lambda: replicas() >= 2, 300)
        end = time.monotonic() + 45
        while time.monotonic() < end:
            most = max(most, wanted())
            time.sleep(2)
        shares = scored()
    assert most <= MOST, most
    assert not films.failed, f"{len(films.failed)} of {films.sent} films failed: {films.failed[:3]}"
    idle = [name for name, count in shares.items() if not count]
    loaded = time.monotonic() - began
    down = wait_until("one pod again", lambda: wanted() == 1, 600)
    return (
        f"{films.sent} films in {loaded:.0f} s, none failed: a second pod ready after {up:.0f} s, {most} wanted at "
        f"most (of {MOST}), films by pod {sorted(shares.values(), reverse=True)}, {len(idle)} idle; "
        f"one again {down:.0f} s after the last film"
    )


def values(mode: str, **more: Any) -> dict[str, Any]:
    """Of inference: one to three pods."""
    return {
        "resources": {"requests": {"cpu": "50m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}},
        "autoscaling": {"mode": mode, "minReplicas": 1, "maxReplicas": MOST, **more},
    }


def the_hpa_adds_inference_on_cpu_and_takes_it_away(site: Site) -> str:
    """The chart's default, with metrics-server."""
    site.install("inference", "web", inference=values("hpa"))
    wait_until("a measurement", lambda: "currentMetrics" in get(ROOM, "hpa", "inference").get("status", {}), 120)
    return up_and_down(site, 2)


def monitoring(site: Site, **more: Any) -> None:
    """charts/monitoring over the room, its Prometheus alone."""
    kubectl("create", "serviceaccount", "prometheus", "-n", WATCH, check=False)
    applied({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
             "metadata": {"name": "ops-prometheus"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hilum-prometheus"},
             "subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": WATCH}]})  # fmt: skip
    off = {"enabled": False}
    installed("monitoring", WATCH, {
        "environments": [ROOM],
        "prometheus": {"image": "docker.io/prom/prometheus:v3.15.0", "storage": "1Gi", "intervalSeconds": 5},
        "kubeStateMetrics": off, "postgresqlExporter": off, "alertmanager": off, "grafana": off,
        "networkPolicy": {"clientNamespaces": [KEDA]}, **more,
    })  # fmt: skip
    if "prometheus" not in more:
        kubectl("-n", WATCH, "rollout", "status", "statefulset/prometheus", "--timeout=180s")


def keda_adds_inference_on_waiting_films_and_takes_it_away(site: Site) -> str:
    """The chart's ScaledObject; its trigger asks the Prometheus of charts/monitoring through both policies."""
    monitoring(site)
    kubectl("-n", KEDA, "rollout", "status", "deployment/keda-operator", "--timeout=60s")
    address = f"http://prometheus.{WATCH}.svc:9090"
    site.install("inference", "web", inference=values("keda", targetQueue=4, prometheus=address))
    kubectl("-n", ROOM, "wait", "scaledobject/inference", "--for=condition=Ready", "--timeout=120s")
    said = up_and_down(site, 6)
    # No series: KEDA says so and changes nothing.
    kubectl("-n", WATCH, "scale", "statefulset/prometheus", "--replicas=0")
    try:
        kubectl("-n", ROOM, "scale", "deployment/inference", "--replicas=2")
        time.sleep(60)
        kept = wanted()
        conditions = get(ROOM, "hpa", "keda-hpa-inference")["status"]["conditions"]
        condition = next(c for c in conditions if c["type"] == "ScalingActive")
    finally:
        kubectl("-n", WATCH, "scale", "statefulset/prometheus", "--replicas=1")
    assert kept == 2, f"{kept} pods after a minute without Prometheus"
    return f"{said}; with Prometheus away two pods stay two for a minute, the HPA says {condition['reason']}"
