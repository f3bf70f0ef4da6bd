"""Evidence over 50,000 pairs, and the lead's numbers over a million studies: seconds and memory, on both databases.

Fills a database of its own, measures, and writes `docs/benchmarks/lead-<cpu>.csv`. The rows are made up; their number
and their shape are what is measured. With `--at URL` the numbers are measured on the database that `bench.worklist`
left there; with `--only` one half alone. Rows of other databases and halves stay in the file.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

import hilum.imaging  # noqa: F401 - before pydicom
from bench.machine import describe, slug
from hilum.evidence import collect
from hilum.findings import known_findings
from hilum.storage import make_engine, reading, upgrade
from services.web.evidence.rows import Scope, gather
from services.web.numbers.period import CHOICES, last
from services.web.numbers.report import numbers
from services.web.numbers.tables import AgreementHour, ReadFact
from services.web.tables import Study
from services.web.work import MIGRATIONS
from tests.fixtures.postgres import PostgresServer
from tests.services.web.evidence.filled import LIVE, SHADOW, START, fill

ROOT = Path(__file__).resolve().parent.parent
console = Console(stderr=True)
CHUNK = 5000
FINDINGS = known_findings()[:14]
Row = tuple[str, str, str, float, str]


def fill_numbers(session: Session, count: int) -> None:
    """`count` studies over a year, all but the last hour's read once, one in ten twice; agreement of every hour."""
    rng = random.Random(3)  # noqa: S311 - made-up rows
    step = timedelta(days=365) / count
    for start in range(0, count, CHUNK):
        studies, facts = [], []
        for n in range(start, min(start + CHUNK, count)):
            at = START + n * step
            band, wait = rng.choice((("critical", 900.0), ("urgent", 14400.0), ("routine", 86400.0)))
            read_at = at + timedelta(seconds=rng.expovariate(2 / wait))
            uid, site, due = f"2.26.{n}", f"site-{n % 4}", at + timedelta(seconds=wait)
            studies.append({
                "uid": uid, "accession": "", "accession_issuer": "", "patient_id": f"P-{n // 2}",
                "patient_id_issuer": "", "site": site, "priority": "", "location": "", "arrived_at": at,
                "band": band, "score": 0.5, "reason": "x", "status": "read" if n < count - 200 else "scored",
                "due_at": due, "last_read_at": read_at, "answer_version": 1, "blind": False, "synthetic": False,
            })  # fmt: skip
            for version in range(1, 3 if n % 10 == 0 else 2):
                facts.append({
                    "read_id": f"{uid}-{version}", "study_uid": uid, "read_at": read_at, "due_at": due, "site": site,
                    "reader": f"reader-{rng.randrange(20)}", "band": band, "release_digest": LIVE, "blind": n % 5 == 0,
                    "first": version == 1, "second": version > 1, "wait_seconds": (read_at - at).total_seconds(),
                    "seconds_spent": 40.0, "agree": 12, "disagree": 2, "uncertain": 0,
                })  # fmt: skip
        session.execute(insert(Study), studies)
        session.execute(insert(ReadFact), facts)
    fill_hours(session, START)


def fill_hours(session: Session, start_at: datetime) -> None:
    """Agreement of each finding in each hour of the year after `start_at`, blind reads apart."""
    hours = [
        {
            "hour": start_at + timedelta(hours=hour), "finding": finding, "release_digest": LIVE, "blind": blind,
            "agree": 90, "disagree": 8, "missed": 3, "uncertain": 1,
        }
        for hour in range(365 * 24) for finding in FINDINGS for blind in (False, True)
    ]  # fmt: skip
    for start in range(0, len(hours), CHUNK):
        session.execute(insert(AgreementHour), hours[start : start + CHUNK])


def measure(name: str, database: str, ask: Callable[[], Any], runs: int) -> Row:
    """The median of `runs`."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    console.print(f"{database:>10}  {name}: {statistics.median(taken):.2f} s (of {runs}: {max(taken):.2f} s at most)")
    return database, name, "s", round(statistics.median(taken), 3), str(runs)


def peak_mb() -> float:
    """Greatest resident memory of this process so far, megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@contextmanager
