"""External Secrets with a vault that answers by itself (its provider `fake`), and what a missing Secret says."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.charts.tools import helm
from tests.e2e.alerts.site import applied
from tests.e2e.cluster.kube import ROOT, get, kubectl, wait_until
from tests.e2e.operators.site import FOLDER, ROOM, Site, installed, merged, namespace

SPACE = "ops-vault"


def values(site: Site, change: dict[str, Any]) -> dict[str, Any]:
    """The ledger alone: it needs a database, a store and a key out of Secrets."""
    off = {"enabled": False}
    alone = {"inference": off, "web": off, "ingress": off, "drift": off, "feedback": {"replicas": 1}}
    return merged(merged(site.values(), alone), change)


def feedback() -> dict[str, Any]:
    """Its newest pod."""
    items = get(SPACE, "pods", "-l", "app.kubernetes.io/component=feedback")["items"]
    return max(items, key=lambda pod: pod["metadata"]["creationTimestamp"]) if items else {}


def secrets_come_out_of_a_vault_and_stay_when_it_forgets_them(site: Site) -> str:
    """The chart's ExternalSecrets become Secrets, pods start with them, and none goes with the vault's entry."""
    namespace(SPACE)
    ledger = (FOLDER / "ledger.pem").read_text(encoding="utf-8")
    known = {
        "hilum-database": site.database(),
        "hilum-s3": {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": site.memory["store"]},
        "hilum-ledger-key": {"ledger-key.pem": ledger},
    }
    entries = [{"key": f"ops/{name}", "value": json.dumps(data)} for name, data in known.items()]
    store: dict[str, Any] = {
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": SPACE}, "spec": {"provider": {"fake": {"data": entries}}},
    }  # fmt: skip
    applied(store)
    wanted = {name: {key: {"key": f"ops/{name}", "property": key.replace(".", "\\.")} for key in data}
              for name, data in known.items()}  # fmt: skip
    installed("hilum", SPACE, values(site, {"externalSecrets": {
        "store": {"kind": "SecretStore", "name": "vault"}, "refreshInterval": "10s", "secrets": wanted}}))  # fmt: skip
    for name, data in known.items():
        kubectl("-n", SPACE, "wait", f"externalsecret/{name}", "--for=condition=Ready", "--timeout=90s")
        assert set(get(SPACE, "secret", name)["data"]) == set(data), name
    kubectl("-n", SPACE, "rollout", "status", "deployment/feedback", "--timeout=240s")
    store["spec"] = {"provider": {"fake": {"data": entries[:1]}}}
    applied(store)

    def told() -> str:
        conditions = get(SPACE, "externalsecret", "hilum-s3")["status"]["conditions"]
        return next((c.get("message", "") for c in conditions if c["type"] == "Ready" and c["status"] == "False"), "")

    wait_until("the operator's words", lambda: bool(told()), 90)
    assert set(get(SPACE, "secret", "hilum-s3")["data"]) == set(known["hilum-s3"])
    return (
        f"{len(known)} ExternalSecrets ready, their Secrets there, feedback runs with them; an entry that the vault "
        f'forgets: "{told()}", the Secret stays'
    )


def a_missing_secret_and_a_second_environment_are_told_by_name(site: Site) -> str:
    """What runs keeps running; the new pod says which Secret; helm refuses the second installation."""
    before = feedback()["metadata"]["uid"]
    installed("hilum", SPACE, values(site, {"feedback": {"ledgerKeySecret": "not-there"}}))

    def said() -> str:
        pod = feedback()
        if pod["metadata"]["uid"] == before:
            return ""
        about = f"involvedObject.name={pod['metadata']['name']}"
        lines = "jsonpath={range .items[*]}{.message}{'\\n'}{end}"
        text = kubectl("-n", SPACE, "get", "events", "--field-selector", about, "-o", lines)
        return next((line for line in text.splitlines() if "not-there" in line), "")

    wait_until("the missing Secret's name", lambda: bool(said()), 120)
    words = said()
    old = [pod for pod in get(SPACE, "pods", "-l", "app.kubernetes.io/component=feedback")["items"]
           if pod["metadata"]["uid"] == before]  # fmt: skip
    assert old and old[0]["status"]["phase"] == "Running", "what ran does not run any more"
    file = FOLDER / f"{ROOM}-hilum.yaml"
    command = [helm(), "install", "second", str(ROOT / "charts/hilum"), "--namespace", ROOM, "--values", str(file)]
    done = subprocess.run([*command, "--set", "environment=staging"], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "a second environment was installed beside the first"
    refused = done.stderr.strip().splitlines()[-1]
    assert "cannot be imported" in refused, refused
    return f'the new pod: "{words}", the old one serves; helm: "{refused[:180]} ..."'
