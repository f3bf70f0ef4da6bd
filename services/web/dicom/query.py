"""What QIDO-RS may ask (PS3.18 10.6), and the rows that answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hilum.problems import Problem
from services.web.dicom.dicomjson import tag
from services.web.dicom.tables import Instance
from services.web.tables import Film, Study

MAX_LIMIT = 1000
_DATE = re.compile(r"(\d{8})?(-(\d{8})?)?")
# What can be matched, by keyword; the level decides which of them make sense.
MATCHED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality", "ModalitiesInStudy",
           "PatientID", "AccessionNumber", "StudyDate")  # fmt: skip
_BY_TAG = {tag(keyword): keyword for keyword in MATCHED}
_ALSO = {"limit", "offset", "includefield", "fuzzymatching"}


@dataclass(frozen=True)
class Asked:
    """Matching texts by keyword, and the page."""

    matches: dict[str, str]
    limit: int
    offset: int
    fuzzy: bool


def read_query(pairs: Iterable[tuple[str, str]]) -> Asked:
    """The query of a URL; raises a 400 problem for what can't be matched here (a patient's name is not kept)."""
    matches: dict[str, str] = {}
    numbers = {"limit": 100, "offset": 0}
    fuzzy = False
    for name, value in pairs:
        if name in numbers:
            if not (value.isascii() and value.isdigit() and len(value) <= 9):
                raise Problem(400, "bad-query", f"{name}: not a number.")
            numbers[name] = int(value)
        elif name == "fuzzymatching":
            fuzzy = value == "true"
        elif name not in _ALSO:
            keyword = name if name in MATCHED else _BY_TAG.get(name.upper())
            if keyword is None:
                known = ", ".join(MATCHED)
                raise Problem(400, "bad-query", f"{name[:40]!r} can't be matched here. What can: {known}.")
            if len(value) > 512 or "\0" in value:
                raise Problem(400, "bad-query", f"{keyword}: too long.")
            if value and value != "*":
                matches[keyword] = value
    return Asked(matches, min(numbers["limit"], MAX_LIMIT), numbers["offset"], fuzzy)


def not_withdrawn() -> ColumnElement[bool]:
    """Instances that no note withdrew."""
    return ~exists().where(Film.uid == Instance.uid, Film.state == "withdrawn")


def studies(session: Session, asked: Asked) -> list[Study]:
    """Studies with instances, newest first."""
    instance = [Instance.study_uid == Study.uid, not_withdrawn()]
    query = select(Study)
    for keyword, value in asked.matches.items():
        if keyword == "StudyInstanceUID":
            query = query.where(Study.uid.in_(_list(value)))
        elif keyword == "PatientID":
            query = query.where(_like(Study.patient_id, value))
        elif keyword == "AccessionNumber":
            query = query.where(_like(Study.accession, value))
        else:
            instance.append(_condition(keyword, value))
    query = query.where(exists().where(*instance)).order_by(Study.arrived_at.desc(), Study.uid)
    return list(session.scalars(query.offset(asked.offset).limit(asked.limit)))


def series(session: Session, asked: Asked) -> list[str]:
    """UIDs of series, by study and series."""
    query = _instances(asked, select(Instance.series_uid))
    query = query.group_by(Instance.study_uid, Instance.series_uid).order_by(Instance.study_uid, Instance.series_uid)
    return list(session.scalars(query.offset(asked.offset).limit(asked.limit)))


def instances(session: Session, asked: Asked) -> list[Instance]:
    """Instances, by study, series and UID."""
    query = _instances(asked, select(Instance)).order_by(Instance.study_uid, Instance.series_uid, Instance.uid)
    return list(session.scalars(query.offset(asked.offset).limit(asked.limit)))


def of_studies(session: Session, uids: list[str]) -> dict[str, list[Instance]]:
    """Every instance of each study."""
    return _grouped(session, uids, Instance.study_uid, "study_uid")


def of_series(session: Session, uids: list[str]) -> dict[str, list[Instance]]:
    """Every instance of each series."""
    return _grouped(session, uids, Instance.series_uid, "series_uid")


def _grouped(
    session: Session, uids: list[str], column: InstrumentedAttribute[str], name: str
) -> dict[str, list[Instance]]:
    found: dict[str, list[Instance]] = {uid: [] for uid in uids}
    query = select(Instance).where(column.in_(uids), not_withdrawn()).order_by(Instance.arrived_at, Instance.uid)
    for instance in session.scalars(query):
        found[getattr(instance, name)].append(instance)
    return found


def _instances(asked: Asked, query: Select) -> Select:  # type: ignore[type-arg]
    query = query.where(not_withdrawn())
    for keyword, value in asked.matches.items():
        if keyword in {"PatientID", "AccessionNumber"}:
            column = Study.patient_id if keyword == "PatientID" else Study.accession
            query = query.where(exists().where(Study.uid == Instance.study_uid, _like(column, value)))
        else:
            query = query.where(_condition(keyword, value))
    return query


def _condition(keyword: str, value: str) -> ColumnElement[bool]:
    if keyword == "StudyDate":
        match = _DATE.fullmatch(value)
        if match is None or not value.strip("-"):
            raise Problem(400, "bad-query", "StudyDate: a date as 20261121, or a range as 20261101-20261121.")
        first, ranged, last = match[1] or "00000000", match[2] is not None, match[3]
        return Instance.study_date.between(first, last or ("99999999" if ranged else first))
    if keyword in {"Modality", "ModalitiesInStudy"}:
        return Instance.modality.in_([part.upper() for part in _list(value)])
    column = {
        "StudyInstanceUID": Instance.study_uid,
        "SeriesInstanceUID": Instance.series_uid,
        "SOPInstanceUID": Instance.uid,
        "SOPClassUID": Instance.sop_class_uid,
    }[keyword]
    return column.in_(_list(value))


def _list(value: str) -> list[str]:
    return [part for part in re.split(r"[,\\]", value) if part][:100]


def _like(column: InstrumentedAttribute[str], value: str) -> ColumnElement[bool]:
    """`*` and `?` as the standard has them (PS3.4 C.2.2.2.4)."""
    if not {"*", "?"} & set(value):
        return column == value
    escaped = re.sub(r"([%_\\])", r"\\\1", value)
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
