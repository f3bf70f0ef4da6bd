"""A read: the reader's labels, kept together with its place in the outbox before anybody says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum import telemetry_traces
from hilum.problems import Problem
from hilum.storage import writer_lock
from hilum.wire import Label, ReadKind
from services.web.blind import withheld
from services.web.payload import payload
from services.web.settings import WebSettings
from services.web.standing import SECOND, in_second_share, latest_of, pair, reads_of, rereview, restudy
from services.web.studies import current_answer, labelled_findings, no_such_study, read_view
from services.web.tables import Answer, Film, Outbox, Read, Review, Study
from services.web.urgency import locked_study
from services.web.views import ReadView


@dataclass(frozen=True)
class NewRead:
    """What a reader says of a study. `film_uids`: the films that were seen, None: all that are there.

    `seen_version` is the version of this reader's own last read when the form was opened (0: none); None: not told.
    `kind` "adjudication" decides between two readers; which other read is a second one, the rows say.
    """

    labels: Mapping[str, Label]
    answer_version: int
    seconds_spent: float | None = None
    comment: str = ""
    film_uids: tuple[str, ...] | None = None
    seen_version: int | None = None
    kind: Literal["read", "adjudication"] = "read"

    def digest(self, study_uid: str, reader: str) -> str:
        """sha256 by which the same read, sent again under the same key, is recognised."""
        body = [study_uid, reader, dict(self.labels), self.answer_version, self.comment, self.film_uids, self.kind]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def commit_read(
    session: Session,
    uid: str,
    read: NewRead,
    *,
    key: str,
    reader: str,
    lead: bool,
    settings: WebSettings,
    now: datetime,
) -> tuple[ReadView, bool]:
    """Keep `read` of study `uid` under the idempotency key; returns it and whether it is new.

    Raises problems: 404 no such study, 409 the key was used for another read or the reader has read the study again
    meanwhile, 403 and 409 where there is nothing that this person may adjudicate, 422 labels that mean nothing here,
    503 no release is known, so that nobody can say which findings there are.
    """
    # One transaction at a time per key: a double click on two replicas becomes one read.
    writer_lock(session, f"read:{key}")
    digest = read.digest(uid, reader)
    if known := known_read(session, uid, key, digest):
        return known, False
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    hidden = bool(session.scalar(select(withheld(reader)).where(Study.uid == uid)))
    answer = _answer(session, study, read.answer_version)
    findings = _checked_findings(session, study, answer, read)
    films = list(session.scalars(select(Film).where(Film.study_uid == uid).order_by(Film.number)))
    seen = films if read.film_uids is None else [film for film in films if film.uid in read.film_uids]
    if not seen or (read.film_uids is not None and set(read.film_uids) - {film.uid for film in films}):
        raise Problem(422, "unknown-film", "film_uids names a film that this study does not have, or none.")
    # Labels say nothing of a withdrawn film: it may show another patient.
    judged = [film for film in seen if film.state != "withdrawn"] or seen
    before = reads_of(session, uid)
    own = latest_of(before, reader)
    if read.seen_version is not None and own is not None and own.version > read.seen_version:
        raise Problem(
            409,
            "read-meanwhile",
            f"You saved another read of this study meanwhile (version {own.version}), perhaps in another tab.",
        )
    kind = _kind(session, uid, read, before, own, reader=reader, lead=lead)
    row = Read(
        id=key,
        study_uid=uid,
        version=next_version(session, uid),
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
        kind=kind,
        replaces=own.id if own is not None and own.kind == kind else None,
    )
    outgoing = keep(session, study, row, payload(session, study, row, answer, findings, judged, settings), now)
    restudy(session, study, settings.policy)
    wanted = in_second_share(uid, settings.blind_salt, settings.second_read_share)
    rereview(session, study, wanted=wanted, now=now)
    return read_view(row, outgoing), True


def known_read(session: Session, uid: str, key: str, digest: str) -> ReadView | None:
    """The read that is kept under `key`; None where there is none. Raises a 409 problem where it is another one."""
    known = session.get(Read, key)
    if known is None:
        return None
    if known.request_digest != digest or known.study_uid != uid:
        raise Problem(409, "key-reused", "This Idempotency-Key was used for another read; take a new one.")
    return read_view(known, session.get(Outbox, key))


def next_version(session: Session, uid: str) -> int:
    """The version of the study's next read; the study is locked."""
    return (session.scalar(select(func.max(Read.version)).where(Read.study_uid == uid)) or 0) + 1


def keep(session: Session, study: Study, row: Read, body: dict[str, object], now: datetime) -> Outbox:
    """Add the read and its place in the outbox: both or none."""
    outgoing = Outbox(id=row.id, payload=body, attempts=0, next_try=now, trace=telemetry_traces.current())
    if telemetry_traces.on():
        # The read is a trace of its own, hours after the film's: a link joins the two.
        for trace in session.scalars(select(Film.trace).where(Film.study_uid == study.uid)):
            telemetry_traces.link(trace)
    session.add(row)
    session.flush()
    session.add(outgoing)
    session.flush()
    return outgoing


def _kind(
    session: Session, uid: str, read: NewRead, before: list[Read], own: Read | None, *, reader: str, lead: bool
) -> ReadKind:
    first, second = pair(before)
    if read.kind == "adjudication":
        if not lead:
            raise Problem(403, "lead-needed", "Only a lead decides between two readers.")
        if first is None or second is None:
            raise Problem(409, "nothing-to-adjudicate", "This study was not read by two people.")
        if reader in {first.reader, second.reader}:
            raise Problem(403, "third-person-needed", "You are one of its two readers; a third person decides.")
        return "adjudication"
    if own is not None:
        return "second" if own.kind == SECOND else "read"
    asked = session.get(Review, uid)
    awaited = asked is not None and asked.state == "wanted" and second is None
    return "second" if awaited and first is not None and first.reader != reader else "read"


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
