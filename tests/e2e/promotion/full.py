"""The rest of the list, `make e2e-promotion-full`. Each step stands alone: a run goes on where another stopped."""

from __future__ import annotations

import time

from tests.e2e.cluster.kube import get, kubectl, wait_until
from tests.e2e.promotion import candidates, faults, ground, surgery
from tests.e2e.promotion.journey import awaiting_approval, in_canary, withdrawn
from tests.e2e.promotion.site import Site
from tests.e2e.promotion.steps import (
    BAD,
    ENVIRONMENTS,
    Step,
    a_constant_answer_is_stopped_in_staging,
    another_output_width_reaches_no_environment,
    refused,
    shuffled_labels_are_stopped_in_staging,
    stopped,
    the_environments_stand,
    the_services_start,
)
from tests.e2e.promotion.trained import TRAINED


def a_changed_file_reaches_no_environment(site: Site) -> str:
    """One byte of what lies in the registry is another one after the signature."""

    def spoil() -> None:
        path = max((site.folder / "artifacts").rglob("*.onnx"), key=lambda p: p.stat().st_mtime)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return refused(site, "2.0.4", "sha256", before=spoil)


def one_critical_finding_worse_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.5", surgery.one_finding_worse)


def a_miscalibrated_one_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.4", about=candidates.miscalibrated)


def a_slow_release_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.6", surgery.slow)


def one_that_fails_on_some_films_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.7", surgery.fails_on_some)


def one_that_crashes_on_one_film_in_forty_gets_no_further_than_staging(site: Site) -> str:
    """A pod that ends may be the node's doing: no rejection, but three tries, and then a person."""
    release = site.release("2.1.10", surgery.crashes_on_one_in_forty)
    site.ask(release)
    began = time.monotonic()

    def given_up() -> bool:
        current = site.status()["current"]
        return bool(current) and current["state"] == "interrupted" and current["tries"] == 3

    wait_until("three tries", given_up, 600)
    took = time.monotonic() - began
    timeline = site.status()["current"]["timeline"]
    assert {note["state"] for note in timeline} == {"staging", "interrupted"}, timeline
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 240)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline} == {site.serving("production")}
    withdrawn(site)
    return (
        f"interrupted three times in {took:.0f} s ({timeline[-1]['reason'][:90]}), reverted each time, then left to a "
        "person, who rejects it"
    )


def one_that_needs_more_memory_than_it_may_have_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.8", surgery.large)


def _stopped_in_canary(site: Site, version: str, change: candidates.Surgery, *, marked: bool) -> str:
    """A release in which staging's few films see nothing, and the site's own do."""
    release = site.release(version, change)
    number = site.ask(release)
    began = time.monotonic()
    site.until("staging's gate, which sees nothing", {"canary-shadow"}, 600)
    wait_until("canary's pods", lambda: site.serving("canary") == release.digest, 240)
    sent = site.feed_while("canary-shadow", 500, marked=marked)
    ended = site.ended(release.digest, 120)
    failed = ended["failed"]
    assert ended["state"] == "rejected" and failed["environment"] == "canary", ended
    wait_until("the tag", lambda: "hilum.rejected" in site.version(number).tags, 60)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline}
    assert site.serving("production") == site.baseline
    return (
        f"passed staging; rejected in canary after {time.monotonic() - began:.0f} s and {sent} films by "
        f"{failed['check']}: {failed['metric']} {failed['value']}, bound {failed['bound']}, n {failed['n']}; nobody "
        "was shown its answers"
    )


def less_light_inside_is_stopped_in_canary(site: Site) -> str:
    return _stopped_in_canary(site, "2.1.3", candidates.half_the_light, marked=False)


def one_that_is_wrong_on_this_sites_films_alone_is_stopped_in_canary(site: Site) -> str:
    return _stopped_in_canary(site, "2.3.0", surgery.wrong_on_marked_films, marked=True)


def a_newer_candidate_waits_while_one_is_in_canary(site: Site) -> str:
    first = site.release("2.4.0")
    site.ask(first)
    site.until("staging's gate", {"canary-shadow"}, 600)
    second = site.release("2.4.1")
    site.ask(second)
    wait_until("the queue", lambda: bool(site.status().get("queued")), 60)
    queued = str(site.status()["queued"])
    current = site.status()["current"]
    assert current["candidate"]["digest"] == first.digest and current["state"] == "canary-shadow", current
    assert site.bundle("staging") == first.digest == site.bundle("canary")
    site.hilum("promote", "reject", "--reason", "the newer one is wanted")
    site.until("the newer one's turn", {"staging"}, 120)
    assert site.bundle("canary") == site.baseline and site.bundle("staging") == second.digest
    site.hilum("promote", "reject", "--reason", "the proof is over")
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)
    return f"'{queued}'; it began when the first was rejected by hand; canary as before meanwhile"


