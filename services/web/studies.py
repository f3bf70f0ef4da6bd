"""One study as its reader may see it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.web.blind import withheld
from services.web.errors import no_such_study as no_such_study  # noqa: PLC0414 - where callers look for it
from services.web.identity.mask import shown
from services.web.releases import findings_of, newest_release
from services.web.shadow.tables import Exposure
from services.web.standing import latest_of, reads_of
from services.web.tables import Answer, Conflict, Film, Outbox, Read, Review, Study
from services.web.views import (
    AnsweredFinding,
    AnswerView,
    CodeView,
    ConflictView,
    FilmView,
    NamedFinding,
    ReadView,
    ReleaseView,
    ReviewView,
    StudyDetail,
    TrialView,
    Warned,
)
from services.web.worklist import study_rows


def _warned(items: list[Any], film_uid: str) -> tuple[Warned, ...]:
    return tuple(Warned(str(item["code"]), str(item["text"]), film_uid) for item in items)


def film_view(film: Film) -> FilmView:
    """A film without its bytes."""
    return FilmView(
        uid=film.uid,
        number=film.number,
        file_name=shown(film.file_name),
        media_type=film.media_type,
        view=film.view,
        width=film.width,
        height=film.height,
        bits=film.bits,
        lossy=film.lossy,
        byte_count=film.byte_count,
        sha256=film.sha256,
        arrived_at=film.arrived_at,
        state=film.state,
        reason=film.reason,
        warnings=_warned(film.warnings, film.uid),
    )


def answer_view(answer: Answer) -> AnswerView:
    """An answer as stored in its payload."""
    payload = answer.payload
    return AnswerView(
        version=answer.version,
        release=ReleaseView(**payload["release"]),
        findings=tuple(AnsweredFinding(**{**item, "code": CodeView(**item["code"])}) for item in payload["findings"]),
        made_at=answer.made_at,
    )


def read_view(read: Read, outbox: Outbox | None) -> ReadView:
    """A read with where it stands on its way to the ledger."""
    return ReadView(
        id=read.id,
        study_uid=read.study_uid,
        version=read.version,
        reader=read.reader,
        labels=dict(read.labels),
        answer_version=read.answer_version,
        release_digest=read.release_digest,
        blind=read.blind,
        read_at=read.read_at,
        seconds_spent=read.seconds_spent,
        comment=read.comment,
        delivered=outbox is None or outbox.delivered_at is not None,
        refused=None if outbox is None else outbox.refused,
        kind=read.kind,
        replaces=read.replaces,
        withdrawn=read.withdrawn,
    )


def review_view(review: Review | None, *, blind: bool = False) -> ReviewView | None:
    """The review as shown; where the reader must not see labels it names no finding."""
    if review is None:
        return None
    return ReviewView(
        why=review.why,
        asked_by=review.asked_by,
        asked_at=review.asked_at,
        note=review.note,
        state=review.state,
        differs=() if blind else tuple(str(name) for name in review.differs),
    )


def current_answer(session: Session, study: Study, version: int | None = None) -> Answer | None:
    """The answer row of `version` (default: the newest), None where there is none."""
    return session.get(Answer, (study.uid, study.answer_version if version is None else version))


def labelled_findings(session: Session, answer: Answer | None) -> tuple[NamedFinding, ...]:
    """The findings that can be labelled, in the order of the answer's release, else of the newest known release."""
    release = newest_release(session) if answer is None else None
    if answer is None and release is None:
        return ()
    info = findings_of(session, answer) if answer is not None else (release.payload["findings"] if release else [])
    return tuple(
        NamedFinding(item["name"], CodeView(**item["code"]), bool(item["acute"]), bool(item["established"]))
        for item in info
    )


def get_study(session: Session, uid: str, *, reader: str) -> StudyDetail:
    """Everything of study `uid` that `reader` may see; raises a 404 problem."""
    found = session.execute(select(Study, withheld(reader)).where(Study.uid == uid)).one_or_none()
    if found is None:
        raise no_such_study()
    study, hidden = found[0], bool(found[1])
    films = session.scalars(
        select(Film).where(Film.study_uid == uid).order_by(Film.state == "withdrawn", Film.number)
    ).all()
    conflicts = session.scalars(select(Conflict).where(Conflict.study_uid == uid).order_by(Conflict.id)).all()
    of_reads = (
        select(Read, Outbox)
        .outerjoin(Outbox, Outbox.id == Read.id)
        .where(Read.study_uid == uid)
        .order_by(Read.version.desc())
    )
    reads = tuple(read_view(read, outbox) for read, outbox in session.execute(of_reads))
    own = latest_of(reads_of(session, uid), reader)
    review = session.get(Review, uid)
    second = review is not None and review.state == "wanted" and not any(read.reader == reader for read in reads)
    if hidden or second:
        # Another's labels would tell a blind reader as much as the answer does; a second reader reads by himself.
        reads = ()
    answer = current_answer(session, study)
    views = tuple(film_view(film) for film in films)
    warnings = tuple(warning for view in views for warning in view.warnings)
    return StudyDetail(
        study=study_rows(session, [(study, hidden)], reader=reader)[0],
        films=views,
        findings=labelled_findings(session, answer),
        answer=None if answer is None or hidden else answer_view(answer),
        warnings=warnings,
        conflicts=tuple(
            ConflictView(c.film_uid, shown(c.file_name), c.sha256, shown(c.difference), c.seen_at) for c in conflicts
        ),
        reads=reads,
        trial=None if hidden else _trial(session, uid),
        review=review_view(review, blind=hidden),
        own_version=own.version if own else 0,
        second=second,
    )


def _trial(session: Session, uid: str) -> TrialView | None:
    row = session.get(Exposure, uid)
    if row is None or not row.exposed:
        return None
    return TrialView(row.release_digest, row.decided_at, row.ended_at, row.ended_reason)
