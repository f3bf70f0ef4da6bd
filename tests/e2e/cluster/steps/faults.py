"""Pods that go, while people read and modalities send."""

from __future__ import annotations

import re
import time

import httpx

from tests.e2e.cluster.kube import get, kubectl, sh, wait_until
from tests.e2e.cluster.load import Load
from tests.e2e.cluster.site import PRODUCTION, Site, pods, ready


def a_deleted_pod_of_each_service_fails_no_request(site: Site) -> str:
    with Load(site, "POD") as load:
        for part in ("web", "feedback", "inference"):
            time.sleep(5)
            count = int(get(PRODUCTION, "rollout" if part == "inference" else "deployment", part)["spec"]["replicas"])
            # A set that an update left warm goes by itself, and its pods don't come back.
            wait_until(f"{part} at rest", lambda p=part, n=count: sum(map(ready, pods(p))) == n, 180)  # type: ignore[misc]
            victim = next(pod["metadata"]["name"] for pod in pods(part) if ready(pod))
            kubectl("-n", PRODUCTION, "delete", "pod", victim, "--wait=false")

            def back(part: str = part, victim: str = victim, count: int = count) -> bool:
                now = pods(part)
                return victim not in {pod["metadata"]["name"] for pod in now} and sum(map(ready, now)) >= count

            wait_until(f"{part} whole again", back, 180)
        time.sleep(5)
    return f"a pod each of web, feedback and inference deleted: {load.accounted()}"


def _away(answer: httpx.Response) -> bool:
    """What a person may be told while a store is away."""
    return answer.status_code == 503 and "retry-after" in answer.headers


def _store_goes(site: Site, namespace: str, pod: str, prefix: str) -> str:
    with Load(site, prefix, tolerated=_away) as load:
        time.sleep(5)
        uid = get(namespace, "pod", pod)["metadata"]["uid"]
        began = time.monotonic()
        kubectl("-n", namespace, "delete", "pod", pod, "--wait=false")

        def back() -> bool:
            found = get(namespace, "pod", pod)
            return bool(found) and found["metadata"]["uid"] != uid and ready(found)

        wait_until(f"{pod} again", back, 180)
        up = time.monotonic()
        time.sleep(35)
    late = max(0.0, load.last_away - up) if load.last_away else 0.0
    assert late <= 30, f"still turned away {late:.0f} s after the pod was ready"
    return (
        f"{pod} away for {up - began:.0f} s; {load.turned_away} requests got 503 with Retry-After, "
        f"the last {late:.0f} s after the pod was ready: {load.accounted()}"
    )


def postgresql_goes_and_comes_back(site: Site) -> str:
    return _store_goes(site, "platform", "postgresql-0", "PG")


def the_object_store_goes_and_comes_back(site: Site) -> str:
    return _store_goes(site, "platform", "minio-0", "S3")


def a_rotated_database_password_holds(site: Site) -> str:
    with Load(site, "ROT", tolerated=_away) as load:
        began = time.monotonic()
        said = sh("k8s/rotate-database.sh", "production")
        took = time.monotonic() - began
        time.sleep(10)
    assert re.search("the old password is refused", said), said
    return f"done after {took:.0f} s, the old one is refused; {load.turned_away} requests got 503: {load.accounted()}"


def a_backup_is_restored(site: Site) -> str:
    with Load(site, "DRILL") as load:
        said = " ".join(sh("k8s/restore-drill.sh").split("\n")).strip()
    return f"{said}; meanwhile {load.accounted()}"
