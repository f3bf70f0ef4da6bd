"""What is proven, in order. Each step says in a sentence what it saw; the first that fails ends the proof."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from hilum.release.signing import new_key
from tests.e2e.cluster.kube import kubectl, wait_until
from tests.e2e.promotion import candidates, ground
from tests.e2e.promotion.site import Site, started

ENVIRONMENTS = ("staging", "canary", "production")
Step = Callable[[Site], str]


@dataclass
class Load:
    """Somebody who has a film scored by production all the time; every answer but a good one is kept."""

    site: Site
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def _run(self) -> None:
        url = ground.address("promo-production", "inference", 8000)
        film = candidates.BUNDLED.joinpath("golden.png").read_bytes()
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            while not self._stop.wait(1.0):
                self.asked += 1
                try:
                    answer = client.post("/v1/predict", files={"file": ("film.png", film)})
                    if answer.status_code != 200:
                        self.failures.append(f"{answer.status_code} {answer.text[:120]}")
                except httpx.HTTPError as error:
                    self.failures.append(f"{type(error).__name__} {error}")

    def start(self) -> Load:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> str:
        """End, and say what was seen."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(90)
        return f"{self.asked} films asked of production all the while, {len(self.failures)} failed {self.failures[:2]}"


def the_environments_stand(site: Site) -> str:
    site.base = ground.bring_up()
    # MLflow takes its time to start, and nothing of it is needed before.
    with ThreadPoolExecutor(1) as pool:
        registry = pool.submit(site.start_registry)
        packed = site.fill_store(120)
        registry.result()
    for space in ground.SPACES:
        # What an earlier run left: a first rollout is no update and needs no analysis.
        kubectl("-n", space, "delete", "rollout", "inference", "--ignore-not-found")
    site.plant()
    took = wait_until("the three environments", site.stands, 420)
    return f"staging, canary and production Synced and Healthy after {took:.0f} s; {packed}"


def the_services_start(site: Site) -> str:
    site.start_services()
    site.until("the promoter's first turn", {"waiting"}, 120)
    return "MLflow, the reading room and the promoter answer"


def refused(
    site: Site,
    version: str,
    says: str,
    surgery: candidates.Surgery | None = None,
    before: Callable[[], None] | None = None,
    **how: Any,
) -> str:
    """A release that fails verification; `before` spoils what lies in the registry before anybody is asked."""
    release = site.release(version, surgery, golden=False, **how)
    number = site.ask(release, before)
    began = time.monotonic()
    ended = site.ended(release.digest, 120)
    assert ended["state"] == "rejected" and says in ended["timeline"][-1]["reason"], ended
    wait_until("the tag", lambda: "hilum.rejected" in site.version(number).tags, 60)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline}
    return f"rejected at verification after {time.monotonic() - began:.0f} s: {ended['timeline'][-1]['reason']}"


def weights_that_are_no_numbers_reach_no_environment(site: Site) -> str:
    return refused(site, "2.0.1", "no number", candidates.not_numbers)


def an_unknown_signer_reaches_no_environment(site: Site) -> str:
    return refused(site, "2.0.2", "not trusted", key=new_key())


def another_output_width_reaches_no_environment(site: Site) -> str:
    return refused(site, "2.0.3", "findings", candidates.narrower)


def stopped(site: Site, version: str, surgery: candidates.Surgery | None = None, **how: Any) -> str:
    """A release that staging's gate rejects, with everything as before afterwards."""
    release = site.release(version, surgery, **how)
    number = site.ask(release)
    began = time.monotonic()
    ended = site.ended(release.digest, 600)
    took = time.monotonic() - began
    assert ended["state"] == "rejected" and ended["failed"]["environment"] == "staging", ended
    failed = ended["failed"]
    wait_until("the tag", lambda: "hilum.rejected" in site.version(number).tags, 60)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {site.baseline}
    assert site.serving("production") == site.baseline
    wait_until("staging as before", lambda: site.serving("staging") == site.baseline, 240)
    of = f" of {failed['finding']}" if failed.get("finding") else ""
    return (
        f"rejected in staging after {took:.0f} s by {failed['check']}{of}: {failed['metric']} {failed['value']}, "
        f"bound {failed['bound']}, n {failed['n']}; {failed['failed']} checks failed"
    )


