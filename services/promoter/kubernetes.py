"""The cluster as its API server tells it. Four kinds are read and nothing is ever written."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx

from services.promoter.looked import ClusterUnavailable, Looked, Measured

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
INSIDE = "https://kubernetes.default.svc"
HASH = "rollouts-pod-template-hash"
INFERENCE = "app.kubernetes.io/component=inference"
CRASHES = 3
ARGOCD = "argocd"


class Kubernetes:
    """`url`'s API server by `token` (a file, read anew each time: Kubernetes renews it) and authority `ca`."""

    def __init__(
        self, url: str = INSIDE, token: Path = ACCOUNT / "token", ca: Path = ACCOUNT / "ca.crt", prefix: str = "hilum"
    ) -> None:
        self._token = token
        self._prefix = prefix
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(ca)) if ca.is_file() else True
        self._client = httpx.Client(base_url=url, verify=verify, timeout=10, trust_env=False)

    def look(self, environment: str) -> Looked:
        """How `environment` stands. Raises ClusterUnavailable."""
        space = f"{self._prefix}-{environment}"
        application = self._get(f"/apis/argoproj.io/v1alpha1/namespaces/{ARGOCD}/applications/{space}")
        rollout = self._get(f"/apis/argoproj.io/v1alpha1/namespaces/{space}/rollouts/inference")
        if not application or not rollout:
            missing = "Application" if not application else "Rollout"
            return Looked(environment, message=f"{space} has no {missing}")
        pods = self._list(f"/api/v1/namespaces/{space}/pods", INFERENCE)
        runs = self._list(f"/apis/argoproj.io/v1alpha1/namespaces/{space}/analysisruns", "")
        return looked(environment, application, rollout, pods, runs)

    def _get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            token = self._token.read_text(encoding="utf-8").strip() if self._token.is_file() else ""
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = self._client.get(path, params=params, headers=headers)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return {}
            document = answer.raise_for_status().json()
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise ClusterUnavailable(f"the cluster's API: {type(error).__name__} {str(error)[:200]}") from error
        return document if isinstance(document, dict) else {}

    def _list(self, path: str, labels: str) -> list[dict[str, Any]]:
        items = self._get(path, {"labelSelector": labels} if labels else None).get("items")
        return items if isinstance(items, list) else []


def looked(
    environment: str,
    application: dict[str, Any],
    rollout: dict[str, Any],
    pods: list[dict[str, Any]],
    runs: list[dict[str, Any]],
) -> Looked:
    """The objects as the promoter sees them."""
    status = rollout.get("status", {})
    newest, active = status.get("currentPodHash", ""), status.get("blueGreen", {}).get("activeSelector", "")
    bundle = _bundle(application)
    of_active = [pod for pod in pods if pod["metadata"].get("labels", {}).get(HASH) == active and not _goes(pod)]
    of_newest = [pod for pod in pods if pod["metadata"].get("labels", {}).get(HASH) == newest and not _goes(pod)]
    digests = {_digest(pod["spec"]) for pod in of_active if _ready(pod)}
    state = application.get("status", {})
    # A Rollout whose controller has not seen its newest spec says how the one before it stands.
    seen = str(status.get("observedGeneration", "")) == str(rollout["metadata"].get("generation", ""))
    mine = [run for run in runs if run["metadata"].get("labels", {}).get(HASH) == newest]
    return Looked(
        environment,
        synced=state.get("sync", {}).get("status") == "Synced",
        healthy=state.get("health", {}).get("status") == "Healthy",
        asked_digest=str(bundle.get("release", {}).get("digest", "")),
        asked_attempt=int(bundle.get("run", {}).get("attempt", 0)),
        serving=digests.pop() if len(digests) == 1 and all(_ready(pod) for pod in of_active) else "",
        wanted=_digest(rollout["spec"]["template"]["spec"]),
        phase=str(status.get("phase", "")) if seen else "Progressing",
        aborted=bool(status.get("abort")) and seen,
        message=str(status.get("message") or state.get("health", {}).get("message") or ""),
        ready=sum(_ready(pod) for pod in of_active),
        analysis=tuple(one for run in mine for one in _measured(run)),
        crash=next((why for pod in of_newest if (why := _crash(pod))), "") if newest != active else "",
    )


def _bundle(application: dict[str, Any]) -> dict[str, Any]:
    try:
        values = json.loads(application["spec"]["source"]["helm"]["values"])
    except (KeyError, TypeError, ValueError):
        return {}
    found = values.get("bundle") if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def _digest(spec: dict[str, Any]) -> str:
    """The release that a pod's init container fetches."""
    for container in spec.get("initContainers", []):
        for entry in container.get("env", []):
            if entry.get("name") == "HILUM_RELEASE_DIGEST":
                return str(entry.get("value", ""))
    return ""


def _goes(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _crash(pod: dict[str, Any]) -> str:
    """Why the server's container ended time and again; the init container is not meant: the store may be away."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        ended = container.get("lastState", {}).get("terminated") or {}
        if container.get("restartCount", 0) >= CRASHES and ended:
            said = str(ended.get("message", "")).strip().splitlines()
            why = said[-1][:200] if said else f"status {ended.get('exitCode')}"
            return f"{ended.get('reason', 'Error')} {container['restartCount']} times: {why}"
    return ""


def _measured(run: dict[str, Any]) -> list[Measured]:
    name = str(run["metadata"]["name"])
    found = []
    for result in run.get("status", {}).get("metricResults", []):
        last = (result.get("measurements") or [{}])[-1]
        said = str(last.get("message") or result.get("message") or "")
        phase = str(last.get("phase") or result.get("phase") or "")
        # A run that was cut off ends Successful: its last measurement is what counts.
        found.append(Measured(name, str(result.get("name", "")), phase, str(last.get("value", "")), said[:300]))
    return found
