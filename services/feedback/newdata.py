"""Compaction: `new_data.csv` and `feedback_images/` in the bucket `newdata`, the layout that retraining reads.

One row per film from the read that counts, one PNG per film, without any header of the film's own; `reads.jsonl` holds
every read that `hilum retrain` weighs. One process at a time writes; the table is replaced as a whole, after its films.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import structlog

from hilum.storage import BlobMissing, Blobs
from hilum.wire import ReadIn
from services.feedback.export import BATCH, Selection, csv_text, latest, plain_cell, reads_at
from services.feedback.lease import Lease
from services.feedback.ledger import Ledger, read_out

TABLE, IMAGES, LINES = "new_data.csv", "feedback_images", "reads.jsonl"
# What a row says of a film beside its findings; `training/data/table.py` knows these columns.
FACTS = ("patient", "study", "site")
log = structlog.get_logger("hilum.feedback.newdata")


@dataclass(frozen=True)
class Compacted:
    """What lies in the bucket now. `without`: films that could not be had, left out of the table."""

    reads: int
    films: int
    written: int
    without: int


def compact(ledger: Ledger, films: Blobs, newdata: Blobs) -> Compacted | None:
    """Bring the bucket up to the ledger; None where nothing came since, or another process is at it.

    Raises DatabaseUnavailable, BlobsUnavailable, LeaseLost: the table is then what it was before.
    """
    lease = Lease(ledger, "compaction")
    mark = lease.take()
    if mark is None:
        return None
    last = mark[0]
    lines = BytesIO()
    for row in ledger.rows():
        lines.write(read_out(row).model_dump_json().encode() + b"\n")
        last = row.sequence
    if last == mark[0] and newdata.exists(TABLE):
        lease.go_on(last, done=True)
        return None
    pieces, count = BytesIO(), Counts()
    for piece in _table(ledger, films, newdata, count):
        pieces.write(piece.encode())
        lease.go_on(mark[0])
    lease.go_on(mark[0])
    newdata.put(LINES, lines.getvalue())
    newdata.put(TABLE, pieces.getvalue())
    lease.go_on(last, done=True)
    return Compacted(last, count.films, count.written, count.without)


@dataclass
class Counts:
    """Kept while the table is made."""

    films: int = 0
    written: int = 0
    without: int = 0


def _table(ledger: Ledger, films: Blobs, newdata: Blobs, count: Counts) -> Iterator[str]:
    sequences, findings = latest(ledger, Selection())
    yield csv_text([["image_id", *FACTS, *map(plain_cell, findings)]])
    seen: set[str] = set()
    for start in range(0, len(sequences), BATCH):
        rows: list[list[str]] = []
        for read in reads_at(ledger, sequences[start : start + BATCH]):
            labels = ["" if read.labels.get(name) is None else str(read.labels[name]) for name in findings]
            for film, key in zip(read.film_uids, read.film_keys or [""] * len(read.film_uids), strict=True):
                if film in seen:
                    continue
                seen.add(film)
                if _image(film, key, films, newdata, count):
                    rows.append([plain_cell(film), *map(plain_cell, _facts(read)), *labels])
        yield csv_text(rows)


def _facts(read: ReadIn) -> tuple[str, str, str]:
    return (read.patient, read.study_uid, read.site)


def _image(film: str, key: str, films: Blobs, newdata: Blobs, count: Counts) -> bool:
    """Whether the film's picture lies in the bucket, made now where it did not."""
    name = f"{IMAGES}/{film}.png"
    if not newdata.exists(name):
        picture = _picture(films, key) if key else None
        if picture is None:
            count.without += 1
            log.warning("a film of a read can't be had", film=film)
            return False
        newdata.put(name, picture)
        count.written += 1
    count.films += 1
    return True


def _picture(films: Blobs, key: str) -> bytes | None:
    """The film as a grey PNG in its own depth, 8 or 16 bits; None where it is gone or is no film."""
    import numpy as np  # noqa: PLC0415 - only the process that compacts needs pictures
    from PIL import Image  # noqa: PLC0415

    from hilum.imaging import BadFilm, decode, decode_8bit  # noqa: PLC0415

    try:
        film = decode(films.get(key))
    except (BlobMissing, BadFilm):
        return None
    deep = np.asarray(np.rint(film.pixels.astype(np.float64) * 65535), dtype=np.uint16)
    image = Image.fromarray(decode_8bit(film) if film.bits <= 8 else deep)
    stream = BytesIO()
    image.save(stream, "PNG", compress_level=3)
    return stream.getvalue()
