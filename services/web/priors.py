"""The earlier study of the same patient, for comparison: its films alone, never its answer or its reads."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.web.studies import film_view
from services.web.tables import Film, Study
from services.web.views import FilmView

MAX_FILMS = 8


@dataclass(frozen=True)
class Prior:
    """The films of the earlier study; `date` is the day on which it arrived here."""

    study_uid: str
    date: str
    films: tuple[FilmView, ...]


def prior_of(session: Session, uid: str) -> Prior | None:
    """The newest study that arrived before study `uid`, of the same patient (id and issuer) at the same site.

    None where the patient has no id: an empty one names nobody. Another site's id may be another patient's.
    """
    study = session.get(Study, uid)
    if study is None or not study.patient_id:
        return None
    query = (
        select(Study)
        .where(
            Study.patient_id == study.patient_id,
            Study.patient_id_issuer == study.patient_id_issuer,
            Study.site == study.site,
            Study.synthetic == study.synthetic,
            Study.uid != study.uid,
            Study.arrived_at < study.arrived_at,
        )
        .order_by(Study.arrived_at.desc(), Study.uid)
        .limit(1)
    )
    earlier = session.scalar(query)
    if earlier is None:
        return None
    kept = select(Film).where(Film.study_uid == earlier.uid, Film.state != "withdrawn")
    films = session.scalars(kept.order_by(Film.number).limit(MAX_FILMS)).all()
    if not films:
        return None
    date = earlier.arrived_at.astimezone().strftime("%Y-%m-%d")
    return Prior(earlier.uid, date, tuple(film_view(film) for film in films))
