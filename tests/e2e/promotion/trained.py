"""Steps whose site first stands on another release or other settings: a better model that was really trained, and a

release that errs under load alone.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from typing import Any

import yaml

from hilum.release.store import push_release
from hilum.storage import open_blobs
from services.promoter import bundle as bundles
from services.promoter.records import Records
from tests.e2e.cluster.kube import get, kubectl, refresh, sh, wait_until
from tests.e2e.promotion import ground, surgery, train, values
from tests.e2e.promotion.site import Site
from tests.e2e.promotion.steps import ENVIRONMENTS, Load, Step, stopped

# As on a GPU: more films decoded at once than calls of the model, so that films share a call.
COMBINING = {"HILUM_WORKERS": "16", "HILUM_LANES": "1"}


def stands_on(site: Site, digest: str, settings: dict[str, str] | None = None) -> float:
    """A person's commit: every environment runs this release with these settings of inference; seconds it took.

    The Rollouts are made anew once their new template is there: a first rollout is no update, and asks no gate.
    """
    assert site.status()["state"] == "waiting", site.status()
    clone = site.folder / f"set-{uuid.uuid4().hex[:6]}"
    sh("git", "clone", "--quiet", site.remote, str(clone))
    for name in ENVIRONMENTS:
        file = clone / bundles.path_of(name)
        text = file.read_text(encoding="utf-8")
        file.write_text(bundles.write(text, replace(bundles.read(text), digest=digest)), encoding="utf-8")
        file = clone / f"argocd/environments/{name}/values.yaml"
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        found["inference"]["settings"] = settings or {}
        file.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
    sh("git", "-C", str(clone), *who, "commit", "--quiet", "--all", "--allow-empty", "--message", "What this site runs")
    sh("git", "-C", str(clone), "push", "--quiet", "origin", "HEAD:main")
    site.baseline = digest
    began = time.monotonic()
    for space in ground.SPACES:
        wait_until(f"{space}'s new template", lambda s=space: _asked_for(s, digest, settings or {}), 240)  # type: ignore[misc]
        kubectl("-n", space, "delete", "rollout", "inference")
    refresh(*ground.SPACES)
    served = ("staging", "production")
    wait_until("the release served", lambda: {site.serving(name) for name in served} == {digest}, 420)
    wait_until("the three environments", site.stands, 420)
    return time.monotonic() - began


def _asked_for(space: str, digest: str, settings: dict[str, str]) -> bool:
    """Whether the Rollout's template has the release, and of COMBINING what `settings` say and nothing else."""
    pod = get(space, "rollout", "inference").get("spec", {}).get("template", {}).get("spec", {})
    text = json.dumps(pod)
    named = {each["name"]: each.get("value") for part in pod.get("containers", []) for each in part.get("env", [])}
    return digest in text and all(named.get(name) == settings.get(name) for name in COMBINING)


def a_better_model_that_was_trained_reaches_production(site: Site) -> str:
    """From training to production by the approval alone; then Git, aliases, pods and the room's page agree."""
    weak = site.release(train.WEAK, base=train.trained(train.WEAK))
    better = site.release(train.BETTER, base=train.trained(train.BETTER))
    push_release(weak.folder, site.blobs())
    stands_on(site, weak.digest)
    number = site.ask(better)
    began = time.monotonic()
    site.until("staging's gate", {"canary-shadow"}, 900)
    wait_until("canary's pods", lambda: site.serving("canary") == better.digest, 240)
    sent = site.feed_while("canary-shadow", 500)
    site.until("canary's verdict", {"awaiting-approval"}, 60)
    assert site.serving("production") == weak.digest == site.bundle("production")
    load = Load(site).start()
    site.hilum("promote", "approve", "--reason", "better in staging, and canary holds")
    ended = site.ended(better.digest, 900)
    told = load.stop()
    assert ended["state"] == "done" and ended["approved_by"] == "anna", ended
    assert not load.failures, load.failures[:5]
    wait_until("the aliases", lambda: site.aliases().items() >= {"staging": number, "production": number}.items(), 120)
    assert {site.bundle(name) for name in ENVIRONMENTS} == {better.digest}
    assert {site.serving(name) for name in ("staging", "production")} == {better.digest}
    assert "hilum.rejected" not in site.version(number).tags
    page = site.page()
    assert page.count(f'<span class="code">{better.digest[:12]}</span>') >= 5, page[:3000]
    site.baseline = better.digest
    return (
        f"{_gain(site, ended)}; canary passed after {sent} films; in production "
        f"{time.monotonic() - began:.0f} s after the alias, its approval included; Git, aliases, running digests and "
        f"the room's page: {better.digest[:12]}; {told}"
    )


def _gain(site: Site, ended: dict[str, Any]) -> str:
    """What staging's record says of the two: better beyond doubt where an acute finding is, better in the mean."""
    key = next(note["record"] for note in ended["timeline"] if "/staging-" in (note["record"] or ""))
    record = Records(open_blobs(f"s3://{values.BUCKET}/records", site.store_keys().s3)).get(key)
    assert record is not None, key
    found = {check.name: check for check in record.checks}
    said = []
    for name, surely in (("mean AUROC", False), ("AUROC of any acute finding", True)):
        lost, low, high = found[name].value, found[name].low, found[name].high
        assert lost is not None and low is not None and high is not None, found[name]
        assert (high if surely else lost) < 0, found[name]
        said.append(f"{name} {-lost:+.3f} ({-high:+.3f} to {-low:+.3f})")
    return f"staging, {len(record.checks)} checks over {record.figures['films']} films: {', '.join(said)}"


def one_that_errs_under_load_alone_is_stopped_in_staging(site: Site) -> str:
    """Good for a film at a time; refuses a call of more than eight films, which only a load makes."""
    stands_on(site, site.baseline, COMBINING)
    try:
        return stopped(site, "2.1.9", surgery.eight_at_once)
    finally:
        stands_on(site, site.baseline)


TRAINED: tuple[Step, ...] = (
    one_that_errs_under_load_alone_is_stopped_in_staging,
    a_better_model_that_was_trained_reaches_production,
)
