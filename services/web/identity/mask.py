"""Patients' identity on shared screens: while a session is masked, its pages and answers never hold it."""

from __future__ import annotations

import re

from hilum.problems import Problem
from services.web.identity.person import Person, current

DOTS = "••••"
# What carries identity inside: original bytes, DICOM answers.
_WHOLE = re.compile(r"/dicom-web/.*|/v1/studies/[^/]+/films/[^/]+/original")


def shown(text: str, uid: str = "") -> str:
    """`text`, or dots while the session is masked; the end of `uid` then tells one study from another."""
    person = current()
    if not text or person is None or not person.masked:
        return text
    return f"{DOTS} {uid[-4:]}" if uid else DOTS


def refusal(person: Person, path: str) -> Problem | None:
    """The 403 problem for what can't be shown without identity; None where `person` may have `path`."""
    if person.masked and _WHOLE.fullmatch(path):
        return Problem(403, "masked", "Patients' identity is masked in this session; show it again first.")
    return None
