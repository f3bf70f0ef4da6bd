"""UIDs in paths: what is no UID names nothing that is here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.web.errors import no_such_study
from services.web.images import no_such_film
from services.web.names import is_uid


def _study_uid(uid: str) -> str:
    if not is_uid(uid):
        raise no_such_study()
    return uid


def _film_uid(film: str) -> str:
    if not is_uid(film):
        raise no_such_film()
    return film


StudyUid = Annotated[str, Depends(_study_uid)]
FilmUid = Annotated[str, Depends(_film_uid)]
