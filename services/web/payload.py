"""A read as it goes to feedback's ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.wire import ReadIn
from services.web.settings import WebSettings
from services.web.shadow.tables import Pair
from services.web.studies import answer_view
from services.web.tables import Answer, Film, Read, Study


def pseudonym(study: Study, salt: str) -> str:
    """What stands for the study's patient in the ledger: a salted hash, "" where nobody is named.

    The same patient has the same pseudonym in every study of this site; without the salt nobody can go back.
    """
    if not study.patient_id:
        return ""
    text = "\0".join((salt, study.patient_id_issuer, study.patient_id))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _shadow(session: Session, row: Read) -> str | None:
    """The release that answered for the study without being the one shown or withheld; None where none did."""
    pairs = select(Pair).where(Pair.study_uid == row.study_uid).order_by(Pair.made_at.desc()).limit(1)
    pair = session.scalar(pairs)
    if pair is None:
        return None
    return pair.live_digest if pair.shadow_digest == row.release_digest else pair.shadow_digest


def payload(
    session: Session,
    study: Study,
    row: Read,
    answer: Answer | None,
    findings: Sequence[str],
    films: Sequence[Film],
    settings: WebSettings,
) -> dict[str, object]:
    """The body of `POST /v1/reads`; `films` are those that were seen, `findings` the release's order."""
    present = [] if answer is None else [f.name for f in answer_view(answer).findings if f.present]
    return ReadIn(
        study_uid=study.uid,
        film_uids=[film.uid for film in films],
        film_keys=[film.blob_key for film in films],
        answer_version=row.answer_version,
        release_digest=row.release_digest,
        blind=row.blind,
        reader=row.reader,
        read_at=row.read_at,
        findings=list(findings),
        labels=row.labels,
        present=present,
        seconds_spent=row.seconds_spent,
        comment=row.comment,
        site=study.site,
        kind=row.kind,  # a column is text: pydantic checks it
        version=row.version,
        replaces=row.replaces,
        patient=pseudonym(study, settings.patient_salt),
        request_digest=row.request_digest,
        shadow_digest=_shadow(session, row),
    ).model_dump(mode="json")
