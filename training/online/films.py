"""The labelled films that are sent: a Parquet manifest, or a CSV of film paths and findings."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from hilum.findings import UnknownFinding, finding
from training.data.manifest import BadData

COLUMNS = ("film", "path", "image_id")
LABELS = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": None, "-1.0": None, "": None}


@dataclass(frozen=True)
class LabelledFilm:
    """A film to send. `labels` holds 1 or 0 for each finding that is known; `key` names it in the results."""

    key: str
    path: Path
    dataset: str
    labels: dict[str, int]


def read_films(manifest: Path, folder: Path | None = None) -> list[LabelledFilm]:
    """Films of `manifest`, whose paths are relative to `folder` (default: the manifest's own).

    A .parquet file is a manifest of `hilum data manifest`. Else it is a CSV: a column `film` (or `path`, `image_id`),
    one per finding with 1, 0, -1 or blank, and, if one likes, `dataset`. Raises BadData naming file, row and remedy.
    """
    root = folder or manifest.parent
    if manifest.suffix == ".parquet":
        from training.data.parquet import read_manifest  # noqa: PLC0415 - pyarrow is slow to import

        whole = read_manifest(manifest, root)
        rows = [
            LabelledFilm(
                f"{film.source}/{film.name}",
                film.path,
                film.source,
                {n: v for n, v in zip(whole.findings, film.labels, strict=True) if v in (0, 1)},
            )
            for film in whole.films
        ]
    else:
        rows = _from_csv(manifest, root)
    known = [row for row in rows if row.labels]
    if not known:
        raise BadData(f"{manifest.name}: no film has a known label; there is nothing to compare with")
    return known


def _from_csv(manifest: Path, root: Path) -> list[LabelledFilm]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            column = next((name for name in COLUMNS if name in (reader.fieldnames or ())), None)
            if column is None:
                raise BadData(f"{manifest.name}: no column 'film'; the first row names film and findings")
            names = [name for name in reader.fieldnames or () if name not in (column, "dataset")]
            for name in names:
                _check(manifest, name)
            return [_row(manifest, number, row, column, names, root) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{manifest.name}: can't be read as CSV: {error}") from error


def _check(manifest: Path, name: str) -> None:
    try:
        finding(name)
    except UnknownFinding as error:
        raise BadData(f"{manifest.name}: column '{name}' is no finding: {error}; rename or remove it") from None


def _row(
    manifest: Path, number: int, row: dict[str, str | None], column: str, names: list[str], root: Path
) -> LabelledFilm:
    given = (row[column] or "").strip()
    if not given:
        raise BadData(f"{manifest.name}, row {number}: no film is named")
    labels: dict[str, int] = {}
    for name in names:
        text = (row[name] or "").strip()
        if text not in LABELS:
            raise BadData(f"{manifest.name}, row {number}: '{name}' is '{text}', not 1, 0, -1 or blank")
        value = LABELS[text]
        if value is not None:
            labels[name] = value
    dataset = row.get("dataset") or manifest.stem
    return LabelledFilm(f"{dataset}/{given}", root / given, dataset, labels)
