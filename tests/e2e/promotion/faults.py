"""What happens to a good release when something else goes wrong: parts stopped, the promoter killed, a breach."""

from __future__ import annotations

import json
import time

import httpx

from tests.e2e.cluster.kube import application, get, kubectl, wait_until
from tests.e2e.promotion import user
from tests.e2e.promotion.journey import active_pods, asked, awaiting_approval, commits, newest_pods, withdrawn
from tests.e2e.promotion.site import Site, started
from tests.e2e.promotion.steps import ENVIRONMENTS, Load
from tests.e2e.promotion.stopped import ARGOCD, GIT, stopped

GIT_AWAY_SECONDS = 300.0
ARGOCD_AWAY_SECONDS = 90.0
SPACE = "promo-production"
CUT = "the-breach"


def the_git_server_is_away_for_five_minutes(site: Site) -> str:
    """From the moment that staging works on the candidate: its gate ends while nobody can be told."""
    release = site.release("2.7.0")
    site.ask(release)
    site.until("the staging commit", {"staging"}, 60)
    wait_until("staging's bundle in ArgoCD", lambda: asked("staging") == release.digest, 90)
    load = Load(site).start()
    assert site.promoter is not None
    ready = f"{site.promoter.url}/readyz"
    with stopped(*GIT):
        began = time.monotonic()
        wait_until("the promoter's word", lambda: httpx.get(ready, trust_env=False, timeout=30).status_code == 503, 150)
        noticed = time.monotonic() - began
        while time.monotonic() - began < GIT_AWAY_SECONDS:
            assert site.status()["state"] in {"staging", "away"}, site.status()
            assert site.serving("production") == site.baseline
            time.sleep(5)
        said = httpx.get(ready, trust_env=False, timeout=30).text[:200]
    gone = time.monotonic() - began
    took = site.until("canary", {"canary-shadow"}, 300)
    current = site.status()["current"]
    assert [note["state"] for note in current["timeline"]] == ["staging", "canary-shadow"], current["timeline"]
    assert current["tries"] == 1, current
    told = load.stop()
    assert not load.failures, load.failures[:5]
    withdrawn(site)
    return (
        f"away for {gone:.0f} s while staging judged; the promoter was not ready after {noticed:.0f} s ({said}); "
        f"{took:.0f} s after its return in canary, at the first try; {told}"
    )


def argocd_is_stopped(site: Site) -> str:
    """A candidate comes while nothing carries commits to the cluster; it is withdrawn while that is so again."""
    release = site.release("2.8.0")
    with stopped(*ARGOCD):
        began = time.monotonic()
        site.ask(release)
        committed = site.until("the staging commit", {"staging"}, 60)
        while time.monotonic() - began < ARGOCD_AWAY_SECONDS:
            assert site.status()["state"] == "staging" and site.serving("staging") == site.baseline
            time.sleep(5)
        gone = time.monotonic() - began
    took = site.until("staging's gate", {"canary-shadow"}, 400)
    assert site.status()["current"]["tries"] == 1
    wait_until("canary's pods", lambda: site.serving("canary") == release.digest, 240)
    with stopped(*ARGOCD):
        site.hilum("promote", "reject", "--reason", "the proof is over")
        assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline}
        time.sleep(20)
        assert site.serving("staging") == release.digest, "nothing carries the commit yet"
    back = wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)
    return (
        f"stopped for {gone:.0f} s: committed to staging after {committed:.0f} s, state and pods as before; staging "
        f"passed {took:.0f} s after its return, at the first try; rejected by hand while it was stopped again: "
        f"staging as before {back:.0f} s after its return"
    )


