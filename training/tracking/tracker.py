"""What a training says of itself, whoever listens."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from training.tracking.journal import Journal, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Tracker(Protocol):
    """A run's listener. No call waits for a network, none raises where MLflow is away."""

    @property
    def run_id(self) -> str:
        """MLflow's id of the run, or the journal's name while MLflow has not given one."""

    def params(self, values: Mapping[str, object]) -> None:
        """Settings of the run; nested mappings are flattened with dots. A name takes one value for ever."""

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Figures at `step` (an epoch, or a count of optimiser steps)."""

    def figure(self, name: str, figure: Figure) -> None:
        """A plot, kept as `figures/NAME.png`."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """A file or a folder, copied now."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Words by which a run is found."""


class NullTracker:
    """Nobody listens."""

    run_id = "none"

    def params(self, values: Mapping[str, object]) -> None:
        """Forget them."""

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Forget them."""

    def figure(self, name: str, figure: Figure) -> None:
        """Forget it."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Forget it."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Forget them."""


@dataclass(frozen=True)
class JournalTracker:
    """Writes to a run's journal; another thread or process sends it. May be pickled to a worker of this machine."""

    journal: Journal
    known_run_id: str | None = None

    @property
    def run_id(self) -> str:
        """As in Tracker."""
        return self.known_run_id or self.journal.state.run_id or self.journal.folder.name

    def params(self, values: Mapping[str, object]) -> None:
        """As in Tracker."""
        self.journal.append("params", flat(values))

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """As in Tracker."""
        self.journal.append("metrics", {"step": int(step), "values": numbers(values)})

    def figure(self, name: str, figure: Figure) -> None:
        """As in Tracker."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=110, bbox_inches="tight")
            self.artifact(path, "/".join(["figures", *Path(name).parts[:-1]]))

    def artifact(self, path: Path, folder: str = "") -> None:
        """As in Tracker."""
        self.journal.append("artifact", {"file": self.journal.keep(path), "folder": folder})

    def tags(self, values: Mapping[str, str]) -> None:
        """As in Tracker."""
        self.journal.append("tags", {name: str(value) for name, value in values.items()})


def flat(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """`{"a": {"b": 1}}` as `{"a.b": "1"}`; lists of mappings by their place."""
    flattened: dict[str, str] = {}
    for name, value in values.items():
        inner: Any = value
        if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            inner = {str(place): each for place, each in enumerate(value)}
        if isinstance(inner, Mapping):
            flattened |= flat(inner, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = str(value)
    return flattened
