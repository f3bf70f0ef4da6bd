"""A candidate's way through real Git and a real registry; the cluster is a recorded one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from mlflow.tracking import MlflowClient

from hilum.release.signing import new_key
from services.promoter.bundle import path_of
from services.promoter.git import Forbidden
from services.promoter.machine import Event
from services.promoter.promoter import CannotAct, Promoter
from services.promoter.promotion import FILE
from services.promoter.states import Kind, State
from tests.fixtures.git import push, show, subjects
from tests.services.promoter.conftest import Ask
from tests.services.promoter.site import OLD, Site

APPROVE = Event(Kind.APPROVE, "the figures hold", by="anna")


def until(promoter: Promoter, *states: State, turns: int = 12) -> State:
    """Turn until the promoter stands in one of `states`."""
    for _ in range(turns):
        view = promoter.turn()
        if view.ledger.state in states:
            return view.ledger.state
    raise AssertionError(f"{view.ledger.state}, {view.away}, {view.waits}, {view.queued}")


def test_a_good_release_reaches_production_with_no_hand_but_the_approval(
    site: Site, ask: Ask, registry: MlflowClient
) -> None:
    number, digest = ask()
    promoter = site.promoter()
    until(promoter, State.STAGING)
    assert site.digests() == {"staging": digest, "canary": OLD, "production": OLD}
    until(promoter, State.CANARY_EXPOSED)
    assert (site.bundle("canary").replicas, site.bundle("production").exposure) == (1, 0.05)
    assert site.digests()["production"] == OLD
    until(promoter, State.AWAITING_APPROVAL)
    assert promoter.turn().ledger.state is State.AWAITING_APPROVAL
    promoter.act(APPROVE)
    until(promoter, State.WAITING)
    promoter.turn()
    assert site.digests() == dict.fromkeys(("staging", "canary", "production"), digest)
    assert (site.bundle("canary").replicas, site.bundle("production").exposure) == (0, 0.0)
    assert registry.get_registered_model(site.model).aliases == {"staging": number, "production": number}
    tags = registry.get_model_version(site.model, number).tags
    assert json.loads(tags["hilum.promotion"]) == {"promotion": 1, "state": "done"}
    assert "hilum.rejected" not in tags
    told = [subject.split(") ")[-1] for subject in subjects(site.bare)[1:]]
    assert told == [
        "candidate -> staging",
        "staging -> canary-shadow",
        "canary-shadow -> canary-exposed",
        "canary-exposed -> awaiting-approval",
        "awaiting-approval approved",
        "awaiting-approval -> production",
        "production -> guarded",
        "guarded -> done",
    ]
    ended = site.ledger().ended[0]
    assert (ended.approved_by, ended.approved_why) == ("anna", "the figures hold")
    assert show(site.bare, "README.md") == "a site\n"
    # Taken back later: one commit, and everything is as it was before.
    promoter.act(Event(Kind.ROLLBACK, "the ward complains", by="anna"))
    assert site.digests() == dict.fromkeys(("staging", "canary", "production"), OLD)
    assert promoter.turn().ledger.ended[0].state is State.ROLLED_BACK
    with pytest.raises(CannotAct, match="no promotion whose release could be rolled back"):
        promoter.act(Event(Kind.ROLLBACK, "again", by="anna"))


@pytest.mark.parametrize(("environment", "state"), [("staging", "staging"), ("canary", "canary-shadow"),
                                                    ("production", "production"), ("guard", "guarded")])  # fmt: skip
def test_a_failed_gate_reverts_every_environment_and_brands_the_version(
    site: Site, ask: Ask, registry: MlflowClient, environment: str, state: str
) -> None:
    before = {name: show(site.bare, path_of(name)) for name in ("staging", "canary", "production")}
    number, digest = ask()
    site.verdicts[environment] = "fail"
    promoter = site.promoter()
    if environment in {"production", "guard"}:
        until(promoter, State.AWAITING_APPROVAL)
        promoter.act(APPROVE)
    until(promoter, State.WAITING)
    assert {name: show(site.bare, path_of(name)) for name in before} == before
    assert subjects(site.bare)[-1].endswith(f"{state} -> rejected")
    rejected = json.loads(registry.get_model_version(site.model, number).tags["hilum.rejected"])
    assert {"metric", "value", "bound", "n"} <= set(rejected)
    assert rejected["environment"] == ("production" if environment == "guard" else environment)
    last = site.ledger().ended[0].timeline[-1]
    kept = site.records().get(last.record)
    assert kept is not None and kept.verdict == "fail" and kept.release == digest
    if environment in {"production", "guard"}:
        assert kept.figures["timeline"][0]["step"] == "staging"
    # It does not come back, however often it asks.
    registry.set_registered_model_alias(site.model, "candidate", number)
    assert "does not come back" in promoter.turn().queued
    assert registry.get_registered_model(site.model).aliases.get("production") is None


def test_an_error_is_reverted_tried_again_and_never_a_rejection(site: Site, ask: Ask, registry: MlflowClient) -> None:
    number, digest = ask()
    site.verdicts["staging"] = "error"
    promoter = site.promoter()
    until(promoter, State.INTERRUPTED)
    assert site.digests()["staging"] == OLD
    until(promoter, State.STAGING)
    assert (site.digests()["staging"], site.bundle("staging").attempt) == (digest, 2)
    tags = registry.get_model_version(site.model, number).tags
    assert json.loads(tags["hilum.interrupted"])["attempt"] == 1
    until(promoter, State.INTERRUPTED)
    until(promoter, State.STAGING)
    until(promoter, State.INTERRUPTED)
    assert promoter.turn().ledger.state is State.INTERRUPTED, "the third try was the last"
    site.verdicts["staging"] = "pass"
    promoter.act(Event(Kind.RESUME, "the store is mended", by="anna"))
    until(promoter, State.AWAITING_APPROVAL)
    assert "hilum.rejected" not in registry.get_model_version(site.model, number).tags


@pytest.mark.parametrize(
    "defect", [{"gain": float("nan")}, {"onnx_findings": ("Hernia", "Effusion")}, {"key": "other"}]
)
def test_a_release_that_does_not_verify_reaches_no_environment(
    site: Site, ask: Ask, registry: MlflowClient, defect: dict[str, object]
) -> None:
    number, _ = ask(**({"key": new_key()} if "key" in defect else defect))
    promoter = site.promoter()
    promoter.turn()
    promoter.turn()
    assert set(site.digests().values()) == {OLD}
    (ended,) = site.ledger().ended
    assert ended.state is State.REJECTED
    said = {"gain": "no number", "onnx_findings": "findings", "key": "not trusted"}[next(iter(defect))]
    assert said in ended.timeline[-1].reason
    assert said in registry.get_model_version(site.model, number).tags["hilum.rejected"]


def test_a_newer_candidate_supersedes_in_staging_and_waits_behind_a_canary(site: Site, ask: Ask) -> None:
    _, first = ask("2.0.0")
    site.stopped.add("staging")
    promoter = site.promoter()
    until(promoter, State.STAGING)
    _, second = ask("2.1.0")
    promoter.turn()
    ledger = site.ledger()
    assert ledger.current is not None and ledger.current.candidate.digest == second
    assert [each.state for each in ledger.ended] == [State.SUPERSEDED]
    assert ledger.current.base["staging"].digest == OLD
    site.stopped.clear()
    site.verdicts["canary"] = "inconclusive"
    until(promoter, State.CANARY_SHADOW)
    ask("2.2.0")
    view = promoter.turn()
    assert "2.2.0" in view.queued and "waits until" in view.queued
    assert view.ledger.current is not None and view.ledger.current.candidate.digest == second
    assert first not in site.digests().values()
    # Too little evidence is neither pass nor fail: at its deadline it is expired, and the next one has its turn.
    site.clock.after(timedelta(days=22))
    promoter.turn()
    assert site.ledger().ended[0].state is State.EXPIRED
    promoter.turn()
    assert site.ledger().state is State.STAGING


def test_a_bundle_changed_by_another_hand_is_never_written_over(site: Site, ask: Ask) -> None:
    ask()
    site.verdicts["canary"] = "inconclusive"
    promoter = site.promoter()
    until(promoter, State.CANARY_SHADOW)
    other = replace(site.bundle("production"), digest="f" * 64)
    site.by_hand("production", other)
    view = promoter.turn()
    assert view.ledger.state is State.HELD and site.bundle("production") == other
    promoter.act(Event(Kind.RESUME, "that was me", by="anna"))
    assert site.bundle("production") == other, "what the promotion does not run there is the new base"
    promoter.act(Event(Kind.REJECT, "not now", by="anna"))
    assert site.bundle("production") == other
    assert site.digests()["staging"] == OLD


def test_of_two_promoters_one_makes_the_step_and_none_touches_other_files(site: Site, ask: Ask) -> None:
    ask()
    one, two = site.promoter("one"), site.promoter("two")
    head = two.parts.git.read()
    one.turn()
    with pytest.raises(Exception, match="another commit reached main first"):
        two.parts.git.write(head, {FILE: "{}"}, "too late", site.clock())
    for path in ("README.md", "argocd/environments/production/values.yaml", "argocd/environments/../root.yaml"):
        with pytest.raises(Forbidden):
            two.parts.git.write(head, {path: ""}, "not mine", site.clock())
    push(site.bare, {"README.md": "meanwhile\n"}, "A person's commit")
    for _ in range(4):
        two.turn()
        one.turn()
    assert site.ledger().generation == len(subjects(site.bare)) - 2
    assert len(set(subjects(site.bare))) == len(subjects(site.bare))
