"""When skipping escalates a study: a site's choice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SkipPolicy:
    """`readers` different ones passed the study over, or it was passed over `times` altogether."""

    readers: int
    times: int
