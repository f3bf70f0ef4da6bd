"""Rows of instances: written in the transaction that keeps the film or document."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from services.web.dicom.facts import InstanceFacts
from services.web.dicom.tables import Instance

FILM, DOCUMENT = "film", "document"


def keep_instance(
    session: Session,
    facts: InstanceFacts,
    *,
    kind: str,
    sha256: str,
    blob_key: str,
    byte_count: int,
    sender: str,
    now: datetime,
) -> None:
    """Add the row of an object that is stored under `blob_key`; one that is there stays as it is."""
    if session.get(Instance, facts.uid) is not None:
        return
    session.add(
        Instance(
            uid=facts.uid,
            study_uid=facts.study_uid,
            series_uid=facts.series_uid,
            kind=kind,
            sop_class_uid=facts.sop_class_uid,
            transfer_syntax_uid=facts.transfer_syntax_uid,
            modality=facts.modality,
            study_date=facts.study_date,
            sender=sender[:64],
            sha256=sha256,
            blob_key=blob_key,
            byte_count=byte_count,
            attributes=dict(facts.attributes),
            arrived_at=now,
        )
    )
    session.flush()
