"""GPU values on the harness's pretended GPUs (`fakegpu`: four slots, RuntimeClass nvidia is runc, no CUDA anywhere)."""

from __future__ import annotations

import time
from typing import Any

from tests.e2e.alerts.site import applied, secret
from tests.e2e.cluster.kube import get, kubectl, wait_until
from tests.e2e.operators.site import SMALL, Site, installed, merged, namespace

SPACE = "ops-gpu"
CPU = {"HILUM_PROVIDER": "cpu"}


def install(site: Site, **inference: Any) -> None:
    """Inference alone with the GPU values."""
    namespace(SPACE)
    if not get(SPACE, "secret", "hilum-s3"):
        secret(SPACE, "hilum-s3", AWS_ACCESS_KEY_ID="hilum", AWS_SECRET_ACCESS_KEY=site.memory["store"])
    base = merged(site.values(), {
        "environment": "canary", "web": {"enabled": False}, "feedback": {"enabled": False},
        "migrations": {"enabled": False}, "ingress": {"enabled": False},
        "inference": {"gpu": {"enabled": True}, "resources": SMALL},
    })  # fmt: skip
    installed("hilum", SPACE, merged(base, {"inference": inference}))


def pods() -> list[dict[str, Any]]:
    """Those of inference that are not on their way out, the newest last."""
    items = get(SPACE, "pods", "-l", "app.kubernetes.io/component=inference")["items"]
    alive = [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]
    return sorted(alive, key=lambda pod: pod["metadata"]["creationTimestamp"])


def ready(pod: dict[str, Any]) -> bool:
    """Whether it answers."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def clear() -> None:
    """Nothing of it is left: a Deployment and a Rollout of one name would share pods."""
    kubectl("delete", "namespace", SPACE, "--wait=false", check=False)
    wait_until("the namespace to be gone", lambda: not get("default", "namespace", SPACE), 180)


def gpu_values_take_a_slot_and_without_cuda_the_server_says_so(site: Site) -> str:
    """Scheduled with the runtime class on one slot; never on the processor unless a setting says so."""
    clear()
    install(site)
    wait_until("a pod that runs", lambda: bool(pods()) and pods()[-1]["status"]["phase"] == "Running", 120)
    pod = pods()[-1]
    name, spec = pod["metadata"]["name"], pod["spec"]
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    path = f"/api/v1/namespaces/{SPACE}/pods/{name}:8000/proxy/readyz"

    def words() -> str:
        # A 503 goes to kubectl's errors, with the body.
        return kubectl("get", "--raw", path, check=False) or kubectl(
            "logs", "-n", SPACE, name, "--tail=50", check=False
        )

    wait_until("its reason", lambda: "HILUM_PROVIDER=cuda" in words(), 90)
    log = kubectl("logs", "-n", SPACE, name, "--tail=80")
    said = next(line for line in log.splitlines() if "HILUM_PROVIDER=cuda" in line)
    said = said[said.index("HILUM_PROVIDER=cuda") :].split('"')[0]
    assert not ready(pods()[-1])
    install(site, settings=CPU)
    wait_until("a pod on the processor", lambda: len(pods()) == 1 and ready(pods()[0]), 120)
    return f'1 slot, RuntimeClass nvidia; not ready: "{said}"; with the setting HILUM_PROVIDER=cpu ready on a slot'


def a_gpu_resource_that_no_node_has_leaves_the_pod_pending_with_a_sentence(site: Site) -> str:
    """The old pod keeps serving; rollout status, the event and `helm test` say where it hangs."""
    install(site, settings=CPU)
    wait_until("a pod on the processor", lambda: any(ready(pod) for pod in pods()), 120)
    before = next(pod["metadata"]["uid"] for pod in pods() if ready(pod))
    install(site, settings=CPU, gpu={"enabled": True, "resource": "nvidia.com/mig-1g.5gb"})

    def reason() -> str:
        waiting = [pod for pod in pods() if pod["status"]["phase"] == "Pending"]
        found = [c.get("message", "") for pod in waiting for c in pod["status"].get("conditions", [])
                 if c["type"] == "PodScheduled" and c["status"] == "False"]  # fmt: skip
        return found[0] if found else ""

    wait_until("a pod that can't be placed", lambda: bool(reason()), 60)
    said = reason()
    assert "mig-1g.5gb" in said, said
    assert before in [pod["metadata"]["uid"] for pod in pods() if ready(pod)], "what ran does not run any more"
    status = kubectl("-n", SPACE, "rollout", "status", "deployment/inference", "--timeout=5s", check=False).strip()
    install(site, settings=CPU)
    wait_until("one pod", lambda: len(pods()) == 1 and ready(pods()[0]), 120)
    last = status.splitlines()[-1] if status else ""
    return f'the pod: "{said}"; the old one serves on; kubectl rollout status: "{last}"'


def blue_green_takes_two_slots_and_says_so_where_there_is_one(site: Site) -> str:
    """Four slots: both versions stand for a while. A quota of one: the second ReplicaSet says why it has no pod."""
    clear()
    rollout = {"kind": "Rollout", "replicas": 1, "blueGreen": {"scaleDownDelaySeconds": 30}}
    install(site, settings=CPU, **rollout)
    healthy(120)
    install(site, settings=CPU | {"HILUM_QUEUE": "33"}, **rollout)
    began = time.monotonic()
    wait_until("two pods, a slot each", lambda: len([p for p in pods() if ready(p)]) == 2, 120)
    both = time.monotonic() - began
    wait_until("one pod", lambda: len(pods()) == 1, 120)
    healthy(60)
    applied({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one-gpu", "namespace": SPACE},
             "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}})  # fmt: skip
    install(site, settings=CPU | {"HILUM_QUEUE": "34"}, **rollout)

    def refused() -> str:
        sets = get(SPACE, "replicasets")["items"]
        found = [
            c["message"] for one in sets for c in one["status"].get("conditions", []) if c["type"] == "ReplicaFailure"
        ]
        return found[0] if found else ""

    wait_until("the quota's words", lambda: bool(refused()), 90)
    said = refused()
    status = get(SPACE, "rollout", "inference")["status"]
    assert any(ready(pod) for pod in pods()), "what ran does not run any more"
    kubectl("-n", SPACE, "delete", "resourcequota", "one-gpu")
    return (
        f"with four: two pods after {both:.0f} s, then one; with a quota of one the new ReplicaSet says "
        f'"{said[said.find("exceeded") :]}", the Rollout is {status["phase"]} ({status.get("message", "")}), '
        "the old pod serves"
    )


def healthy(seconds: float) -> None:
    """The Rollout has what it wants."""

    def good() -> bool:
        found = get(SPACE, "rollout", "inference")
        status = found.get("status", {})
        seen = str(status.get("observedGeneration", "")) == str(found["metadata"]["generation"])
        return seen and status.get("phase") == "Healthy"

    wait_until("a healthy Rollout", good, seconds)
