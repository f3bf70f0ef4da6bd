"""The ways that the full proof's releases go: into canary, to the approval, into production, and out again."""

from __future__ import annotations

import json
import uuid

from hilum.release import Release
from tests.e2e.cluster.kube import get, sh, wait_until
from tests.e2e.promotion import candidates, ground
from tests.e2e.promotion.site import Site


def in_canary(site: Site, version: str, change: candidates.Surgery | None = None) -> Release:
    """A release that passed staging's gate and runs in canary."""
    release = site.release(version, change)
    site.ask(release)
    site.until("staging's gate", {"canary-shadow"}, 600)
    wait_until("canary's pods", lambda: site.serving("canary") == release.digest, 240)
    return release


def awaiting_approval(site: Site, version: str, change: candidates.Surgery | None = None) -> Release:
    """The same, and canary's gate passed by the films that came."""
    release = in_canary(site, version, change)
    site.feed_while("canary-shadow", 500)
    site.until("canary's verdict", {"awaiting-approval"}, 60)
    return release


def withdrawn(site: Site) -> None:
    """What is under way is rejected by hand, and staging is as before."""
    site.hilum("promote", "reject", "--reason", "the proof is over")
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)


def active_pods() -> str:
    """The update whose pods production's Service sends to."""
    selector = get("promo-production", "service", "inference")["spec"]["selector"]
    return str(selector["rollouts-pod-template-hash"])


def newest_pods() -> str:
    """The update that production's Rollout came to last."""
    return str(get("promo-production", "rollout", "inference")["status"]["currentPodHash"])


def asked(environment: str) -> str:
    """The release that ArgoCD was told to run there."""
    found = get("argocd", "application", f"{ground.PREFIX}-{environment}")
    given = json.loads(found["spec"]["source"]["helm"]["values"])
    return str(given["bundle"]["release"]["digest"])


def commits(site: Site, digest: str) -> list[str]:
    """The subjects of the promoter's commits about `digest`, the newest first."""
    clone = site.folder / f"look-{uuid.uuid4().hex[:6]}"
    sh("git", "clone", "--quiet", "--depth=60", site.remote, str(clone))
    told = sh("git", "-C", str(clone), "log", f"--grep=Release: {digest}", "--format=%s")
    return told.strip().splitlines()
