"""Scoring a folder of films to CSV, without a server."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.progress import Progress

from hilum.imaging import BadFilm, Limits, NotAnImage
from hilum.triage import Band, urgency
from services.inference import answers
from services.inference.assess import assess
from services.inference.scorer import NotScorable, Scorer
from services.inference.settings import InferenceSettings
from services.inference.table import Row, Table

# A file of unknown content under another suffix than these was never meant to be a film.
FILM_SUFFIXES = frozenset({"", ".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".dic", ".ima"})


@dataclass
class Summary:
    """What became of the files. `bad` holds a line for each file that could not be read as a film."""

    statuses: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    bad: list[str] = field(default_factory=list)

    def sentence(self, out: Path) -> str:
        """One line for the person who started the run."""
        counts = ", ".join(f"{self.statuses[s]} {s}" for s in ("scored", "not_scored", "bad", "skipped"))
        kept = f" ({self.kept} of them from the run before)" if self.kept else ""
        return f"{self.statuses.total()} files{kept}: {counts}. Written to {out}."


def list_files(folder: Path) -> list[Path]:
    """Every regular file below `folder`, sorted; hidden ones and links to folders are left out."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root) / name for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file()]


class _Unreadable(Exception):
    """The file's bytes can't be had."""


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise _Unreadable(f"The file is larger than {max_bytes} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise _Unreadable(f"The file can't be read: {error.strerror}.") from None


def score_file(path: Path, name: str, scorer: Scorer, settings: InferenceSettings) -> Row:
    """The row of one file; never raises for what is wrong with the file."""
    row = Row(name, "", scorer.release.digest, "bad")
    try:
        data = _read(path, settings.max_body_bytes)
        row = replace(row, sha256=hashlib.sha256(data).hexdigest())
        done = assess(scorer, data, Limits(max_pixels=settings.max_pixels))
    except NotAnImage as error:
        meant = path.suffix.lower() in FILM_SUFFIXES
        return replace(row, status="bad" if meant else "skipped", reason=str(error))
    except (BadFilm, _Unreadable) as error:
        return replace(row, reason=str(error))
    except NotScorable as error:
        return replace(row, status="not_scored", band=Band.URGENT.value, reason=str(error))
    answer = answers.prediction(scorer, done, 0.0)
    ranked = urgency([answer], scorable_pending=False)
    if not answer.domain.in_domain:
        return replace(row, status="not_scored", band=ranked.band.value, reason=answer.domain.reason or ranked.reason)
    scores = {f.name: (f.probability, f.present) for f in answer.findings}
    return replace(row, status="scored", band=ranked.band.value, reason=ranked.reason, scores=scores)


def _in_order(jobs: Iterable[Path], scored: ThreadPoolExecutor, work: _Work, ahead: int) -> Iterator[Row]:
    """Rows in the order of `jobs`, with at most `ahead` films in memory."""
    waiting: deque[Future[Row]] = deque()
    for job in jobs:
        waiting.append(scored.submit(work, job))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass(frozen=True, eq=False)
class _Work:
    folder: Path
    scorer: Scorer
    settings: InferenceSettings
    before: dict[str, Row]

    def __call__(self, path: Path) -> Row:
        name = path.relative_to(self.folder).as_posix()
        earlier = self.before.get(name)
        if earlier is not None and earlier.sha256 == _sha256(path):
            return earlier
        return score_file(path, name, self.scorer, self.settings)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def score_folder(
    folder: Path, out: Path, scorer: Scorer, settings: InferenceSettings, *, workers: int, progress: Progress
) -> Summary:
    """Score every file below `folder` into the CSV file `out`; rows of a run that was broken off are taken over."""
    table = Table(out, scorer.manifest.findings, scorer.release.digest)
    own = {out.absolute(), table.part.absolute()}
    files = [path for path in list_files(folder) if path.absolute() not in own]
    summary = Summary()
    task = progress.add_task("score", total=len(files))
    work = _Work(folder, scorer, settings, table.rows_before())
    with table.writing() as write, ThreadPoolExecutor(workers) as pool:
        for row in _in_order(files, pool, work, ahead=4 * workers):
            write(row)
            summary.statuses[row.status] += 1
            summary.kept += work.before.get(row.file) is row
            if row.status == "bad":
                summary.bad.append(f"{row.file}: {row.reason}")
            progress.advance(task)
    return summary
