"""Results on disk, one line of JSON a film, so that a stream that was broken off goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from training.data.manifest import BadData

Outcome = Literal["scored", "out_of_domain", "not_scorable", "refused", "unreadable", "unavailable"]
OUTCOMES: tuple[Outcome, ...] = ("scored", "out_of_domain", "not_scorable", "refused", "unreadable", "unavailable")


@dataclass(frozen=True)
class Result:
    """What became of a film. `release` is the digest that answered; `present` what it called present."""

    film: str
    dataset: str
    outcome: Outcome
    reason: str
    release: str
    labels: dict[str, int]
    probabilities: dict[str, float]
    present: tuple[str, ...]
    seconds: float

    @property
    def final(self) -> bool:
        """Whether asking again would change nothing."""
        return self.outcome not in ("unavailable", "unreadable")


class ResultFile:
    """The file of results: read what is there, append what comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Iterator[Result]:
        """Every result so far; a line torn by a crash is left out. Raises BadData where it is another file."""
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                read = json.loads(line)
                yield Result(**{**read, "present": tuple(read["present"])})
            except (ValueError, TypeError, KeyError) as error:
                if number == len(lines):
                    return
                raise BadData(f"{self._path.name}, line {number}: no result of evaluate-online: {error}") from error

    def append(self, result: Result) -> None:
        """Add one."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(result)) + "\n")

    def repair(self) -> None:
        """Cut a torn last line, so that what is appended stands on its own."""
        if self._path.exists() and self._path.stat().st_size and not self._ends_whole():
            data = self._path.read_bytes()
            self._path.write_bytes(data[: data.rfind(b"\n") + 1])

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as stream:
            stream.seek(-1, 2)
            return stream.read(1) == b"\n"
