"""What counts of a study's reads, and what that makes of the study and of its review."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.triage import TriagePolicy
from services.web.blind import in_blind_share
from services.web.dicom.tables import Withdrawal
from services.web.tables import Film, Outbox, Read, Review, Study
from services.web.urgency import refresh

SECOND = "second"
ADJUDICATION = "adjudication"
WITHDRAWAL = "withdrawal"


def reads_of(session: Session, uid: str) -> list[Read]:
    """Every read of study `uid`, oldest first, withdrawals and what they take back included."""
    return list(session.scalars(select(Read).where(Read.study_uid == uid).order_by(Read.version)))


def standing(reads: Iterable[Read]) -> list[Read]:
    """Those that count: neither taken back nor the taking back itself."""
    return [read for read in reads if read.kind != WITHDRAWAL and not read.withdrawn]


def latest_of(reads: Iterable[Read], reader: str) -> Read | None:
    """The reader's last read that counts; None where there is none. An adjudication is the lead's own kind."""
    mine = [read for read in standing(reads) if read.reader == reader and read.kind != ADJUDICATION]
    return mine[-1] if mine else None


def pair(reads: Sequence[Read]) -> tuple[Read | None, Read | None]:
    """The first reader's and the second reader's last read."""
    counting = standing(reads)
    first = next((read.reader for read in counting if read.kind == "read"), None)
    second = next((read.reader for read in counting if read.kind == SECOND and read.reader != first), None)
    return (
        None if first is None else latest_of(counting, first),
        None if second is None else latest_of(counting, second),
    )


def differences(first: Read, second: Read) -> list[str]:
    """Findings that both judged, and not alike."""
    return [name for name, label in first.labels.items() if name in second.labels and second.labels[name] != label]


def restudy(session: Session, study: Study, policy: TriagePolicy) -> None:
    """Set read or unread from the reads that count; `study` must be locked.

    A study stays open where the last read that counts did not see every film.
    """
    counting = standing(reads_of(session, study.uid))
    study.last_read_at = study.reopened_at = None
    if counting:
        last = counting[-1]
        study.last_read_at = last.read_at
        reasons = _reopened(session, study.uid, last)
        study.reopened_at = max(last.read_at, *reasons) if reasons else None
    refresh(session, study, policy)


def _reopened(session: Session, uid: str, read: Read) -> list[datetime]:
    """When something came that `read` could not know of: a film it did not see, or a film's withdrawal."""
    outgoing = session.get(Outbox, read.id)
    if outgoing is None:
        return []
    seen = set(outgoing.payload["film_uids"])
    films = session.execute(select(Film.uid, Film.state, Film.arrived_at).where(Film.study_uid == uid)).all()
    unseen = [at for film, state, at in films if film not in seen and state != "withdrawn"]
    notes = select(Withdrawal.seen_at).where(Withdrawal.film_uid.in_(seen), Withdrawal.seen_at > read.read_at)
    return [*unseen, *session.scalars(notes)]


def in_second_share(uid: str, salt: str, share: float) -> bool:
    """Whether study `uid` is in the share that is read twice; independent of the blind share."""
    return in_blind_share(f"second\0{uid}", salt, share)


def rereview(session: Session, study: Study, *, wanted: bool, now: datetime) -> Review | None:
    """Bring the study's review in step with its reads; `wanted`: make one where it is read and has none."""
    reads = reads_of(session, study.uid)
    review = session.get(Review, study.uid)
    if review is None:
        if not (wanted and standing(reads)) and not any(read.kind == SECOND for read in reads):
            return None
        review = Review(study_uid=study.uid, why="share", asked_at=now, note="", asked_by="")
        session.add(review)
    first, second = pair(reads)
    review.differs = differences(first, second) if first and second else []
    if any(read.kind == ADJUDICATION for read in standing(reads)):
        review.state = "settled"
    elif first is None or second is None:
        review.state = "wanted"
    else:
        review.state = "conflict" if review.differs else "agreed"
    session.flush()
    return review
