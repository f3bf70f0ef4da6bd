"""A manifest as one Parquet file, to be read by anything that knows Parquet.

Columns: film, path, sha256, source, patient, study, site, device, devices, view, sex, age, weight, table, row, then one
nullable int8 column per finding (1 present, 0 absent, -1 uncertain, null unknown). The schema's metadata holds the
version, the findings in order, the digest, and as JSON what was left out, masked, and found to give labels away.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.data.manifest import VERSION, BadData, Film, LeftOut, Manifest, Masked, Shortcut
from training.data.place import unwritable

FACTS = pa.schema(
    [
        pa.field("film", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("patient", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in ("study", "site", "device", "view", "sex")),
        pa.field("devices", pa.int8()),
        pa.field("age", pa.int16()),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("table", pa.string(), nullable=False),
        pa.field("row", pa.int32()),
    ]
)
_PREFIX = "hilum."


def write_manifest(manifest: Manifest, path: Path, folder: Path) -> None:
    """Write `manifest` to `path`, whole or not at all; films below `folder` by their path relative to it."""
    root = folder.absolute()
    columns: dict[str, list[Any]] = {
        name: [getattr(film, name) for film in manifest.films] for name in FACTS.names if name not in ("film", "path")
    }
    columns["film"] = [film.name for film in manifest.films]
    columns["path"] = [_relative(film.path.absolute(), root) for film in manifest.films]
    labels = list(zip(*(film.labels for film in manifest.films), strict=True)) or [()] * len(manifest.findings)
    facts = [pa.array(columns[field.name], field.type) for field in FACTS]
    found = [pa.array(column, pa.int8()) for column in labels]
    schema = pa.schema([*FACTS, *(pa.field(name, pa.int8()) for name in manifest.findings)], metadata=_notes(manifest))
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(pa.Table.from_arrays([*facts, *found], schema=schema), beside, compression="zstd")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def read_manifest(path: Path, folder: Path) -> Manifest:
    """Read what `write_manifest` wrote; raises BadData where it is no manifest, or its films are not its digest's."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadData(f"{path.name}: not a Parquet file that can be read: {error}") from error
    notes = {name.decode(): text for name, text in (table.schema.metadata or {}).items()}
    try:
        version = int(notes[f"{_PREFIX}version"])
        findings = tuple(json.loads(notes[f"{_PREFIX}findings"]))
        digest = notes[f"{_PREFIX}digest"].decode()
        left_out, masked, shortcuts = (json.loads(notes[f"{_PREFIX}{n}"]) for n in ("left_out", "masked", "shortcuts"))
    except (KeyError, ValueError) as error:
        raise BadData(f"{path.name}: no manifest of Hilum's: its schema has no {error}") from error
    if version != VERSION:
        raise BadData(f"{path.name}: version {version} of the manifest, this Hilum reads {VERSION}: make it again")
    if missing := [name for name in (*FACTS.names, *findings) if name not in table.column_names]:
        raise BadData(f"{path.name}: no column {', '.join(map(repr, missing))}")
    root = folder.absolute()
    rows = table.to_pylist()
    manifest = Manifest(
        findings,
        tuple(_film(row, findings, root) for row in rows),
        tuple(LeftOut(**each) for each in left_out),
        tuple(Masked(**each) for each in masked),
        tuple(Shortcut(**each) for each in shortcuts),
    )
    if manifest.digest != digest:
        raise BadData(f"{path.name}: its films are not those it was written with (digest {digest[:12]}): make it again")
    return manifest


def _film(row: dict[str, Any], findings: tuple[str, ...], root: Path) -> Film:
    facts = {name: row[name] for name in FACTS.names if name not in ("film", "path")}
    return Film(name=row["film"], path=root / row["path"], labels=tuple(row[name] for name in findings), **facts)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _notes(manifest: Manifest) -> dict[str, str]:
    notes = {
        "version": str(VERSION),
        "findings": json.dumps(manifest.findings),
        "digest": manifest.digest,
        "left_out": json.dumps([asdict(each) for each in manifest.left_out]),
        "masked": json.dumps([asdict(each) for each in manifest.masked]),
        "shortcuts": json.dumps([asdict(each) for each in manifest.shortcuts]),
    }
    return {f"{_PREFIX}{name}": text for name, text in notes.items()}