def silence_and_parts_that_are_away_reject_nothing(site: Site) -> str:
    """In canary: too few films, then MLflow and Prometheus gone, then both back."""
    in_canary(site, "2.5.0")
    for number in range(10):
        site.feed(number)
    wait_until("a verdict", lambda: (site.status().get("record") or {}).get("verdict") is not None, 120)
    few = site.status()["record"]["verdict"]
    assert few in {"inconclusive", "error"} and site.status()["state"] == "canary-shadow"
    assert site.mlflow is not None
    site.mlflow.stop()
    kubectl("-n", ground.STORE, "scale", "deployment/prometheus", "--replicas=0")
    wait_until("Prometheus gone", lambda: not get(ground.STORE, "pods", "-l", "app=prometheus").get("items"), 90)
    for number in range(100, 200):
        site.feed(number)
    began = time.monotonic()
    wait_until("the promoter's word", lambda: "registry" in site.status().get("away", {}), 120)
    time.sleep(20)
    seen = site.status()
    assert seen["state"] == "canary-shadow", seen
    verdict, away = seen["record"]["verdict"], sorted(seen["away"])
    assert verdict in {"error", "inconclusive"}, seen["record"]
    kubectl("-n", ground.STORE, "scale", "deployment/prometheus", "--replicas=1")
    site.mlflow.start()
    gone = time.monotonic() - began
    site.feed_while("canary-shadow", 400)
    site.until("canary's verdict", {"awaiting-approval"}, 120)
    withdrawn(site)
    return (
        f"ten films: {few}; MLflow and Prometheus away for {gone:.0f} s with 100 more films: {verdict}, away {away}, "
        "state as before; both back: passed"
    )


def one_that_keeps_dying_in_production_is_taken_back(site: Site) -> str:
    """Argo Rollouts 1.10 switches back only to a new set that stands: the promoter's revert is the remedy."""
    release = awaiting_approval(site, "2.6.0")
    site.hilum("promote", "approve", "--reason", "staging and canary hold")
    wait_until("the switch", lambda: site.serving("production") == release.digest, 400)
    newest = get("promo-production", "rollout", "inference")["status"]["currentPodHash"]
    began = time.monotonic()

    def back() -> bool:
        selector = f"rollouts-pod-template-hash={newest}"
        kubectl("-n", "promo-production", "delete", "pods", "-l", selector, "--grace-period=0", "--force", check=False)
        active = get("promo-production", "service", "inference")["spec"]["selector"]["rollouts-pod-template-hash"]
        return active != newest and site.serving("production") == site.baseline

    took = wait_until("production on the release before", back, 300)
    committed = site.bundle("production") == site.baseline
    ended = site.status()
    shown = ended["current"] or ended["ended"][0]
    story = shown["timeline"][-1]
    if ended["current"]:
        site.hilum("promote", "reject", "--reason", "the proof is over")
    assert committed, "Git still asks for it"
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 300)
    return (
        f"its pod deleted over and over since the switch: all traffic on the release before after {took:.0f} s "
        f"(deleting began {time.monotonic() - began:.0f} s ago); {shown['state']}: {story['reason'][:150]}"
    )


BEGIN: tuple[Step, ...] = (the_environments_stand, the_services_start)
FULL: tuple[Step, ...] = (
    *BAD,
    another_output_width_reaches_no_environment,
    a_changed_file_reaches_no_environment,
    shuffled_labels_are_stopped_in_staging,
    a_constant_answer_is_stopped_in_staging,
    one_critical_finding_worse_is_stopped_in_staging,
    a_miscalibrated_one_is_stopped_in_staging,
    a_slow_release_is_stopped_in_staging,
    one_that_fails_on_some_films_is_stopped_in_staging,
    one_that_crashes_on_one_film_in_forty_gets_no_further_than_staging,
    one_that_needs_more_memory_than_it_may_have_is_stopped_in_staging,
    less_light_inside_is_stopped_in_canary,
    one_that_is_wrong_on_this_sites_films_alone_is_stopped_in_canary,
    a_newer_candidate_waits_while_one_is_in_canary,
    silence_and_parts_that_are_away_reject_nothing,
    one_that_keeps_dying_in_production_is_taken_back,
    faults.the_git_server_is_away_for_five_minutes,
    faults.argocd_is_stopped,
    faults.a_promoter_killed_in_every_state_goes_on,
    faults.a_rollback_by_commit_is_timed,
    faults.a_breach_after_the_switch_is_aborted,
    *TRAINED,
)
