"""Studies that were reported elsewhere: closed by another system or a person, opened again, each with who and why.

Nothing is removed: a closed study stays, with its films and its answer, can be read all the same, and a late film
opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from hilum.problems import Problem
from hilum.storage import writer_lock
from hilum.triage import TriagePolicy
from services.web.errors import no_such_study
from services.web.list_tables import Claim, Closure
from services.web.tables import Study
from services.web.urgency import is_closed, locked_study, refresh
from services.web.views import ClosedView

Action = Literal["close", "reopen"]


@dataclass(frozen=True)
class Order:
    """What somebody wants done with a study. `by`: who, as the sender names them; `reader`: who is signed in."""

    action: Action
    by: str
    reason: str
    reader: str


def carry_out(session: Session, uid: str, order: Order, *, key: str, policy: TriagePolicy, now: datetime) -> bool:
    """Close study `uid` or open it again; returns whether the study changed.

    The same again under the same key changes nothing, also when the study's state is another by then. Raises
    problems: 404 no such study, 409 the key was used for something else.
    """
    writer_lock(session, f"closure:{key}")
    known = session.get(Closure, key)
    if known is not None:
        if (known.study_uid, known.action, known.by, known.reason) != (uid, order.action, order.by, order.reason):
            raise Problem(409, "key-reused", "This Idempotency-Key was used for something else; take a new one.")
        return False
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    closes = order.action == "close"
    already = is_closed(study) if closes else study.status != "read"
    session.add(
        Closure(
            id=key,
            study_uid=uid,
            action=order.action,
            by=order.by,
            reason=order.reason,
            reader=order.reader,
            at=now,
        )
    )
    session.flush()
    if already:
        return False
    if closes:
        study.closed_at, study.closed_by, study.closed_reason = now, order.by, order.reason
        study.reopened_at = None
        claim = session.get(Claim, uid)
        if claim is not None:
            session.delete(claim)
    else:
        study.closed_at, study.closed_by, study.closed_reason = None, "", ""
        study.reopened_at = now
    session.flush()
    refresh(session, study, policy)
    return True


def closed_view(study: Study) -> ClosedView | None:
    """Who closed the study and why; None where nobody did, or it was opened again since."""
    if study.closed_at is None or not is_closed(study):
        return None
    return ClosedView(study.closed_by, study.closed_reason, study.closed_at)
