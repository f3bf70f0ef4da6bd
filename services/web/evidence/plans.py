"""Plans in the database: stored once, read by name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from hilum.evidence import Plan
from hilum.problems import Problem
from hilum.storage import writer_lock
from services.web.evidence.tables import EvidencePlan


def store_plan(session: Session, name: str, plan: Plan, now: datetime) -> tuple[EvidencePlan, bool]:
    """Keep `plan` under `name`; whether it is new. Raises a 409 problem where the name has another plan."""
    writer_lock(session, f"evidence-plan:{name}")
    row = session.get(EvidencePlan, name)
    if row is not None:
        if row.digest != plan.digest:
            raise Problem(409, "plan-fixed", "Another plan is stored under this name; a plan is never changed.")
        return row, False
    row = EvidencePlan(name=name, digest=plan.digest, payload=plan.to_json(), stored_at=now)
    session.add(row)
    session.flush()
    return row, True


def stored_plan(session: Session, name: str) -> EvidencePlan:
    """The plan of this name; raises a 404 problem."""
    row = session.get(EvidencePlan, name)
    if row is None:
        raise Problem(404, "no-such-plan", "No plan is stored under this name.")
    return row


def as_plan(row: EvidencePlan) -> Plan:
    """The stored row as a plan."""
    deadline = row.payload["deadline"]
    return Plan(**{**row.payload, "deadline": None if deadline is None else datetime.fromisoformat(deadline)})
