"""What a person sees of a run: bars while it works, one table at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from hilum.release import Release
from training.release.parts import title

LINE_EVERY = 100


class Bars:
    """One bar per stage and per member; use as a context."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._members: dict[int, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def add(self, name: str, total: int) -> Callable[[int], None]:
        """A bar of `total` units; the function returned advances it."""
        task = self._progress.add_task(name, total=total)
        return lambda count: self._progress.advance(task, count)

    def member(self, member: int, step: int, steps: int, loss: float) -> None:
        """Show the progress of one network."""
        if member not in self._members:
            self._members[member] = self._progress.add_task(f"train network {member + 1}", total=steps)
        self._progress.update(
            self._members[member], completed=step, description=f"train network {member + 1}, loss {loss:.4f}"
        )
        # A log has no bars: a line now and then says that the work goes on.
        if not self._progress.console.is_terminal and (step % LINE_EVERY == 0 or step == steps):
            self._progress.console.print(f"train network {member + 1}: step {step} of {steps}, loss {loss:.4f}")

    def stage(self, films: Mapping[str, int]) -> Callable[[str, int], None]:
        """A tick for `training.bundle.build`: a bar per split; `films` says how many are scored of each."""
        bars: dict[str, Callable[[int], None]] = {}

        def tick(name: str, count: int) -> None:
            if name in films and name not in bars:
                bars[name] = self.add(f"score {name}", films[name])
            if name in bars:
                bars[name](count)

        return tick


def summary(release: Release) -> Table:
    """The release's figures on the locked patients, one row per finding."""
    report = json.loads((release.folder / release.manifest.evaluation).read_text(encoding="utf-8"))
    populations = report["populations"]
    first = report["critical"]["source"]
    mean = (populations.get(first, {}).get("mean_auroc") or {}).get("value", float("nan"))
    name = f"{release.manifest.name} {release.manifest.version}"
    table = Table(
        title=f"{name}, locked patients of {title(first)}, mean AUROC {mean:.3f}",
        caption=f"digest {release.digest}",
    )
    for column in ("finding", "positive films", "AUROC", "sensitivity at alert", "specificity at alert"):
        table.add_column(column, justify="left" if column == "finding" else "right")

    def text(figure: dict[str, float] | None) -> str:
        return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"

    for source in sorted(populations, key=lambda each: (each != first, each)):
        for finding, figures in populations[source]["findings"].items():
            alert = figures.get("alert", {})
            cells = (text(figures["auroc"]), text(alert.get("sensitivity")), text(alert.get("specificity")))
            whose = finding if source == first else f"{finding} ({title(source)})"
            table.add_row(whose, str(figures["positive_films"]), *cells)
    return table
