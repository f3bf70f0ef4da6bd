"""What becomes of each candidate, and the rows of those that are kept. All in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum import telemetry_traces
from hilum.triage import urgency
from services.web.blind import in_blind_share
from services.web.candidates import Candidate
from services.web.dicom.instances import FILM, keep_instance
from services.web.dicom.withdraw import withdraw_films
from services.web.names import derived_uid
from services.web.settings import WebSettings
from services.web.tables import Conflict, Film, Study
from services.web.urgency import locked_study, refresh


@dataclass(frozen=True)
class Verdict:
    """`outcome` is stored, duplicate or conflict; `study_uid` the study that holds the film, or would."""

    candidate: Candidate
    study_uid: str
    outcome: str
    detail: str = ""


def judge(session: Session, candidates: Sequence[Candidate]) -> list[Verdict]:
    """The outcome of each candidate against what is stored and against those before it. Changes nothing."""
    known: dict[str, tuple[str, str]] = {}
    patients: dict[str, tuple[str, str]] = {}
    group = _group_uid(session, candidates)
    verdicts = []
    for candidate in candidates:
        uid = candidate.study_uid or group or _own_uid(candidate)
        film = known.get(candidate.film_uid) or _stored(session, candidate.film_uid)
        if film is not None:
            study_uid, sha256 = film
            if sha256 == candidate.sha256:
                verdicts.append(Verdict(candidate, study_uid, "duplicate", "This film is already here."))
            else:
                text = "Another film with this SOPInstanceUID (0008,0018) is already here; the first is kept."
                verdicts.append(Verdict(candidate, study_uid, "conflict", text))
            continue
        patient = (candidate.facts.patient_id, candidate.patient_id_issuer)
        study_patient = patients.get(uid) or _patient(session, uid)
        if study_patient is not None and _differ(patient, study_patient):
            text = "The study already names another patient (0010,0020); the film is not filed under it."
            verdicts.append(Verdict(candidate, uid, "conflict", text))
            continue
        patients[uid] = study_patient if study_patient is not None and study_patient[0] else patient
        known[candidate.film_uid] = (uid, candidate.sha256)
        verdicts.append(Verdict(candidate, uid, "stored", "Stored."))
    return verdicts


def apply(
    session: Session, verdicts: Sequence[Verdict], settings: WebSettings, differences: dict[str, str], now: datetime
) -> None:
    """Write the rows: films that are stored, conflicts that are seen (`differences` by the refused sha256)."""
    for study_uid in sorted({verdict.study_uid for verdict in verdicts if verdict.outcome != "duplicate"}):
        study = locked_study(session, study_uid)
        mine = [verdict for verdict in verdicts if verdict.study_uid == study_uid]
        stored = [verdict.candidate for verdict in mine if verdict.outcome == "stored"]
        if stored:
            if study is None:
                study = _new_study(study_uid, stored[0], settings, now)
                session.add(study)
                session.flush()
            number = session.scalar(select(func.count()).where(Film.study_uid == study_uid)) or 0
            for candidate in stored:
                number += 1
                session.add(_film(candidate, study_uid, number, now))
                _keep_instance(session, candidate, now)
                _complete(study, candidate)
            session.flush()
            if study.status == "read":
                study.reopened_at = now
            refresh(session, study, settings.policy)
            # A rejection note may have come before its film.
            withdraw_films(session, study, settings.policy, now)
        for verdict in mine:
            if verdict.outcome == "conflict" and study is not None:
                _keep_conflict(session, verdict, differences.get(verdict.candidate.sha256, verdict.detail), now)


def _stored(session: Session, film_uid: str) -> tuple[str, str] | None:
    row = session.execute(select(Film.study_uid, Film.sha256).where(Film.uid == film_uid)).one_or_none()
    return None if row is None else (row[0], row[1])


def _patient(session: Session, study_uid: str) -> tuple[str, str] | None:
    query = select(Study.patient_id, Study.patient_id_issuer).where(Study.uid == study_uid)
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def _differ(a: tuple[str, str], b: tuple[str, str]) -> bool:
    """Whether two (patient id, issuer) name two patients; an empty part says nothing."""
    if not a[0] or not b[0]:
        return False
    return a[0] != b[0] or (bool(a[1]) and bool(b[1]) and a[1] != b[1])


def _own_uid(candidate: Candidate) -> str:
    facts = candidate.facts
    return derived_uid("study", facts.patient_id, facts.accession, candidate.sha256)


def _group_uid(session: Session, candidates: Sequence[Candidate]) -> str | None:
    """The one study of a request's PNG and JPEG files, where an accession number was given.

    Patient and accession together name the study, so that a later film finds it. An accession number alone may repeat
    at another site: then the films' content names it, and a film that is already here its own study.
    """
    group = [candidate for candidate in candidates if candidate.study_uid is None]
    if not group or not group[0].facts.accession:
        return None
    facts = group[0].facts
    if facts.patient_id:
        return derived_uid("order", facts.patient_id, facts.accession, facts.site)
    for candidate in group:
        if stored := _stored(session, candidate.film_uid):
            return stored[0]
    return derived_uid("study", "", facts.accession, *sorted({candidate.sha256 for candidate in group}))


def _new_study(uid: str, candidate: Candidate, settings: WebSettings, now: datetime) -> Study:
    facts = candidate.facts
    first = urgency([], True, facts.priority, facts.location)
    return Study(
        uid=uid,
        accession=facts.accession,
        accession_issuer=candidate.accession_issuer,
        patient_id=facts.patient_id,
        patient_id_issuer=candidate.patient_id_issuer,
        site=facts.site,
        priority=facts.priority,
        location=facts.location,
        arrived_at=now,
        status="waiting",
        band=str(first.band),
        score=first.score,
        reason=first.reason,
        due_at=now,
        answer_version=0,
        blind=in_blind_share(facts.patient_id or uid, settings.blind_salt, settings.blind_share),
        synthetic=facts.synthetic,
    )


def _film(candidate: Candidate, study_uid: str, number: int, now: datetime) -> Film:
    return Film(
        uid=candidate.film_uid,
        study_uid=study_uid,
        number=number,
        sha256=candidate.sha256,
        blob_key=candidate.blob_key,
        byte_count=candidate.byte_count,
        media_type=candidate.media_type,
        file_name=candidate.file,
        view=candidate.view,
        width=candidate.width,
        height=candidate.height,
        bits=candidate.bits,
        lossy=candidate.lossy,
        arrived_at=now,
        warnings=[{"code": w.code, "text": w.text} for w in candidate.warnings],
        state="not_scored" if candidate.unscorable else "waiting",
        reason=candidate.unscorable,
        attempts=0,
        next_try=now,
        trace=telemetry_traces.current(),
    )


def _keep_instance(session: Session, candidate: Candidate, now: datetime) -> None:
    if candidate.instance is not None:
        keep_instance(
            session,
            candidate.instance,
            kind=FILM,
            sha256=candidate.sha256,
            blob_key=candidate.blob_key,
            byte_count=candidate.byte_count,
            sender=candidate.facts.sender,
            now=now,
        )


def _complete(study: Study, candidate: Candidate) -> None:
    """A film may bring what the study lacked; a more urgent order priority or location counts."""
    facts = asdict(candidate.facts)
    for name in ("accession", "patient_id", "site"):
        if not getattr(study, name):
            setattr(study, name, facts[name])
    study.accession_issuer = study.accession_issuer or candidate.accession_issuer
    study.patient_id_issuer = study.patient_id_issuer or candidate.patient_id_issuer
    for name in ("priority", "location"):
        old = urgency([], True, **{"priority": "", "location": "", name: getattr(study, name)})
        new = urgency([], True, **{"priority": "", "location": "", name: facts[name]})
        if facts[name] and (not getattr(study, name) or new.band.rank < old.band.rank):
            setattr(study, name, facts[name])


def _keep_conflict(session: Session, verdict: Verdict, difference: str, now: datetime) -> None:
    candidate = verdict.candidate
    seen = select(Conflict.id).where(Conflict.film_uid == candidate.film_uid, Conflict.sha256 == candidate.sha256)
    if session.scalar(seen) is None:
        session.add(
            Conflict(
                study_uid=verdict.study_uid,
                film_uid=candidate.film_uid,
                sha256=candidate.sha256,
                file_name=candidate.file,
                difference=difference,
                seen_at=now,
            )
        )
        session.flush()
