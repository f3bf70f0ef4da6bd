"""CheXpert (Irvin et al., AAAI 2019) in its exact layout: train.csv and valid.csv, 1, 0, -1; blank is absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hilum.findings import dataset_labels, exact_finding
from training.config import Source
from training.data.manifest import BadData, Film, LeftOut
from training.data.place import Place
from training.data.rows import Draft, Row, read_rows

SOURCE = "chexpert"
TABLES = ("train.csv", "valid.csv")
COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
DEVICES = "Support Devices"
FRONTAL, LATERAL = "Frontal", "Lateral"
# Nothing was said of the finding in the report.
BLANK = 0
_PATH = re.compile(r"(patient\d+)/(study\d+)/([^/]+)\.(jpg|jpeg|png)$")


def read_chexpert(
    place: Place, source: Source, findings: tuple[str, ...], laterals: bool = False
) -> Iterator[Draft | LeftOut]:
    """Drafts of every table that is there (or of `source.table`); laterals are left out, by choice, unless asked for.

    A Path like `CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg` is found whether the source's path is
    the folder that holds `CheXpert-v1.0-small` or that folder itself. A finding that is none of CheXpert's by an exact
    relation is unknown.
    """
    roots = sorted({str(PurePosixPath(name).parent) for name in place.names if PurePosixPath(name).name in TABLES})
    tables = [str(PurePosixPath(root) / name) for root in roots for name in TABLES]
    tables = [source.table] if source.table else [name for name in tables if name in place.names]
    if not tables:
        raise BadData(f"{place.title}: neither train.csv nor valid.csv; is this CheXpert's folder?")
    labels = dataset_labels(SOURCE)
    column_of = {name: label for label in labels if (name := exact_finding(SOURCE, label)) is not None}
    for table in tables:
        for row in read_rows(place.table(table), f"{place.title}/{table}", (*COLUMNS, *labels)):
            yield _draft(row, place, source, findings, column_of, laterals)


def _draft(
    row: Row, place: Place, source: Source, findings: tuple[str, ...], column_of: dict[str, str], laterals: bool
) -> Draft | LeftOut:
    path = row.needed("Path")
    parts = _PATH.search(path)
    if parts is None:
        raise row.wrong(f"'Path' is '{path}', not .../patient<N>/study<N>/<view>.jpg")
    patient, study, view = parts[1], parts[2], parts[3]
    name = f"{patient}_{study}_{view}"
    side = row.needed("Frontal/Lateral")
    if side not in (FRONTAL, LATERAL):
        raise row.wrong(f"'Frontal/Lateral' is '{side}', neither Frontal nor Lateral")
    # Every label is looked at, also of a film that is left out: a wrong one says that the table is not what it seems.
    values = {label: row.label(label, BLANK) for label in dataset_labels(SOURCE)}
    if side == LATERAL and not laterals:
        return LeftOut(source.title, name, "a lateral (data.laterals is false)", row.table, row.number, fault=False)
    film = Film(
        name=name,
        path=Path(),
        sha256="",
        source=source.title,
        patient=f"{SOURCE}:{patient}",
        labels=tuple(values[column_of[each]] if each in column_of else None for each in findings),
        # A few frontals carry LL or RL there.
        view="LATERAL" if side == LATERAL else {"AP": "AP", "PA": "PA"}.get(row.cells["AP/PA"]),
        sex=row.sex("Sex"),
        age=row.age("Age"),
        study=f"{patient}/{study}",
        site=source.site,
        devices=values[DEVICES] if values[DEVICES] != -1 else None,
    )
    return Draft(film, _file(path, place), row.table, row.number)


def _file(path: str, place: Place) -> str:
    """The file's name in `place`: the whole path, or without its first folder."""
    short = path.partition("/")[2]
    return short if short in place.names else path
