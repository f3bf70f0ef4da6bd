"""UIDs of series and instances in paths."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from hilum.problems import Problem
from services.web.names import is_uid


def no_such_instance() -> Problem:
    """The answer for what is not here."""
    return Problem(404, "no-such-instance", "There is no such instance here.")


def _series(series: str) -> str:
    if not is_uid(series):
        raise no_such_instance()
    return series


def _instance(instance: str) -> str:
    if not is_uid(instance):
        raise no_such_instance()
    return instance


SeriesUid = Annotated[str, Depends(_series)]
InstanceUid = Annotated[str, Depends(_instance)]
