"""A read: the reader's labels, kept together with its place in the outbox before anybody says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum.problems import Problem
from hilum.storage import writer_lock
from hilum.triage import TriagePolicy
from hilum.wire import Label, ReadIn
from services.web.blind import withheld
from services.web.studies import answer_view, current_answer, labelled_findings, no_such_study, read_view
from services.web.tables import Answer, Film, Outbox, Read, Study
from services.web.urgency import locked_study, refresh
from services.web.views import ReadView


@dataclass(frozen=True)
class NewRead:
    """What a reader says of a study. `film_uids`: the films that were seen, None: all that are there."""

    labels: Mapping[str, Label]
    answer_version: int
    seconds_spent: float | None = None
    comment: str = ""
    film_uids: tuple[str, ...] | None = None

    def digest(self, study_uid: str, reader: str) -> str:
        """sha256 by which the same read, sent again under the same key, is recognised."""
        body = [study_uid, reader, dict(self.labels), self.answer_version, self.comment, self.film_uids]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def commit_read(
    session: Session, uid: str, read: NewRead, *, key: str, reader: str, policy: TriagePolicy, now: datetime
) -> tuple[ReadView, bool]:
    """Keep `read` of study `uid` under the idempotency key; returns it and whether it is new.

    Raises problems: 404 no such study, 409 the key was used for another read, 422 labels that mean nothing here,
    503 no release is known, so that nobody can say which findings there are.
    """
    # One transaction at a time per key: a double click on two replicas becomes one read.
    writer_lock(session, f"read:{key}")
    digest = read.digest(uid, reader)
    known = session.get(Read, key)
    if known is not None:
        if known.request_digest != digest or known.study_uid != uid:
            raise Problem(409, "key-reused", "This Idempotency-Key was used for another read; take a new one.")
        return read_view(known, session.get(Outbox, key)), False
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    hidden = bool(session.scalar(select(withheld(reader)).where(Study.uid == uid)))
    answer = _answer(session, study, read.answer_version)
    findings = _checked_findings(session, study, answer, read)
    films = list(session.scalars(select(Film.uid).where(Film.study_uid == uid).order_by(Film.number)))
    seen = films if read.film_uids is None else [film for film in films if film in read.film_uids]
    if not seen or (read.film_uids is not None and set(read.film_uids) - set(films)):
        raise Problem(422, "unknown-film", "film_uids names a film that this study does not have, or none.")
    # Labels say nothing of a withdrawn film: it may show another patient.
    withdrawn = set(session.scalars(select(Film.uid).where(Film.study_uid == uid, Film.state == "withdrawn")))
    judged = [film for film in seen if film not in withdrawn] or seen
    version = (session.scalar(select(func.max(Read.version)).where(Read.study_uid == uid)) or 0) + 1
    row = Read(
        id=key,
        study_uid=uid,
        version=version,
        reader=reader,
        labels={name: label for name, label in read.labels.items() if label is not None},
        answer_version=read.answer_version,
        release_digest=None if answer is None else answer.release_digest,
        # Nothing was shown before the first answer either.
        blind=hidden or answer is None,
        read_at=now,
        seconds_spent=read.seconds_spent,
        comment=read.comment,
        request_digest=digest,
    )
    session.add(row)
    session.flush()
    outgoing = Outbox(id=key, payload=_payload(study, row, answer, findings, judged), attempts=0, next_try=now)
    session.add(outgoing)
    study.last_read_at = now
    # A film that came while the study was being read keeps it open.
    study.reopened_at = None if len(seen) == len(films) else now
    refresh(session, study, policy)
    return read_view(row, outgoing), True


def _answer(session: Session, study: Study, version: int) -> Answer | None:
    if version > study.answer_version:
        raise Problem(422, "unknown-answer", f"The study has no answer version {version}.")
    return current_answer(session, study, version) if version else None


def _checked_findings(session: Session, study: Study, answer: Answer | None, read: NewRead) -> list[str]:
    """The release's findings in order; raises a problem where the labels do not fit them or say nothing."""
    findings = [item.name for item in labelled_findings(session, answer or current_answer(session, study))]
    if not findings:
        raise Problem(
            503,
            "no-release-known",
            "Inference has not answered yet, so nobody can say which findings there are; try again.",
            headers={"Retry-After": "5"},
        )
    if unknown := sorted(set(read.labels) - set(findings)):
        raise Problem(422, "unknown-finding", f"The release has no finding called {unknown[0][:80]!r}.")
    if all(label is None for label in read.labels.values()):
        raise Problem(422, "empty-read", "No finding is labelled: say present, absent or uncertain for at least one.")
    return findings


def _payload(
    study: Study, row: Read, answer: Answer | None, findings: list[str], film_uids: list[str]
) -> dict[str, object]:
    present = [] if answer is None else [f.name for f in answer_view(answer).findings if f.present]
    return ReadIn(
        study_uid=study.uid,
        film_uids=film_uids,
        answer_version=row.answer_version,
        release_digest=row.release_digest,
        blind=row.blind,
        reader=row.reader,
        read_at=row.read_at,
        findings=findings,
        labels=row.labels,
        present=present,
        seconds_spent=row.seconds_spent,
        comment=row.comment,
        site=study.site,
    ).model_dump(mode="json")
