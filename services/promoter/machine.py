"""The state machine: a table of (state, what happened) to a move. Total, pure, and nothing else decides.

What is not in the table changes nothing, with the reason. Verdicts of a gate that say neither pass nor fail move
nothing either: time does, by DEADLINE.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from hilum.gates import GateRecord, rejected_tag
from services.promoter.bundle import Bundle
from services.promoter.promotion import KEPT, Candidate, Ledger, Note, Promotion
from services.promoter.rules import Rules
from services.promoter.states import CANARY, ENDED, IN_PRODUCTION, Kind, State

S, K = State, Kind


@dataclass(frozen=True)
class Event:
    """Something that happened. `record` is a gate's, kept under `key`; `candidate` and `base` come with CANDIDATE."""

    kind: Kind
    reason: str = ""
    by: str = ""
    record: GateRecord | None = None
    key: str = ""
    candidate: Candidate | None = None
    base: dict[str, Bundle] | None = None


@dataclass(frozen=True)
class Step:
    """What came of an event. Where nothing `moved`, `why` says so and `ledger` is the one that was given."""

    ledger: Ledger
    moved: bool
    why: str


@dataclass(frozen=True)
class Context:
    """What a move needs beside the promotion."""

    event: Event
    now: datetime
    rules: Rules
    attempts: int


Move = Callable[[Promotion, Context], Promotion | str]


def _enter(promotion: Promotion, state: State, c: Context, **changes: object) -> Promotion:
    """`promotion` in `state`, with its deadline and its note."""
    allowed = c.rules.deadlines.get(state)
    note = Note(c.now, state, c.event.kind, c.event.reason, c.event.by, c.event.key)
    deadline = c.now + allowed if allowed is not None else None
    made = replace(promotion, state=state, since=c.now, deadline=deadline, timeline=(*promotion.timeline, note))
    return replace(made, **changes)  # type: ignore[arg-type]


def _to(state: State) -> Move:
    return lambda promotion, c: _enter(promotion, state, c)


def _forward(promotion: Promotion, c: Context) -> Promotion | str:
    """Canary's gate passed: the next step of exposure, or the wait for approval. Nothing rises in a freeze window."""
    taken = promotion.exposed + (promotion.state == S.CANARY_EXPOSED)
    if taken >= len(c.rules.exposure):
        return _enter(promotion, S.AWAITING_APPROVAL, c)
    if window := c.rules.frozen(c.now):
        return f"no exposure rises in the freeze window {window}"
    return _enter(promotion, S.CANARY_EXPOSED, c, exposed=taken)


def _approve(promotion: Promotion, c: Context) -> Promotion | str:
    if not c.event.by.strip() or not c.event.reason.strip():
        return "an approval needs a name and a reason"
    if promotion.approved_by:
        return f"approved already, by {promotion.approved_by}"
    note = Note(c.now, promotion.state, c.event.kind, c.event.reason, c.event.by)
    timeline = (*promotion.timeline, note)
    return replace(promotion, approved_by=c.event.by, approved_why=c.event.reason, timeline=timeline)


def _proceed(promotion: Promotion, c: Context) -> Promotion | str:
    if c.rules.approval and not promotion.approved_by:
        return "production waits for an approval"
    if window := c.rules.frozen(c.now):
        return f"nothing goes to production in the freeze window {window}"
    return _enter(promotion, S.PRODUCTION, c)


def _hold(promotion: Promotion, c: Context) -> Promotion | str:
    if not c.event.reason.strip():
        return "a hold needs a reason"
    left = _enter(promotion, S.HELD, c, back_to=promotion.back_to or promotion.state)
    # The time that is left stands still, kept as the deadline of the moment of the hold.
    return replace(left, deadline=promotion.deadline)


def _resume(promotion: Promotion, c: Context) -> Promotion | str:
    """Goes on where it was. What another hand changed meanwhile where this promotion runs nothing is the new base."""
    back = promotion.back_to or S.STAGING
    if c.event.base is not None:
        mine = placed(promotion, c.rules)
        base = {
            name: c.event.base[name] if mine[name].resting() == was.resting() else was
            for name, was in promotion.base.items()
        }
        promotion = replace(promotion, base=base)
    deadline = None if promotion.deadline is None else promotion.deadline + (c.now - promotion.since)
    return replace(_enter(promotion, back, c, back_to=None), deadline=deadline)


def _interrupt(promotion: Promotion, c: Context) -> Promotion | str:
    """Reverted, to be tried again where it was; after the last try it stays so, and a person decides."""
    back = promotion.back_to or promotion.state
    return _enter(promotion, S.INTERRUPTED, c, back_to=back)


