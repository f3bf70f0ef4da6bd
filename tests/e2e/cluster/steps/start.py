"""From nothing to three environments."""

from __future__ import annotations

import json
import os
import re
import secrets
import time

from tests.e2e.cluster.kube import ROOT, application, kubectl, sh, wait_until
from tests.e2e.cluster.site import APPLICATIONS, Site


def images_are_built_and_pushed_by_digest(site: Site) -> str:
    # E2E_BUILT=1: those of build/images.json, which make images or a pipeline pushed before.
    if not os.environ.get("E2E_BUILT"):
        sh("k8s/images.sh", PUSH=site.registry, TLS_VERIFY=os.environ.get("TLS_VERIFY", "false"))
    built = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))
    site.remember(images=built["images"])
    site.tree.clone()
    site.tree.prepare(built["images"])
    return ", ".join(f"{name} {image['digest'][7:19]}" for name, image in built["images"].items())


def namespaces_and_secrets_are_there(site: Site) -> str:
    kubectl("apply", "-k", "k8s/bootstrap")
    made = sh("k8s/secrets.sh")
    cert, key, users = (site.folder / name for name in ("tls.crt", "tls.key", "users.toml"))
    users.unlink(missing_ok=True)
    sh(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
        *("-subj", "/CN=hilum.test", "-addext", "subjectAltName=DNS:hilum.test,DNS:staging.hilum.test"),
        *("-keyout", str(key), "-out", str(cert)),
    )
    password = secrets.token_urlsafe(18)
    site.remember(password=password)
    roles = ("--role", "reader", "--role", "lead", "--role", "admin")
    sh(".venv/bin/hilum", "users", "add", "anna", *roles, "--file", str(users), "--stdin", text=f"{password}\n")
    for namespace in ("hilum-production", "hilum-staging"):
        for name in ("hilum-users", "hilum-tls"):
            kubectl("-n", namespace, "delete", "secret", name, "--ignore-not-found")
        kubectl("-n", namespace, "create", "secret", "generic", "hilum-users", f"--from-file=users.toml={users}")
        kubectl("-n", namespace, "create", "secret", "tls", "hilum-tls", f"--cert={cert}", f"--key={key}")
    kubectl("-n", "argocd", "patch", "configmap", "argocd-cm", "--patch-file", "k8s/argo/argocd/settings.yaml")
    # Pods that run read their Secrets at start alone.
    for namespace in ("hilum-production", "hilum-staging"):
        kubectl("-n", namespace, "rollout", "restart", "deployment", check=False)
    return f"{len(made.splitlines())} lines of make secrets"


def one_application_brings_up_everything(site: Site) -> str:
    kubectl("apply", "-f", str(site.tree.folder / "argocd/root.yaml"))
    kubectl("-n", "argocd", "annotate", "application", "hilum", "argocd.argoproj.io/refresh=normal", "--overwrite")
    began = time.monotonic()
    wait_until("the platform", lambda: "platform" in kubectl("-n", "argocd", "get", "applications"), 120)
    platform = site.settled("platform", 400)
    sh("k8s/push-release.sh", "models/default")
    for name in APPLICATIONS[2:]:
        wait_until(name, lambda name=name: name in kubectl("-n", "argocd", "get", "applications"), 240)  # type: ignore[misc]
        site.settled(name, 600)
    wait_until("hilum", lambda: application("hilum") == ("Synced", "Healthy"), 120)
    took = time.monotonic() - began
    site.remember(up_seconds=took)
    return f"platform after {platform:.0f} s, all of {', '.join(APPLICATIONS)} Synced and Healthy after {took:.0f} s"


def memory_is_counted(_: Site) -> str:
    """What the pods use, and the processes of a control plane that runs on this machine."""
    pods = 0
    for line in kubectl("top", "pods", "-A", "--no-headers").splitlines():
        namespace, _name, _cpu, memory = line.split()
        pods += int(memory.removesuffix("Mi")) if namespace in OURS else 0
    plane = 0
    for line in sh("ps", "-eo", "rss,args").splitlines()[1:]:
        rss, command = line.strip().split(" ", 1)
        if re.search(
            r"(^|/)(hyperkube|etcd|containerd|argocd-[a-z-]+|redis-server|registry|gitea|git-server)\b",
            command.split(" ")[0],
        ):
            plane += int(rss) // 1024
    return f"pods {pods} MiB, the control plane with ArgoCD {plane} MiB, together {(pods + plane) / 1024:.1f} GiB"


# Whatever else the cluster carries is no part of what is measured.
OURS = {
    *("hilum-staging", "hilum-canary", "hilum-production", "platform", "monitoring"),
    *("argocd", "argo-rollouts", "kube-system", "local-path-storage"),
}
