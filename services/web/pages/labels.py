"""A read's labels in one line; static/labels.js says the same while they are set."""

from __future__ import annotations

from collections.abc import Mapping


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
