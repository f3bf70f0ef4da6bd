"""The CSV file of `hilum score`: rows are flushed to FILE.part as they come, FILE is replaced at the end, whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FIXED = ("file", "sha256", "release", "status", "band", "reason")
# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Row:
    """One file's row. `scores`: probability and present per finding; empty where the file was not scored."""

    file: str
    sha256: str
    release: str
    status: str
    band: str = ""
    reason: str = ""
    scores: dict[str, tuple[float, bool]] = field(default_factory=dict)


def _safe(name: str) -> str:
    """`name` as a path that no spreadsheet takes for a formula and that still names the file."""
    text = f"./{name}" if name.startswith(_FORMULA) else name
    return text.encode("utf-8", "replace").decode()


class Table:
    """The rows of one release's findings in one file."""

    def __init__(self, path: Path, findings: tuple[str, ...], release: str) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.findings = findings
        self.release = release

    @property
    def columns(self) -> list[str]:
        """The header."""
        return [*FIXED, *(f"{name} {what}" for name in self.findings for what in ("probability", "present"))]

    def _cells(self, row: Row) -> list[str]:
        cells = [_safe(row.file), row.sha256, row.release, row.status, row.band, row.reason]
        for name in self.findings:
            score = row.scores.get(name)
            cells += ["", ""] if score is None else [f"{score[0]:.6f}", str(int(score[1]))]
        return cells

    def _row(self, cells: list[str]) -> Row:
        scores = {}
        for k, name in enumerate(self.findings):
            probability, present = cells[len(FIXED) + 2 * k : len(FIXED) + 2 * k + 2]
            if probability:
                scores[name] = (float(probability), present == "1")
        file, sha256, release, status, band, reason = cells[: len(FIXED)]
        return Row(file.removeprefix("./"), sha256, release, status, band, reason, scores)

    def rows_before(self) -> dict[str, Row]:
        """Rows that a broken-off run with the same release left, by file; a torn last row is left out."""
        try:
            with self.part.open(newline="", encoding="utf-8") as stream:
                lines = list(csv.reader(stream))
        except (FileNotFoundError, UnicodeDecodeError, csv.Error):
            return {}
        if not lines or lines[0] != self.columns:
            return {}
        # The last line may have been cut anywhere: it is scored again.
        whole = [cells for cells in lines[1:-1] if len(cells) == len(self.columns) and cells[2] == self.release]
        return {row.file: row for row in map(self._row, whole) if row.sha256}

    @contextmanager
    def writing(self) -> Iterator[Callable[[Row], None]]:
        """Give the function that writes one row; on a good end the whole file takes its place."""
        with self.part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.columns)

            def write(row: Row) -> None:
                writer.writerow(self._cells(row))
                stream.flush()

            yield write
            os.fsync(stream.fileno())
        self.part.replace(self.path)
