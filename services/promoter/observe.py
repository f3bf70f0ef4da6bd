"""From what was seen to what happened: pure. What was not seen is never an event.

A rejection needs a record with a check that failed. Whatever else goes wrong is an error, which is reverted and tried
again, or simply a wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hilum.gates import Check, GateRecord
from services.promoter.bundle import Bundle, path_of
from services.promoter.looked import Looked, Measured
from services.promoter.machine import Event, placed
from services.promoter.promotion import Promotion
from services.promoter.records import key_of
from services.promoter.rules import Rules
from services.promoter.states import CANARY, Kind, State

# Where the candidate, or exposure to it, is the promoter's in each state: nobody else changes that file meanwhile.
OWN: Mapping[State, tuple[str, ...]] = {
    State.STAGING: ("staging",),
    State.CANARY_SHADOW: ("canary", "production"),
    State.CANARY_EXPOSED: ("canary", "production"),
    State.AWAITING_APPROVAL: ("canary", "production"),
    State.PRODUCTION: ("production",),
    State.GUARDED: ("production",),
}


@dataclass(frozen=True)
class Seen:
    """What this turn saw. `record` is the one of this state and attempt, kept under `key`; None: there is none yet.

    `judged`: whether a gate of this state is configured at all.
    """

    looked: Mapping[str, Looked]
    record: GateRecord | None = None
    key: str = ""
    judged: bool = True


def part_of(promotion: Promotion) -> tuple[str, str]:
    """Environment and part of the record that decides in this state; ("", ""): none does."""
    state = promotion.back_to if promotion.state is State.HELD else promotion.state
    match state:
        case State.STAGING:
            return "staging", ""
        case State.CANARY_SHADOW:
            return "canary", "-shadow"
        case State.CANARY_EXPOSED | State.AWAITING_APPROVAL:
            return "canary", f"-exposed-{promotion.exposed + 1}"
        case State.PRODUCTION:
            return "production", ""
        case State.GUARDED:
            return "production", "-guard"
        case _:
            return "", ""


def foreign(promotion: Promotion, bundles: Mapping[str, Bundle], rules: Rules) -> Event | None:
    """Whether another hand changed a bundle that is this promotion's now: nothing is written over it."""
    expected = placed(promotion, rules)
    for name in OWN.get(promotion.state, ()):
        if bundles[name] != expected[name]:
            reason = (
                f"{path_of(name)} was changed by another hand; resume puts the promotion's bundle back, reject ends it"
            )
            return Event(Kind.FOREIGN, reason)
    return None


def observe(promotion: Promotion, seen: Seen, now: datetime, rules: Rules) -> Event | None:
    """What happened to `promotion`, by what was seen now; None: nothing yet."""
    state = promotion.back_to if promotion.state is State.HELD else promotion.state
    if promotion.state is State.INTERRUPTED:
        found = _retry(promotion, now, rules)
    elif state is State.STAGING:
        found = _staging(promotion, seen, now, rules)
    elif state in CANARY:
        found = _canary(promotion, seen, now, rules)
    elif state is State.AWAITING_APPROVAL:
        found = _verdict(seen, Kind.FAIL) or _proceed(promotion, rules, now)
    elif state is State.PRODUCTION:
        found = _production(promotion, seen, now, rules)
    else:
        found = _guarded(promotion, seen, now, rules)
    if promotion.state is State.HELD and found is not None and found.kind not in {Kind.FAIL, Kind.ERROR}:
        found = None
    if found is None and promotion.state is not State.HELD and promotion.deadline and now >= promotion.deadline:
        return Event(Kind.DEADLINE, f"no verdict in {promotion.state} until {promotion.deadline:%Y-%m-%d %H:%M} UTC")
    return found


def _verdict(seen: Seen, *wanted: Kind) -> Event | None:
    record = seen.record
    if record is None or Kind(record.verdict) not in wanted:
        return None
    return Event(Kind(record.verdict), "; ".join(record.reasons)[:1000], record=record, key=seen.key)


def _retry(promotion: Promotion, now: datetime, rules: Rules) -> Event | None:
    if promotion.tries < rules.tries and now >= promotion.since + rules.retry * promotion.tries:
        return Event(Kind.RETRY, f"try {promotion.tries + 1} of {rules.tries}")
    return None


def _proceed(promotion: Promotion, rules: Rules, now: datetime) -> Event | None:
    if (promotion.approved_by or not rules.approval) and not rules.frozen(now):
        return Event(Kind.PROCEED, promotion.approved_why or "no approval is asked for here", promotion.approved_by)
    return None