def a_promoter_killed_in_every_state_goes_on(site: Site) -> str:
    """One good release from the alias to the end, with a kill -9 in each state."""
    release = site.release("2.9.0")
    killed: list[str] = []

    def kill() -> None:
        assert site.promoter is not None
        killed.append(str(site.status()["state"]))
        site.promoter.kill()
        time.sleep(1)
        started(site.promoter)

    load = Load(site).start()
    site.ask(release)
    kill()
    for state in ("staging", "canary-shadow"):
        site.until(state, {state}, 600)
        kill()
    wait_until("canary's pods", lambda: site.serving("canary") == release.digest, 240)
    site.until("the promoter", {"canary-shadow"}, 60)
    site.feed_while("canary-shadow", 500)
    site.until("canary's verdict", {"awaiting-approval"}, 60)
    kill()
    site.until("the promoter", {"awaiting-approval"}, 60)
    site.hilum("promote", "approve", "--reason", "staging and canary hold")
    for state in ("production", "guarded"):
        site.until(state, {state}, 600)
        kill()
    ended = site.ended(release.digest, 300)
    kill()
    assert ended["state"] == "done" and ended["tries"] == 1, ended
    number = ended["candidate"]["number"]
    wait_until("the aliases", lambda: site.aliases() == {"staging": number, "production": number}, 120)
    states = [note["state"] for note in ended["timeline"]]
    assert len(states) == len(set(states)) + 1, f"one note each, and the approval's: {states}"
    told_in_git = commits(site, release.digest)
    assert len(told_in_git) == len(set(told_in_git)) == len(states), told_in_git
    assert {site.bundle(name) for name in ENVIRONMENTS} == {release.digest} == {site.serving("production")}
    told = load.stop()
    assert not load.failures, load.failures[:5]
    return (
        f"killed -9 in {', '.join(killed)}: done at the first try, {len(told_in_git)} commits, none twice; aliases, "
        f"Git and pods agree; {told}"
    )


def a_rollback_by_commit_is_timed(site: Site) -> str:
    """Of a release that has reached production; where none has, one goes there first."""
    if site.serving("production") == site.baseline:
        release = awaiting_approval(site, "2.9.1")
        site.hilum("promote", "approve", "--reason", "staging and canary hold")
        assert site.ended(release.digest, 900)["state"] == "done"
    load = Load(site).start()
    began = time.monotonic()
    site.hilum("promote", "rollback", "--reason", "the ward complains")
    committed = time.monotonic() - began
    wait_until("ArgoCD's look", lambda: asked("production") == site.baseline, 120)
    looked = time.monotonic()
    # The Service's word: a pod that is asked could still be the other one for the moment of the switch.
    wait_until("the switch", lambda: active_pods() == newest_pods(), 240)
    wait_until("production as before", lambda: site.serving("production") == site.baseline, 60)
    ended = time.monotonic()
    assert site.bundle("production") == site.baseline
    told = load.stop()
    assert not load.failures, load.failures[:5]
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)
    return (
        f"committed after {committed:.0f} s, ArgoCD has it after {looked - began:.0f} s, production serves the release "
        f"before {ended - looked:.0f} s later ({ended - began:.0f} s after the command); {told}"
    )


def a_breach_after_the_switch_is_aborted(site: Site) -> str:
    """The new release's pods stay ready, and nobody but the kubelet reaches them: a network policy by mistake."""
    release = awaiting_approval(site, "2.10.0")
    user.start(site.inference)
    before = active_pods()
    site.hilum("promote", "approve", "--reason", "staging and canary hold")
    wait_until("the switch", lambda: active_pods() == newest_pods() != before, 400)
    labels = {"rollouts-pod-template-hash": newest_pods()}
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    policy = {**kind, "metadata": {"name": CUT, "namespace": SPACE}, "spec": spec}
    try:
        breach = time.time()
        kubectl("apply", "-f", "-", text=json.dumps(policy))
        wait_until("the switch back", lambda: active_pods() == before, 180)
        switched = time.time() - breach
        ready = get(SPACE, "pods", "-l", f"rollouts-pod-template-hash={labels['rollouts-pod-template-hash']}")
        time.sleep(10)
        films = user.seen()
    finally:
        kubectl("-n", SPACE, "delete", "networkpolicy", CUT, "--ignore-not-found")
        user.leave()
    failed = [one for one in films if one.error]
    assert failed, "the breach reached nobody"
    assert all(one.at >= breach - 1 for one in failed), failed[:3]
    last = max(one.at + one.seconds for one in failed) - breach
    assert films[-1].release == site.baseline, films[-1]
    ended = site.ended(release.digest, 300)
    assert ended["state"] == "rejected" and ended["failed"]["environment"] == "production", ended
    wait_until("production as Git has it", lambda: application(SPACE) == ("Synced", "Healthy"), 240)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline} == {site.serving("production")}
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)
    stood = sum(bool(one) for one in ready.get("items", []))
    return (
        f"new pods cut off by a NetworkPolicy after the switch ({stood} still there): Service back on the stable "
        f"release {switched:.0f} s after it, the last film that failed ended {last:.0f} s after it; {len(failed)} of "
        f"{len(films)} films failed, one each half second; rejected by {ended['failed']['check']} "
        f"({ended['failed']['value']}), Git reverted"
    )
