"""Rows of a source's table, with errors that name the table and the row; drafts of films made from them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.manifest import BadData, Film

# A row number is that of a spreadsheet: the header is row 1.
FIRST_ROW = 2
OLDEST = 120
# What tables write for a label, and the label.
VALUES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1}
VIEWS = {"PA": "PA", "AP": "AP", "LATERAL": "LATERAL", "LAT": "LATERAL", "LL": "LATERAL", "RL": "LATERAL"}
SEXES = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M"}


@dataclass(frozen=True)
class Draft:
    """A film as a table tells of it: `file` is its name in the source's place; its bytes are not looked at yet."""

    film: Film
    file: str
    table: str = ""
    row: int | None = None

    def __str__(self) -> str:
        return f"{self.table}, row {self.row}" if self.row is not None else self.file


@dataclass(frozen=True)
class Row:
    """One row. `cells` are stripped texts by column."""

    table: str
    number: int
    cells: dict[str, str]

    def __str__(self) -> str:
        return f"{self.table}, row {self.number}"

    def wrong(self, text: str) -> BadData:
        """An error about this row."""
        return BadData(f"{self}: {text}")

    def text(self, column: str) -> str | None:
        """The cell, None where the column is missing or blank."""
        return self.cells.get(column) or None

    def needed(self, column: str) -> str:
        """The cell; raises BadData where it is blank."""
        if not (text := self.text(column)):
            raise self.wrong(f"'{column}' is blank")
        return text

    def label(self, column: str, blank: int | None) -> int | None:
        """1, 0 or -1, `blank` for a blank cell; raises BadData for anything else."""
        text = self.cells[column]
        if not text:
            return blank
        if text not in VALUES:
            raise self.wrong(f"'{column}' is '{text}'; a label is 1, 0, -1 or blank")
        return VALUES[text]

    def age(self, column: str) -> int | None:
        """Whole years, None where blank or above what anyone reaches (NIH has ages of 414); raises BadData."""
        if (text := self.text(column)) is None:
            return None
        try:
            years = int(float(text))
        except ValueError:
            raise self.wrong(f"'{column}' is '{text}'; an age is a number of years") from None
        return years if 0 <= years <= OLDEST else None

    def sex(self, column: str) -> str | None:
        """F, M, or None."""
        return SEXES.get((self.text(column) or "").upper())

    def view(self, column: str) -> str | None:
        """PA, AP or LATERAL; another text as it stands."""
        text = self.text(column)
        return VIEWS.get(text.upper(), text) if text else None


def read_rows(path: Path, title: str, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV with a header; raises BadData for a missing or repeated column, a ragged row, or no rows at all."""
    count = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, title, needed)
            for number, cells in enumerate(reader, start=FIRST_ROW):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise BadData(f"{title}, row {number}: {len(cells)} cells under {len(header)} columns")
                count += 1
                yield Row(title, number, dict(zip(header, map(str.strip, cells), strict=True)))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise BadData(f"{title}: not a readable CSV file in UTF-8: {error}") from error
    if not count:
        raise BadData(f"{title}: has no rows")


def _check_header(header: Sequence[str], title: str, needed: Sequence[str]) -> None:
    if missing := [name for name in needed if name not in header]:
        raise BadData(f"{title}: no column {', '.join(map(repr, missing))}; it has {', '.join(header) or 'nothing'}")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise BadData(f"{title}: column {', '.join(map(repr, repeated))} stands there twice")