def _trouble(promotion: Promotion, look: Looked, now: datetime, rules: Rules) -> Event | None:
    """Pods that end, a rollout that gave up, or an environment that does not take the bundle."""
    mine = look.asked_attempt == promotion.attempt and look.wanted == promotion.candidate.digest
    if mine and look.crash and look.serving:
        record = _own_record(promotion, look, now, (_crashed(look),))
        return Event(Kind.FAIL, "; ".join(record.reasons), record=record)
    if mine and (look.aborted or look.phase == "Degraded"):
        return Event(Kind.ERROR, f"{look.environment}'s rollout stopped: {look.message or look.phase}"[:500])
    if now >= promotion.since + rules.start and not look.runs(promotion.candidate.digest) and not _at_work(mine, look):
        told = look.message or f"{look.phase or 'nothing'} there"
        return Event(Kind.ERROR, f"{look.environment} did not run the release within {rules.start}: {told}"[:500])
    return None


def _at_work(mine: bool, look: Looked) -> bool:
    """Whether an analysis is under way: it has the state's deadline, not that of a start."""
    return mine and any(one.phase in {"Running", "Pending"} for one in look.analysis)


def _crashed(look: Looked) -> Check:
    return Check("pods stay up", "restarts", "fail", look.crash, bound=2.0, value=3.0, n=1)


def _own_record(promotion: Promotion, look: Looked, now: datetime, checks: tuple[Check, ...]) -> GateRecord:
    """A record of what the cluster itself said, in the words of a gate."""
    active = promotion.base["production"].digest
    digest = promotion.candidate.digest
    environment = look.environment
    assert environment in {"staging", "canary", "production"}  # noqa: S101
    return GateRecord(environment, digest, active, promotion.attempt, "cluster", "", promotion.since, now, checks)  # type: ignore[arg-type]


def _staging(promotion: Promotion, seen: Seen, now: datetime, rules: Rules) -> Event | None:
    look = seen.looked["staging"]
    if found := _verdict(seen, Kind.FAIL, Kind.ERROR):
        return found
    there = look.runs(promotion.candidate.digest) and look.asked_attempt == promotion.attempt
    if there and not rules.analysis_required and seen.record is None:
        return Event(Kind.PASS, "staging runs the release; this site asks for no analysis")
    return (_verdict(seen, Kind.PASS) if there else None) or _trouble(promotion, look, now, rules)


def _canary(promotion: Promotion, seen: Seen, now: datetime, rules: Rules) -> Event | None:
    """An error of the evidence waits: only time, or the pods themselves, end it."""
    look = seen.looked["canary"]
    if found := _verdict(seen, Kind.FAIL, Kind.PASS):
        return found
    return _trouble(promotion, look, now, rules)


def _production(promotion: Promotion, seen: Seen, now: datetime, rules: Rules) -> Event | None:
    look = seen.looked["production"]
    digest = promotion.candidate.digest
    mine = look.asked_attempt == promotion.attempt and look.wanted == digest
    if mine and look.aborted:
        failed = tuple(check for one in look.analysis if (check := _failed(one)) is not None)
        if failed:
            record = _own_record(promotion, look, now, failed)
            return Event(Kind.FAIL, "; ".join(record.reasons)[:1000], record=record)
    if mine and look.runs(digest):
        if not look.analysis and rules.analysis_required:
            return Event(Kind.ERROR, "production switched without an AnalysisRun: no data is never a pass")
        if all(one.phase == "Successful" for one in look.analysis):
            return Event(Kind.PASS, f"production runs the release; {len(look.analysis)} metrics of its analysis passed")
        return None
    return _trouble(promotion, look, now, rules)


def _failed(one: Measured) -> Check | None:
    """The check of a metric that failed by a number. What failed without one (NaN, nothing) brands no release."""
    try:
        number = float(one.value.strip("[] "))
    except ValueError:
        return None
    if one.phase != "Failed" or not math.isfinite(number):
        return None
    return Check(one.metric, one.metric, "fail", one.message or f"measured {one.value}", value=number, n=1)


def _guarded(promotion: Promotion, seen: Seen, now: datetime, rules: Rules) -> Event | None:
    if found := _verdict(seen, Kind.FAIL):
        return found
    if now < promotion.since + rules.guard:
        return None
    if seen.judged:
        return _verdict(seen, Kind.PASS)
    if seen.looked["production"].runs(promotion.candidate.digest):
        return Event(Kind.PASS, "it served through the whole guard window; no guard gate is configured")
    return None


def record_key(promotion: Promotion) -> str:
    """The key of the record that decides in this state; "": none does."""
    environment, part = part_of(promotion)
    return key_of(environment, promotion.candidate.digest, promotion.attempt, part) if environment else ""
