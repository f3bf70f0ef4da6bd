"""Uses of the locked films are counted: one line of JSON each, in a file of the repository (DESIGN, rule 4).

An exported variant is evaluated on the same locked films once. Every further look makes the figures a little less
honest, so a second one asks for a reason, which is kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.data.manifest import Film

SETTING = "HILUM_LOCKED_USES"
DEFAULT = Path(__file__).resolve().parents[2] / "docs" / "locked-uses.jsonl"


class LockedUsed(ValueError):
    """These locked films were used for this variant already; the text says when, and what to do."""


class BadLedger(ValueError):
    """The ledger is not one JSON object a line; the text names file, line and remedy."""


@dataclass(frozen=True)
class Use:
    """One use: `variant` is the sha256 of the ONNX file, `data` that of the locked films; "" where not known."""

    when: str
    release: str
    variant: str
    data: str
    command: str
    why: str


def ledger_path() -> Path:
    """The file that HILUM_LOCKED_USES names, else docs/locked-uses.jsonl."""
    return Path(os.environ.get(SETTING) or DEFAULT)


def data_digest(films: Sequence[Film]) -> str:
    """sha256 over the films' own hashes, in their order: looked at again under other labels they are still the same."""
    return hashlib.sha256("\n".join(sorted(film.sha256 for film in films)).encode()).hexdigest()


def uses(ledger: Path) -> list[Use]:
    """All uses so far, oldest first; raises BadLedger."""
    if not ledger.exists():
        return []
    answer = []
    for number, text in enumerate(ledger.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            answer.append(Use(**json.loads(text)))
        except (TypeError, ValueError) as error:
            raise BadLedger(
                f"{ledger.name}, line {number}: not a use ({error}); restore the file from Git, never delete lines"
            ) from error
    return answer


def use(ledger: Path, release: str, variant: str, data: str, command: str, why: str, again: bool = False) -> Use:
    """Write down a use before the films are scored, on disk when this returns.

    Raises LockedUsed where this variant was evaluated on this data before and `again` is not set, or set without a
    reason; BadLedger where the file is damaged.
    """
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a+", encoding="utf-8") as stream:
        # Two evaluations at once must not both be the first.
        fcntl.flock(stream, fcntl.LOCK_EX)
        before = [u for u in uses(ledger) if (u.variant, u.data) == (variant, data)]
        if before and not (again and why.strip()):
            raise LockedUsed(
                f"the locked films were used for this variant of {release} on {before[-1].when} ({before[-1].why}); "
                "read that evaluation, or say --again with --why REASON, which is kept in the ledger"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        made = Use(now, release, variant, data, command, why.strip() or "evaluation of a new variant")
        stream.write(json.dumps(asdict(made), ensure_ascii=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return made
