"""The promoter's knowledge as it is answered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from hilum.gates import GateRecord
from hilum.wire_promotion import CandidateOut, EnvironmentOut, NoteOut, PromotionOut, PromotionStatus
from services.promoter.bundle import ENVIRONMENTS
from services.promoter.looked import Looked
from services.promoter.promoter import View
from services.promoter.promotion import Promotion
from services.promoter.rules import Rules


def status(view: View, rules: Rules, now: datetime) -> PromotionStatus:
    """What the last turn saw."""
    current = view.ledger.current
    return PromotionStatus(
        state=view.ledger.state.value,
        generation=view.ledger.generation,
        commit=view.commit,
        at=view.at,
        current=None if current is None else promotion(current),
        ended=[promotion(each) for each in view.ledger.ended],
        environments=[_environment(name, view) for name in ENVIRONMENTS],
        away=dict(view.away),
        waits=view.waits,
        queued=view.queued,
        frozen=rules.frozen(now),
        record_key=view.record_key,
        record=None if view.record is None else _without_figures(view.record),
    )


def _without_figures(record: GateRecord) -> dict[str, Any]:
    """What decided; what the plots are drawn from is in the kept record."""
    document: dict[str, Any] = json.loads(replace(record, figures={}).to_json())
    return document


def promotion(of: Promotion) -> PromotionOut:
    """One promotion."""
    c = of.candidate
    return PromotionOut(
        id=of.id,
        candidate=CandidateOut(
            model=c.model, number=c.number, version=c.version, digest=c.digest, precision=c.precision
        ),
        state=of.state.value,
        attempt=of.attempt,
        tries=of.tries,
        started=of.started,
        since=of.since,
        deadline=of.deadline,
        back_to=None if of.back_to is None else of.back_to.value,
        approved_by=of.approved_by,
        approved_why=of.approved_why,
        failed=of.failed,
        timeline=[
            NoteOut(at=n.at, state=n.state.value, kind=n.kind, reason=n.reason, by=n.by, record=n.record)
            for n in of.timeline
        ],
    )


def _environment(name: str, view: View) -> EnvironmentOut:
    bundle, look = view.bundles[name], view.looked.get(name, Looked(name))
    return EnvironmentOut(
        name=name,
        release=bundle.digest,
        precision=bundle.precision,
        attempt=bundle.attempt,
        exposure=bundle.exposure,
        serving=look.serving,
        healthy=look.healthy,
        synced=look.synced,
        phase=look.phase,
        message=look.message,
    )
