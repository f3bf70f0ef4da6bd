"""A progress line for many films: on stderr, so that stdout stays free, and only where a person looks."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} films/s" if task.speed else "")


def films_progress() -> Progress:
    """Bar, count, rate and remaining time."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("Scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
