"""A read's labels in one line; static/labels.js says the same while they are set."""

from __future__ import annotations

from collections.abc import Mapping

from services.web.pages.words import LABELS


def in_words(labels: Mapping[str, int | None]) -> str:
    """ "present: Effusion · uncertain: Mass · 11 absent · 1 not judged"."""
    named = {value: [name for name, label in labels.items() if label == value] for value in (1, -1, 0, None)}
    parts = []
    if named[1]:
        parts.append(f"present: {', '.join(named[1])}")
    if named[-1]:
        parts.append(f"uncertain: {', '.join(named[-1])}")
    if named[0]:
        parts.append(f"{len(named[0])} absent")
    if named[None]:
        parts.append(f"{len(named[None])} not judged")
    return " · ".join(parts)


def changes(before: Mapping[str, int | None], after: Mapping[str, int | None]) -> str:
    """What a new version of a read changed: "Edema absent → present · Mass not judged → uncertain"."""
    names = [*before, *(name for name in after if name not in before)]
    return " · ".join(
        f"{name} {LABELS[before.get(name)]} → {LABELS[after.get(name)]}"
        for name in names
        if before.get(name) != after.get(name)
    )
