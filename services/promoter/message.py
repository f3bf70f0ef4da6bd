"""The message of a commit: what a person reads in Git's history, and trailers that programs read."""

from __future__ import annotations

import textwrap

from services.promoter.promotion import Ledger, Promotion
from services.promoter.states import Kind, State


def changed(before: Ledger, after: Ledger) -> Promotion:
    """The promotion that the step moved."""
    if after.current is not None:
        return after.current
    old = {each.id: each for each in before.ended}
    return next(each for each in after.ended if old.get(each.id) != each)


def message(before: Ledger, after: Ledger) -> str:
    """Subject, reason, trailers."""
    moved = changed(before, after)
    note = moved.timeline[-1]
    # Nothing is under way: a candidate comes, or what was done is taken back.
    rested = State.DONE if note.kind == Kind.ROLLBACK else "candidate"
    was = before.state if before.state is not State.WAITING else rested
    step = f"{was} approved" if note.kind == Kind.APPROVE else f"{was} -> {moved.state}"
    lines = [f"promoter: {moved.candidate.title} {step}", ""]
    lines += [*textwrap.wrap(note.reason, 100), ""] if note.reason else []
    lines += [f"Promotion: {moved.id}", f"Attempt: {moved.attempt}", f"Release: {moved.candidate.digest}"]
    lines += [f"Decided-by: {note.by}"] if note.by else []
    lines += [f"Evidence: {note.record}"] if note.record else []
    return "\n".join(lines) + "\n"
