"""Where a promotion can stand, and what can happen to it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A promotion's state. WAITING is that of the promoter without one."""

    WAITING = "waiting"
    STAGING = "staging"
    CANARY_SHADOW = "canary-shadow"
    CANARY_EXPOSED = "canary-exposed"
    AWAITING_APPROVAL = "awaiting-approval"
    PRODUCTION = "production"
    GUARDED = "guarded"
    HELD = "held"
    INTERRUPTED = "interrupted"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled-back"


# Nothing happens to these any more; `interrupted` ends too, once its tries are used up.
ENDED = frozenset({State.DONE, State.REJECTED, State.EXPIRED, State.SUPERSEDED, State.ROLLED_BACK})
CANARY = frozenset({State.CANARY_SHADOW, State.CANARY_EXPOSED})
IN_PRODUCTION = frozenset({State.PRODUCTION, State.GUARDED})


class Kind(StrEnum):
    """What can happen.

    PASS, FAIL, UNCLEAR, ERROR come from a gate of the state; DEADLINE, RETRY and PROCEED from the clock; FOREIGN from a
    bundle that another hand changed; REFUSED from a release that does not verify; the rest from people or registry.
    """

    CANDIDATE = "candidate"
    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNCLEAR = "inconclusive"
    ERROR = "error"
    APPROVE = "approve"
    PROCEED = "proceed"
    HOLD = "hold"
    RESUME = "resume"
    REJECT = "reject"
    ROLLBACK = "rollback"
    DEADLINE = "deadline"
    RETRY = "retry"
    FOREIGN = "foreign"
    REFUSED = "refused"
