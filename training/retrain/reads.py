"""Reads as they leave feedback: its CSV export, a JSON-lines file of whole reads, or the running service itself."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from hilum.clients.base import Refused, Unavailable, over_network
from hilum.clients.feedback import FeedbackClient
from hilum.release import Release
from hilum.wire import ReadOut
from training.data.manifest import BadData

VALUES = {"1": 1, "0": 0, "-1": -1, "1.0": 1, "0.0": 0, "-1.0": -1}
# The CSV export names no reader: all its rows count as one who is not known to read blind.
NOBODY = ""


@dataclass(frozen=True)
class FilmRead:
    """What one reader said of one film: 1, 0, -1 for each finding that was judged. `received_at` None: not told.

    `decides`: an adjudication, which settles what its readers contradict each other on.
    """

    film: str
    reader: str
    blind: bool
    labels: dict[str, int]
    received_at: datetime | None = None
    site: str = ""
    decides: bool = False


def load_reads(source: str) -> list[FilmRead]:
    """Reads of `source`: http(s) address of feedback, a `.jsonl` of its reads, or its `export.csv`.

    Of a reader's several reads of a film the last counts; one that was taken back does not. Raises BadData naming file,
    row and remedy.
    """
    if source.startswith(("http://", "https://")):
        reads = asyncio.run(_from_service(source))
        return _of_films(reads)
    path = Path(source)
    try:
        if path.suffix == ".jsonl":
            return _of_films(_from_lines(path))
        return _from_export(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path.name}: can't be read: {getattr(error, 'strerror', None) or error}") from error


async def _from_service(url: str) -> list[ReadOut]:
    client = FeedbackClient(over_network(url))
    reads: list[ReadOut] = []
    after: int | None = 0
    try:
        while after is not None:
            page = await client.reads_since(after, 1000)
            reads += page.reads
            after = page.next
    except (Unavailable, Refused) as error:
        raise BadData(f"feedback at {url} can't be read ({error}); start it, or give an export file") from error
    finally:
        await client.aclose()
    return reads


def _from_lines(path: Path) -> list[ReadOut]:
    reads = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            if line.strip():
                reads.append(ReadOut.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise BadData(f"{path.name}, line {number}: no read of feedback: {where}: {first['msg']}") from error
    return reads


def _of_films(reads: list[ReadOut]) -> list[FilmRead]:
    last: dict[tuple[str, str, bool], FilmRead] = {}
    taken_back = {read.replaces for read in reads if read.kind == "withdrawal"}
    reads = [read for read in reads if read.kind != "withdrawal" and read.id not in taken_back]
    for read in sorted(reads, key=lambda each: (min(each.read_at, each.received_at), each.sequence)):
        labels = {name: int(value) for name, value in read.labels.items() if value is not None}
        for film in dict.fromkeys(read.film_uids):
            decides = read.kind == "adjudication"
            # Of several adjudications the newest counts, whoever made it.
            key = (film, "" if decides else read.reader, decides)
            # A blind read is worth more than the same reader's second thoughts in sight of the answer.
            if not decides and key in last and last[key].blind and not read.blind:
                continue
            last[key] = FilmRead(film, read.reader, read.blind, labels, read.received_at, read.site, decides)
    return [read for read in last.values() if read.labels]


def _from_export(path: Path) -> list[FilmRead]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if "image_id" not in (reader.fieldnames or ()):
            raise BadData(f"{path.name}: no column 'image_id'; give feedback's export.csv, or a .jsonl of its reads")
        reads: dict[str, FilmRead] = {}
        for number, row in enumerate(reader, start=2):
            film = (row["image_id"] or "").removeprefix("'")
            if film in reads:
                raise BadData(f"{path.name}, row {number}: film {film} stands there twice")
            reads[film] = FilmRead(film, NOBODY, False, _labels(path, number, row))
    return [read for read in reads.values() if read.labels]


def _labels(path: Path, number: int, row: dict[str, str | None]) -> dict[str, int]:
    labels = {}
    for name, text in row.items():
        if name == "image_id" or text is None or not text.strip():
            continue
        if text.strip() not in VALUES:
            raise BadData(f"{path.name}, row {number}: '{name}' is '{text}', not 1, 0, -1 or blank")
        labels[name] = VALUES[text.strip()]
    return labels


def new_reads(reads: list[FilmRead], base: Release) -> list[FilmRead]:
    """Reads that came since `base` was made; those without a time count as new (the export was made with `since`)."""
    made = datetime.fromisoformat(base.manifest.created)
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return [read for read in reads if read.received_at is None or read.received_at >= made]