def findings_in_another_order_are_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.0", candidates.reordered)


def shuffled_labels_are_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.1", candidates.shuffled)


def a_constant_answer_is_stopped_in_staging(site: Site) -> str:
    return stopped(site, "2.1.2", candidates.constant)


def a_good_release_reaches_canary_and_a_killed_promoter_goes_on(site: Site) -> str:
    release = site.release("2.2.0")
    site.ask(release)
    began = time.monotonic()
    site.until("the staging commit", {"staging"}, 60)
    committed = time.monotonic() - began
    assert site.promoter is not None
    site.promoter.kill()
    time.sleep(2)
    started(site.promoter)
    site.until("staging's gate", {"canary-shadow"}, 600)
    wait_until("canary's pods", lambda: site.serving("canary") == release.digest, 240)
    return (
        f"committed to staging {committed:.0f} s after the alias; killed -9 and started again; in canary after "
        f"{time.monotonic() - began:.0f} s"
    )


def canary_waits_for_evidence_and_passes_by_it(site: Site) -> str:
    release = site.made["2.2.0"]
    status = site.status()
    assert status["state"] == "canary-shadow", "no film yet, and no verdict"
    began = time.monotonic()
    sent = site.feed_while("canary-shadow", 500)
    site.until("canary's verdict", {"awaiting-approval"}, 60)
    assert site.bundle("production") == site.baseline and site.serving("production") == site.baseline
    assert release.digest == site.bundle("canary")
    site.hilum("promote", "status")
    return f"passed after {sent} films, each read blind, in {time.monotonic() - began:.0f} s; production as before"


def production_waits_for_the_approval_and_follows_it(site: Site) -> str:
    release = site.made["2.2.0"]
    time.sleep(10)
    assert site.status()["state"] == "awaiting-approval"
    load = Load(site).start()
    began = time.monotonic()
    said = site.hilum("promote", "approve", "--reason", "staging and canary hold")
    ended = site.ended(release.digest, 900)
    took = time.monotonic() - began
    assert ended["state"] == "done" and ended["approved_by"] == "anna", ended
    told = load.stop()
    assert not load.failures, load.failures[:5]
    return f"{said.strip()}; done {took:.0f} s after the approval; {told}"


def git_registry_pods_and_the_reading_room_agree(site: Site) -> str:
    digest = site.made["2.2.0"].digest
    number = next(v["candidate"]["number"] for v in site.status()["ended"] if v["candidate"]["digest"] == digest)
    wait_until("the aliases", lambda: site.aliases() == {"staging": number, "production": number}, 120)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {digest}
    assert {site.serving(name) for name in ("staging", "production")} == {digest}
    assert "hilum.rejected" not in site.version(number).tags
    page = site.page()
    # The page's table: what Git asks for and what serves, in each environment (canary rests).
    assert page.count(f'<span class="code">{digest[:12]}</span>') >= 5 and "does not answer" not in page, page[:3000]
    site.hilum("promote", "status")
    shown = httpx.get(f"{ground.address('promo-production', 'inference', 8000)}/v1/model", trust_env=False).json()
    named = f"{shown['release']['name']} {shown['release']['version']}"
    return f"Git, aliases {site.aliases()}, running digests, command line and the room's page: {digest[:12]} ({named})"


def a_rollback_is_one_commit(site: Site) -> str:
    began = time.monotonic()
    site.hilum("promote", "rollback", "--reason", "the ward complains")
    assert site.bundle("production") == site.baseline
    wait_until("production as before", lambda: site.serving("production") == site.baseline, 240)
    return f"production serves the release before, {time.monotonic() - began:.0f} s after the command"


# What bad releases come to; `--good` leaves these out.
BAD = (
    weights_that_are_no_numbers_reach_no_environment,
    an_unknown_signer_reaches_no_environment,
    findings_in_another_order_are_stopped_in_staging,
)
STEPS = (
    the_environments_stand,
    the_services_start,
    *BAD,
    a_good_release_reaches_canary_and_a_killed_promoter_goes_on,
    canary_waits_for_evidence_and_passes_by_it,
    production_waits_for_the_approval_and_follows_it,
    git_registry_pods_and_the_reading_room_agree,
    a_rollback_is_one_commit,
)
