"""Undo: a reader takes the read that they have just saved back. Nothing is erased: the withdrawal is kept too."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.problems import Problem
from hilum.storage import writer_lock
from services.web.payload import payload
from services.web.reads import keep, known_read, next_version
from services.web.settings import WebSettings
from services.web.standing import WITHDRAWAL, latest_of, reads_of, rereview, restudy
from services.web.studies import current_answer, labelled_findings, no_such_study, read_view
from services.web.tables import Film, Outbox, Read
from services.web.urgency import locked_study
from services.web.views import ReadView


def withdraw_read(
    session: Session, uid: str, read_id: str, *, key: str, reader: str, settings: WebSettings, now: datetime
) -> tuple[ReadView, bool]:
    """Keep, under `key`, that `reader` takes back their read `read_id` of study `uid`; whether that is new.

    The study is then what it was before that read: unread, or read by an earlier one. Raises problems: 404 no such
    study or no such read of this reader, 409 it is not the reader's last one, is taken back already, or too old.
    """
    writer_lock(session, f"read:{key}")
    digest = hashlib.sha256("\0".join((uid, reader, "withdraw", read_id)).encode()).hexdigest()
    if known := known_read(session, uid, key, digest):
        return known, False
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    read = session.get(Read, read_id)
    if read is None or read.study_uid != uid or read.reader != reader:
        raise Problem(404, "no-such-read", "You have no such read of this study.")
    _check(session, read, reader, settings, now)
    row = Read(
        id=key,
        study_uid=uid,
        version=next_version(session, uid),
        reader=reader,
        labels={},
        answer_version=read.answer_version,
        release_digest=read.release_digest,
        blind=read.blind,
        read_at=now,
        seconds_spent=None,
        comment="",
        request_digest=digest,
        kind=WITHDRAWAL,
        replaces=read.id,
    )
    read.withdrawn = True
    kept = session.get(Outbox, read.id)
    seen = set(kept.payload["film_uids"]) if kept is not None else set()
    of_study = select(Film).where(Film.study_uid == uid, Film.uid.in_(seen)).order_by(Film.number)
    films = list(session.scalars(of_study))
    answer = current_answer(session, study, read.answer_version) if read.answer_version else None
    findings = [item.name for item in labelled_findings(session, answer or current_answer(session, study))]
    outgoing = keep(session, study, row, payload(session, study, row, answer, findings, films, settings), now)
    restudy(session, study, settings.policy)
    rereview(session, study, wanted=False, now=now)
    return read_view(row, outgoing), True


def _check(session: Session, read: Read, reader: str, settings: WebSettings, now: datetime) -> None:
    if read.withdrawn or read.kind == WITHDRAWAL:
        raise Problem(409, "withdrawn-already", "This read was taken back already.")
    mine = latest_of(reads_of(session, read.study_uid), reader)
    if read.kind != "adjudication" and (mine is None or mine.id != read.id):
        raise Problem(409, "not-the-last", "You have read this study again since; take that read back, or edit it.")
    if (now - read.read_at).total_seconds() > settings.undo_seconds:
        raise Problem(
            409,
            "too-late",
            f"A read can be taken back for {settings.undo_seconds:g} seconds; read the study again to correct it.",
        )
