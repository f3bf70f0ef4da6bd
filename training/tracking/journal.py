"""The journal of a run: every event on disk before it is sent, so that MLflow may be away.

A folder per run: `events.jsonl`, one event a line; `files/`, copies of what is uploaded; `state.json`, how far it was
sent and as which run. Appending is one write to a file opened for it: several processes of one machine may do it.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

EVENTS, STATE, FILES = "events.jsonl", "state.json", "files"
Kind = Literal["start", "params", "metrics", "artifact", "tags", "end"]


@dataclass(frozen=True)
class Event:
    """One line: its kind, when it happened (milliseconds since 1970), what it says, and where it ends in the file."""

    kind: Kind
    at: int
    body: dict[str, Any]
    end: int


@dataclass(frozen=True)
class State:
    """`sent`: bytes of the journal that MLflow has. `refused`: why it would not take some events."""

    run_id: str | None = None
    sent: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Journal:
    """The journal in `folder`; it is only a path, so a worker process may be given it."""

    folder: Path

    @classmethod
    def new(cls, root: Path, experiment: str, name: str, at: int | None = None) -> Journal:
        """Begin the journal of a run; raises OSError where the folder can't be written."""
        title = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:80]
        made = cls(root / f"{title}-{uuid.uuid4().hex[:8]}")
        (made.folder / FILES).mkdir(parents=True)
        made.append("start", {"experiment": experiment, "name": name, "key": made.folder.name}, at)
        return made

    def append(self, kind: Kind, body: dict[str, Any], at: int | None = None) -> None:
        """Add an event that happened now, or `at` milliseconds since 1970."""
        line = json.dumps({"kind": kind, "at": at or int(time.time() * 1000), "body": body}) + "\n"
        file = os.open(self.folder / EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def keep(self, path: Path) -> str:
        """Copy a file or a folder into the journal; returns its name there."""
        name = f"{uuid.uuid4().hex[:12]}/{path.name}"
        target = self.folder / FILES / name
        target.parent.mkdir(parents=True)
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copyfile(path, target)
        return name

    def events(self, start: int) -> Iterator[Event]:
        """Whole lines from byte `start` on; a line that is still being written is left for the next time."""
        try:
            stream = (self.folder / EVENTS).open("rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(start)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                start += len(line)
                try:
                    read = json.loads(line)
                    yield Event(read["kind"], read["at"], read["body"], start)
                except (ValueError, KeyError, TypeError):
                    # A line torn by a power cut; the next one is whole again.
                    continue

    @property
    def state(self) -> State:
        """How far it was sent."""
        try:
            return State(**json.loads((self.folder / STATE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return State()

    def update(self, **changes: Any) -> State:
        """Write the state anew, in one move."""
        state = replace(self.state, **changes)
        draft = self.folder / f"{STATE}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
        draft.replace(self.folder / STATE)
        return state

    @property
    def unsent(self) -> int:
        """Events that MLflow does not have yet."""
        return sum(1 for _ in self.events(self.state.sent))

    def drop(self) -> None:
        """Remove it; only after everything was sent."""
        shutil.rmtree(self.folder, ignore_errors=True)


def journals(root: Path) -> list[Journal]:
    """Every journal below `root`, oldest first."""
    found = [Journal(path.parent) for path in root.glob(f"*/{EVENTS}")]
    return sorted(found, key=lambda journal: (journal.folder / EVENTS).stat().st_ctime)


def numbers(values: Mapping[str, float]) -> dict[str, float | str]:
    """Finite numbers as they are, others by name: JSON has no NaN, and MLflow takes one."""
    return {name: float(value) if math.isfinite(value) else str(float(value)) for name, value in values.items()}