def _retry(promotion: Promotion, c: Context) -> Promotion | str:
    if promotion.tries >= c.rules.tries:
        return f"tried {promotion.tries} times; a person decides"
    back = promotion.back_to or S.STAGING
    if back in IN_PRODUCTION:
        if window := c.rules.frozen(c.now):
            return f"nothing goes to production in the freeze window {window}"
        back = S.PRODUCTION
    return _enter(promotion, back, c, back_to=None, attempt=c.attempts + 1, tries=promotion.tries + 1)


def _again(promotion: Promotion, c: Context) -> Promotion | str:
    """A person lets it be tried again, however often it was."""
    made = _retry(replace(promotion, tries=0), c)
    return made if isinstance(made, str) else replace(made, tries=1)


def _reject(promotion: Promotion, c: Context) -> Promotion | str:
    """By a gate's record, by what a check saw without one, or by a person with a reason."""
    if c.event.kind is K.REJECT and not (c.event.by.strip() and c.event.reason.strip()):
        return "a rejection needs a name and a reason"
    if c.event.kind is K.FAIL and c.event.record is None:
        return "a failure without a record rejects nothing"
    failed = None
    if c.event.record is not None:
        failed = json.loads(rejected_tag(c.event.record))
    return _enter(promotion, S.REJECTED, c, failed=failed)


def _roll_back(promotion: Promotion, c: Context) -> Promotion | str:
    if promotion.state not in IN_PRODUCTION and promotion.back_to not in IN_PRODUCTION:
        return "it is not in production; reject it instead"
    if not c.event.by.strip() or not c.event.reason.strip():
        return "a rollback needs a name and a reason"
    return _enter(promotion, S.ROLLED_BACK, c)


def _held_error(promotion: Promotion, c: Context) -> Promotion | str:
    """Held or not: what production's rollout did not survive is taken back."""
    if promotion.back_to is S.PRODUCTION:
        return _interrupt(promotion, c)
    return "held: an error moves nothing"


def _superseded(promotion: Promotion, c: Context) -> Promotion | str:
    """A newer version of the same model takes the place of one whose evidence has not begun to cost days."""
    newer = c.event.candidate
    if newer is None or newer.model != promotion.candidate.model:
        return "another model waits until this promotion has ended"
    if int(newer.number) <= int(promotion.candidate.number):
        return f"{newer.title} is not newer than {promotion.candidate.title}"
    return _enter(promotion, S.SUPERSEDED, c)


_WITHDRAW: dict[Kind, Move] = {K.REJECT: _reject, K.HOLD: _hold, K.FOREIGN: _hold, K.FAIL: _reject}
_EXPIRES: dict[Kind, Move] = {K.DEADLINE: _to(S.EXPIRED)}
MOVES: dict[State, dict[Kind, Move]] = {
    S.STAGING: {
        **_WITHDRAW,
        **_EXPIRES,
        K.PASS: _to(S.CANARY_SHADOW),
        K.ERROR: _interrupt,
        K.CANDIDATE: _superseded,
    },
    S.CANARY_SHADOW: {**_WITHDRAW, **_EXPIRES, K.PASS: _forward, K.ERROR: _interrupt},
    S.CANARY_EXPOSED: {**_WITHDRAW, **_EXPIRES, K.PASS: _forward, K.ERROR: _interrupt},
    S.AWAITING_APPROVAL: {**_WITHDRAW, **_EXPIRES, K.APPROVE: _approve, K.PROCEED: _proceed},
    S.PRODUCTION: {
        **_WITHDRAW,
        K.PASS: _to(S.GUARDED),
        K.ERROR: _interrupt,
        K.DEADLINE: _interrupt,
        K.ROLLBACK: _roll_back,
    },
    S.GUARDED: {**_WITHDRAW, K.PASS: _to(S.DONE), K.DEADLINE: _hold, K.ROLLBACK: _roll_back},
    S.HELD: {K.RESUME: _resume, K.FAIL: _reject, K.REJECT: _reject, K.ERROR: _held_error, K.ROLLBACK: _roll_back},
    # Everything is reverted already: there is nothing to hold.
    S.INTERRUPTED: {
        **_EXPIRES,
        K.REJECT: _reject,
        K.RETRY: _retry,
        K.RESUME: _again,
        K.CANDIDATE: _superseded,
    },
}


