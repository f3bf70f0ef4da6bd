"""Claims: who reads a study now, so that two readers don't read the same one unknowingly.

A claim is a courtesy, not a lock: it ends by itself, another reader may take it over, and a read is kept whoever
holds the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hilum.problems import Problem
from services.web.errors import no_such_study
from services.web.list_tables import Claim
from services.web.urgency import locked_study
from services.web.views import ClaimView


@dataclass(frozen=True)
class Held:
    """The outcome of asking for a study. `taken_from`: whose claim was ended by it."""

    claim: ClaimView
    taken_from: str | None = None


def claims_of(session: Session, uids: Sequence[str], *, reader: str, now: datetime) -> dict[str, ClaimView]:
    """The claims on `uids` that have not expired."""
    if not uids:
        return {}
    query = select(Claim).where(Claim.study_uid.in_(uids), Claim.expires_at > now)
    return {claim.study_uid: _view(claim, reader) for claim in session.scalars(query)}


def claim_study(
    session: Session, uid: str, *, reader: str, now: datetime, seconds: float, take_over: bool = False
) -> Held:
    """Claim study `uid` for `seconds`, or renew one's own claim.

    Raises problems: 404 no such study, 409 `claimed` while another reader holds it and `take_over` is not said.
    """
    until = now + timedelta(seconds=seconds)
    # Renewing changes nothing that the list shows: no event, and no lock on the study.
    renewed = update(Claim).where(Claim.study_uid == uid, Claim.reader == reader, Claim.expires_at > now)
    if session.execute(renewed.values(expires_at=until)).rowcount:  # type: ignore[attr-defined]
        return Held(ClaimView(reader, True, now, until))
    if locked_study(session, uid) is None:
        raise no_such_study()
    claim = session.get(Claim, uid, populate_existing=True)
    other = claim.reader if claim is not None and claim.expires_at > now and claim.reader != reader else None
    if claim is not None and other is not None and not take_over:
        raise Problem(
            409,
            "claimed",
            f"{other} reads this study since {claim.claimed_at.isoformat()}; say take_over to read it all the same.",
            reader=other,
            claimed_at=claim.claimed_at.isoformat(),
            expires_at=claim.expires_at.isoformat(),
        )
    if claim is None:
        claim = Claim(study_uid=uid, reader=reader, claimed_at=now, expires_at=until)
        session.add(claim)
    claim.reader, claim.claimed_at, claim.expires_at = reader, now, until
    session.flush()
    return Held(_view(claim, reader), other)


def release_study(session: Session, uid: str, *, reader: str) -> None:
    """End `reader`'s claim on `uid`; without one this does nothing."""
    claim = session.get(Claim, uid)
    if claim is not None and claim.reader == reader:
        session.delete(claim)


def forget_expired(session: Session, now: datetime) -> None:
    """Drop rows that count for nothing any more."""
    session.execute(delete(Claim).where(Claim.expires_at < now - timedelta(hours=1)))


def _view(claim: Claim, reader: str) -> ClaimView:
    return ClaimView(claim.reader, claim.reader == reader, claim.claimed_at, claim.expires_at)