def filled(url: str, write: Callable[[Session], None]) -> Iterator[Engine]:
    """A migrated database with rows, its statistics gathered."""
    engine = make_engine(url)
    upgrade(engine, "web", MIGRATIONS)
    with Session(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("SET statement_timeout = 0"))
        write(session)
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


def bench_filled(url: str, database: str, studies: int, runs: int) -> list[Row]:
    """The page of numbers, over an empty database that is filled first."""
    with filled(url, lambda session: fill_numbers(session, studies)) as engine:
        return bench_numbers(engine, database, f"{studies} studies in a year", START + timedelta(days=365), runs)


def bench_numbers(engine: Engine, database: str, of: str, now: datetime, runs: int) -> list[Row]:
    """The page of numbers, by period, up to `now`."""
    rows: list[Row] = []
    for choice in CHOICES:

        def ask(period: Any = last(choice, now)) -> None:
            with Session(reading(engine)) as session:
                numbers(session, period, now)

        rows.append(measure(f"numbers of a {choice}, {of}", database, ask, runs))
    return rows


def bench_there(url: str, runs: int) -> list[Row]:
    """The numbers over the studies that are at `url` already."""
    engine = make_engine(url)
    now = datetime.now(UTC)
    with Session(engine) as session:
        if session.scalar(select(AgreementHour.hour).limit(1)) is None:
            fill_hours(session, (now - timedelta(days=365)).replace(minute=0, second=0, microsecond=0))
            session.execute(text("ANALYZE"))
            session.commit()
        count = session.scalar(select(func.count()).select_from(ReadFact))
    try:
        return bench_numbers(engine, engine.dialect.name, f"{count} reads in two and a half years", now, runs)
    finally:
        engine.dispose()


def bench_evidence(url: str, database: str, pairs: int, runs: int) -> list[Row]:
    """Evidence over `pairs` pairs; the database is empty again afterwards."""
    rows: list[Row] = []
    with filled(url, lambda session: fill(session, FINDINGS, pairs)) as engine:
        before = peak_mb()

        def evidence(draws: int) -> Callable[[], Any]:
            def ask() -> None:
                with Session(reading(engine)) as session:
                    found = gather(session, Scope(LIVE, SHADOW))
                collect(found.pairs, draws=draws)

            return ask

        def load() -> None:
            with Session(reading(engine)) as session:
                gather(session, Scope(LIVE, SHADOW))

        rows.append(measure(f"load {pairs} pairs and their reads", database, load, runs))
        for draws in (400, 1000):
            rows.append(measure(f"evidence of {pairs} pairs, {draws} draws", database, evidence(draws), min(runs, 3)))
        # A process's peak never falls: only the first database of a run can say it.
        if added := round(peak_mb() - before):
            rows.append((database, "memory that the evidence added", "MB", added, "1"))
        with engine.begin() as connection:
            for table in ("study_reads", "shadow_pairs", "answers", "studies"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["evidence", "numbers", "all"], default="all")
    parser.add_argument("--at", help="the numbers alone, of the database that is there")
    asked = parser.parse_args()
    if asked.at:
        write(bench_there(asked.at, asked.runs))
        return

    def both(url: str, database: str) -> list[Row]:
        rows = [] if asked.only == "numbers" else bench_evidence(url, database, asked.pairs, asked.runs)
        return rows if asked.only == "evidence" else rows + bench_filled(url, database, asked.studies, asked.runs)

    with tempfile.TemporaryDirectory() as folder:
        write(both(f"sqlite:///{folder}/web.db", "sqlite"))
    server = PostgresServer()
    server.start()
    try:
        write(both(server.database_url(server.create_database()), "postgresql"))
    finally:
        server.remove()


def write(found: list[Row]) -> None:
    """Add the rows to the file, in the place of those of the same name."""
    path = ROOT / f"docs/benchmarks/lead-{slug()}.csv"
    rows = {(row[0], row[1]): tuple(map(str, (*row, describe()))) for row in found}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            before = {(row[0], row[1]): tuple(row) for row in list(csv.reader(stream))[1:]}
        rows = {**before, **rows}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["database", "what", "unit", "median", "runs", "machine"])
        writer.writerows(rows.values())
    console.print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
