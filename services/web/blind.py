"""The blind share: studies whose answer is withheld until the reader's own read is kept.

Which patients are in it is decided by a salted hash, so that a patient's studies are all blind or none is.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import ColumnElement, and_, false, func, or_, select, true

from services.web.tables import Read, Study


def in_blind_share(patient: str, salt: str, share: float) -> bool:
    """Whether `patient` (an identifier with its issuer) is in the first `share` (0..1) of the hash's range."""
    digest = hashlib.sha256(f"{salt}\0{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def withheld(reader: str) -> ColumnElement[bool]:
    """SQL: whether the study's answer is withheld from `reader`.

    Once a reader has committed a read, the answer was shown to them and stays shown, later versions too. A study
    without any score has no answer to withhold.
    """
    # A value, not an EXISTS: PostgreSQL would gather all reads of this reader, years of them, for fifty lines.
    one = select(true()).where(Read.study_uid == Study.uid, Read.reader == reader).limit(1)
    has_read = func.coalesce(one.scalar_subquery(), false())
    # A study whose films were all withdrawn has no score any more, but its place still comes from one.
    had_a_score = or_(Study.status != "not_scored", Study.answer_version > 0)
    return and_(Study.blind, had_a_score, ~has_read)
