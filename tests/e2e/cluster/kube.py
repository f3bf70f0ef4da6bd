"""What the steps need of the cluster: kubectl, waiting, and a client of the reading room through the ingress."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]


def sh(*command: str, check: bool = True, text: str | None = None, **environment: str) -> str:
    """Run, and give what it printed; a failure says its last words."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, input=text, env={**os.environ, **environment}
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)[:200]}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def kubectl(*arguments: str, **more: Any) -> str:
    """kubectl with the environment's KUBECONFIG."""
    return sh("kubectl", *arguments, **more)


def get(namespace: str, *what: str) -> dict[str, Any]:
    """An object, or an empty one where it isn't there."""
    text = kubectl("-n", namespace, "get", *what, "-o", "json", "--ignore-not-found", check=False)
    return json.loads(text) if text else {}


def wait_until(what: str, ready: Callable[[], bool], seconds: float) -> float:
    """Wait, and give how long it took; fails after `seconds`. An answer that does not come is asked for again."""
    began = time.monotonic()
    error: Exception | None = None
    while True:
        try:
            if ready():
                break
        except (httpx.HTTPError, json.JSONDecodeError, KeyError) as caught:
            error = caught
        assert time.monotonic() - began < seconds, f"{what}: not after {seconds:.0f} s ({error})"
        time.sleep(1.0)
    return time.monotonic() - began


def application(name: str) -> tuple[str, str]:
    """How an Application stands: (Synced, Healthy) in the good case; (Syncing, ...) while ArgoCD is at it."""
    found = get("argocd", "application", name)
    status = found.get("status", {})
    busy = "operation" in found or status.get("operationState", {}).get("phase") in {"Running", "Terminating"}
    return (
        "Syncing" if busy else status.get("sync", {}).get("status", "?"),
        status.get("health", {}).get("status", "?"),
    )


def refresh(*names: str) -> None:
    """Ask ArgoCD to look at Git now, the ApplicationSet first: it makes values of files."""
    asked = "argocd.argoproj.io/application-set-refresh=true"
    # On a cluster that is new it comes after the platform.
    kubectl("-n", "argocd", "annotate", "applicationset", "environments", asked, "--overwrite", check=False)
    for name in names:
        kubectl("-n", "argocd", "annotate", "application", name, "argocd.argoproj.io/refresh=normal", "--overwrite")


def room(host: str, address: str, retries: int = 2) -> httpx.Client:
    """A client of the reading room at `address` under the name `host`; the test's certificate is self-signed."""
    transport = httpx.HTTPTransport(verify=False, retries=retries)

    def named(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = host

    # A browser says where a change comes from; this client does what a browser does.
    headers = {"Host": host, "Origin": f"https://{host}"}
    return httpx.Client(
        base_url=address, headers=headers, transport=transport, event_hooks={"request": [named]}, timeout=30
    )


def sign_in(client: httpx.Client, name: str, password: str) -> None:
    """A session in the client's cookies, which are sent by hand: its address is not its name."""
    answer = client.post("/login", data={"name": name, "password": password})
    assert answer.status_code == 303, f"sign-in: {answer.status_code} {answer.text[:200]}"
    cookie = answer.headers["set-cookie"].split(";")[0]
    client.cookies.clear()
    client.headers["Cookie"] = cookie