def step(ledger: Ledger, event: Event, now: datetime, rules: Rules) -> Step:
    """What `event` makes of `ledger`. Never raises: what is not possible is said in `why`."""
    if ledger.current is None:
        return _from_rest(ledger, event, now, rules)
    move = MOVES.get(ledger.current.state, {}).get(event.kind)
    if move is None:
        return Step(ledger, False, f"{event.kind} means nothing in state {ledger.current.state}")
    made = move(ledger.current, Context(event, now, rules, ledger.attempts))
    if isinstance(made, str):
        return Step(ledger, False, made)
    attempts = max(ledger.attempts, made.attempt)
    if made.state not in ENDED:
        return Step(replace(ledger, current=made, attempts=attempts, generation=ledger.generation + 1), True, "")
    ended = (made, *ledger.ended)[:KEPT]
    after = replace(ledger, current=None, ended=ended, attempts=attempts, generation=ledger.generation + 1)
    if made.state is S.SUPERSEDED:
        # In the same commit: nothing of the old one runs for a moment more.
        after = replace(after, generation=ledger.generation)
        return _from_rest(after, replace(event, base=made.base), now, rules)
    return Step(after, True, "")


def _from_rest(ledger: Ledger, event: Event, now: datetime, rules: Rules) -> Step:
    if event.kind is K.ROLLBACK:
        return _roll_back_done(ledger, event, now)
    if event.kind is K.REFUSED and event.candidate is not None and event.base is not None:
        refused = Promotion(ledger.promotions + 1, event.candidate, S.REJECTED, 0, now, now, event.base, tries=0)
        failed = {"environment": "verification", "check": "release", "reason": event.reason, "failed": 1}
        refused = replace(_enter(refused, S.REJECTED, Context(event, now, rules, 0)), failed=failed)
        ended = (refused, *ledger.ended)[:KEPT]
        told = replace(ledger, ended=ended, promotions=refused.id, generation=ledger.generation + 1)
        return Step(told, True, "")
    if event.kind is not K.CANDIDATE or event.candidate is None or event.base is None:
        return Step(ledger, False, f"{event.kind} means nothing while no promotion is under way")
    attempt = ledger.attempts + 1
    promotion = Promotion(ledger.promotions + 1, event.candidate, S.STAGING, attempt, now, now, event.base)
    begun = _enter(promotion, S.STAGING, Context(event, now, rules, attempt))
    generation = ledger.generation + 1
    return Step(
        replace(ledger, current=begun, attempts=attempt, promotions=promotion.id, generation=generation), True, ""
    )


def _roll_back_done(ledger: Ledger, event: Event, now: datetime) -> Step:
    """The last promotion reached production and is taken back later: its own record says so."""
    if not event.by.strip() or not event.reason.strip():
        return Step(ledger, False, "a rollback needs a name and a reason")
    last = next((p for p in ledger.ended if p.state in {S.DONE, S.ROLLED_BACK}), None)
    if last is None or last.state is not S.DONE:
        return Step(ledger, False, "there is no promotion whose release could be rolled back")
    note = Note(now, S.ROLLED_BACK, event.kind, event.reason, event.by)
    back = replace(last, state=S.ROLLED_BACK, since=now, timeline=(*last.timeline, note))
    ended = tuple(back if p.id == last.id else p for p in ledger.ended)
    return Step(replace(ledger, ended=ended, generation=ledger.generation + 1), True, "")


def placed(promotion: Promotion, rules: Rules) -> dict[str, Bundle]:
    """What each environment runs in this state: the bundles of the commit that enters it."""
    base = promotion.base
    candidate = replace(
        base["staging"].resting(),
        digest=promotion.candidate.digest,
        precision=promotion.candidate.precision,
        attempt=promotion.attempt,
    )
    where = promotion.back_to if promotion.state is S.HELD else promotion.state
    if promotion.state is S.INTERRUPTED or (promotion.state in ENDED and promotion.state is not S.DONE):
        return dict(base)
    if where is S.STAGING:
        return {**base, "staging": candidate}
    if where in {*CANARY, S.AWAITING_APPROVAL}:
        steps = promotion.exposed + 1 if where is S.CANARY_EXPOSED else 0
        if where is S.AWAITING_APPROVAL:
            steps = len(rules.exposure)
        share = rules.exposure[min(steps, len(rules.exposure)) - 1] if steps and rules.exposure else 0.0
        return {
            "staging": candidate,
            "canary": replace(candidate, replicas=rules.canary_replicas),
            "production": replace(base["production"], exposure=share),
        }
    return {"staging": candidate, "canary": replace(candidate, replicas=0), "production": candidate}
