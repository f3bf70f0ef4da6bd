"""Measure the worklist with a million studies: how long the server takes for each kind of list.

Fills SQLite and PostgreSQL with made rows (`bench/worklist_rows.py`), then asks the real application, in process, for
first pages, deep pages, each filter and searches, in random order; it also saves reads, and asks as a page does after
each. Writes `docs/benchmarks/worklist-<cpu>.csv`. With `--at URL` the rows are made once and the database stays.
The time is the server's alone: routing, queries, rows, JSON or HTML; no network, no browser. Bounds (the issue's):
99 of 100 within 50 ms on PostgreSQL, 100 ms on SQLite. `--processor` counts processor time instead (the process's and
its database's together), for a machine that others load; it writes `worklist-processor-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import random
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from bench.machine import describe, slug
from bench.processor import Processor
from bench.worklist_rows import SITES, SPACING, Size, accession_of, answer_some, fill, patient_of, uid_of
from hilum.collector import spare_what_stays
from hilum.storage import make_engine, upgrade
from hilum.telemetry import configure_logging
from services.web.app import create_app
from services.web.cursor import encode_cursor
from services.web.settings import WebSettings
from services.web.tables import Study
from services.web.work import MIGRATIONS
from tests.fixtures.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
BOUND_MS = {"postgresql": 50.0, "sqlite": 100.0}
WARM_UP = 5
SETTLE_SECONDS = 10
SAVED = "a read is saved"
# What a page asks for when a read was saved: its own next study, and, in every open list, what is new.
AFTER_A_READ = {
    "next, after a read": "/v1/studies?limit=10",
    "list in an open page, after a read": "/?part=list&status=unread",
}
Clock = Callable[[], float]
console = Console(stderr=True)


@dataclass(frozen=True)
class Timing:
    """One kind of list on one database, milliseconds of the server."""

    database: str
    kind: str
    milliseconds: list[float]

    @property
    def p99(self) -> float:
        """The time within which 99 of 100 are answered."""
        ranked = sorted(self.milliseconds)
        return ranked[min(int(len(ranked) * 0.99), len(ranked) - 1)]


def kinds(size: Size, now: datetime) -> dict[str, Callable[[random.Random], str]]:
    """Address of each kind of list, with what is asked for drawn anew each time."""

    def arrival(number: int) -> datetime:
        return now - SPACING * (size.studies - number)

    def any_study(chance: random.Random) -> int:
        return chance.randrange(size.studies)

    def unread_study(chance: random.Random) -> int:
        return chance.randrange(size.studies - size.unread, size.studies)

    def api(**query: object) -> str:
        return f"/v1/studies?{urlencode({name: str(value) for name, value in query.items()})}"

    def due_cursor(number: int) -> str:
        return encode_cursor("due", arrival(number), uid_of(number))

    def days(chance: random.Random, number: int) -> dict[str, object]:
        day = arrival(number).date()
        return {"since": day, "until": day + timedelta(days=chance.randrange(3))}

    return {
        "first page": lambda _: api(),
        "first page, as HTML with counts": lambda _: "/?part=list&status=unread",
        "deep page": lambda c: api(cursor=due_cursor(unread_study(c))),
        "deep page of all": lambda c: api(status="all", cursor=due_cursor(any_study(c))),
        "history, first page": lambda _: api(status="read"),
        "history, deep page": lambda c: api(
            status="read", cursor=encode_cursor("read", arrival(any_study(c)), uid_of(any_study(c)))
        ),
        "band": lambda c: api(band=c.choice(["critical", "urgent", "routine"])),
        "band, deep page": lambda c: api(band="critical", cursor=due_cursor(unread_study(c))),
        "site": lambda c: api(site=c.choice(SITES)),
        "site, history": lambda c: api(site=c.choice(SITES), status="read"),
        "site that is none": lambda _: api(site="Nowhere"),
        "common finding": lambda _: api(finding="Effusion"),
        "rare finding": lambda _: api(finding="Fracture"),
        "rare finding, history": lambda _: api(finding="Fracture", status="read"),
        "day of arrival, unread": lambda c: api(**days(c, unread_study(c))),
        "day of arrival, all": lambda c: api(status="all", **days(c, any_study(c))),
        "accession, whole": lambda c: api(q=accession_of(any_study(c)), status="all"),
        "accession, beginning": lambda c: api(q=accession_of(any_study(c))[:-2].lower(), status="all"),
        "accession, unread": lambda c: api(q=accession_of(unread_study(c))),
        "patient": lambda c: api(q=patient_of(any_study(c)), status="all"),
        "patient, beginning": lambda c: api(q=patient_of(any_study(c))[:5], status="all"),
        "text too short to mean one": lambda _: api(q="acc", status="all"),
        "text that nothing has": lambda c: api(q=f"zz{c.randrange(10**6)}", status="all"),
        "site, band and finding": lambda c: api(site=c.choice(SITES), band="urgent", finding="Effusion"),
        "not being read": lambda _: api(unclaimed="true"),
        "next, as a page asks": lambda _: api(limit=10),
        "lines of the last hour's reads": lambda _: "/history",
    }


@contextlib.asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client,
    ):
        deadline = time.monotonic() + 60
        while (await client.get("/v1/studies?limit=1")).status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise SystemExit("the reading room did not start")
            await asyncio.sleep(0.1)
        # What a start looks through once (reads not counted yet, films without their rows) is no part of a list's time.
        await asyncio.sleep(SETTLE_SECONDS)
        # As in the service, which does it before it serves (services/web/__main__.py).
        spare_what_stays()
        yield client


async def _ask(app: FastAPI, database: str, size: Size, to_read: list[str], clock: Clock) -> list[Timing]:
    chance = random.Random(11)  # noqa: S311 - the same questions in every run
    asked = kinds(size, datetime.now(UTC))
    found: dict[str, list[float]] = defaultdict(list)
    async with _running(app) as client:
        for turn in range(len(to_read)):
            for kind in chance.sample(sorted(asked), len(asked)):
                elapsed = await _timed(client, clock, "GET", asked[kind](chance))
                if turn >= WARM_UP:
                    found[kind].append(elapsed)
            read: dict[str, Any] = {
                "json": {"labels": {"Effusion": 1}},
                "headers": {"Idempotency-Key": uuid.uuid4().hex},
            }
            saved = await _timed(client, clock, "POST", f"/v1/studies/{to_read[turn]}/reads", **read)
            after = [(SAVED, saved)]
            after += [(kind, await _timed(client, clock, "GET", address)) for kind, address in AFTER_A_READ.items()]
            for kind, elapsed in after:
                if turn >= WARM_UP:
                    found[kind].append(elapsed)
    return [Timing(database, kind, found[kind]) for kind in (*asked, SAVED, *AFTER_A_READ)]


async def _timed(client: httpx.AsyncClient, clock: Clock, method: str, address: str, **request: Any) -> float:
    started = clock()
    answer = await client.request(method, address, **request)
    elapsed = 1000 * (clock() - started)
    if not answer.is_success:
        raise SystemExit(f"{address}: {answer.status_code} {answer.text[:200]}")
    return elapsed


def _fill(engine: Engine, size: Size) -> None:
    """Write the rows, unless they are there."""
    upgrade(engine, "web", MIGRATIONS)
    database = engine.dialect.name
    with engine.connect() as connection:
        if connection.scalar(select(Study.uid).limit(1)) is not None:
            console.print(f"{database}: the rows are there")
            return
    started = time.perf_counter()
    with engine.begin() as connection:
        fill(connection, size)
    console.print(f"{database}: {size.studies:,} studies written in {time.perf_counter() - started:.0f} s")
    if database == "postgresql":
        # What autovacuum does by itself within minutes of such a load.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def measure(url: str, folder: Path, size: Size, times: int, clock: Clock) -> list[Timing]:
    """Fill the database at `url` where it is empty, and ask; `folder` is empty and ours."""
    engine = make_engine(url)
    _fill(engine, size)
    with engine.begin() as connection:
        to_read = answer_some(connection, WARM_UP + times)
    database = engine.dialect.name
    engine.dispose()
    settings = WebSettings(data=folder, database_url=url)
    inference, feedback = (httpx.AsyncClient(base_url="http://127.0.0.1:9") for _ in range(2))
    app = create_app(settings, inference=inference, feedback=feedback)
    return asyncio.run(_ask(app, database, size, to_read, clock))


@contextlib.contextmanager
def _postgresql() -> Iterator[str]:
    server = PostgresServer()
    try:
        server.start()
        yield server.database_url(server.create_database())
    finally:
        server.remove()


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1_000_000, help="rows (default a million)")
    parser.add_argument("--unread", type=int, default=50_000, help="of them unread (default 50,000)")
    parser.add_argument("--times", type=int, default=200, help="questions of each kind (default 200)")
    parser.add_argument(
        "--only", choices=sorted(BOUND_MS), help="one database alone; the other's rows in the file stay"
    )
    parser.add_argument("--at", help="this database alone, filled where it is empty, and left as it is")
    parser.add_argument("--processor", action="store_true", help="processor time instead of the time that passes")
    options = parser.parse_args()
    clock: Clock = Processor() if options.processor else time.perf_counter
    size = Size(options.studies, options.unread)
    # As in the service: a line for each request would be measured too.
    configure_logging("warning", "json")
    timings: list[Timing] = []
    if options.at:
        with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name:
            timings += measure(options.at, Path(name), size, options.times, clock)
    if not options.at and options.only in {None, "sqlite"}:
        with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name:
            timings += measure(f"sqlite:///{name}/web.db", Path(name), size, options.times, clock)
    if not options.at and options.only in {None, "postgresql"}:
        with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name, _postgresql() as url:
            timings += measure(url, Path(name), size, options.times, clock)
    table = Table("database", "list", "p50 ms", "p99 ms", "worst ms", "n", title=describe())
    for timing in timings:
        late = timing.p99 > BOUND_MS[timing.database]
        numbers = (statistics.median(timing.milliseconds), timing.p99, max(timing.milliseconds))
        cells = [f"{number:.1f}" for number in numbers]
        table.add_row(
            timing.database, timing.kind, *cells, str(len(timing.milliseconds)), style="bold red" if late else ""
        )
    Console().print(table)
    _write(timings, size, "worklist-processor" if options.processor else "worklist")


def _write(timings: list[Timing], size: Size, name: str) -> None:
    target = ROOT / "docs/benchmarks" / f"{name}-{slug()}.csv"
    measured = {timing.database for timing in timings}
    kept: list[list[str]] = []
    if target.exists():
        with target.open(newline="", encoding="utf-8") as stream:
            kept = [row for row in list(csv.reader(stream))[1:] if row[0] not in measured]
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["database", "list", "p50_ms", "p99_ms", "worst_ms", "bound_ms", "n", "studies", "unread", "machine"]
        )
        writer.writerows(kept)
        for timing in timings:
            writer.writerow(
                [
                    timing.database,
                    timing.kind,
                    f"{statistics.median(timing.milliseconds):.1f}",
                    f"{timing.p99:.1f}",
                    f"{max(timing.milliseconds):.1f}",
                    f"{BOUND_MS[timing.database]:.0f}",
                    len(timing.milliseconds),
                    size.studies,
                    size.unread,
                    describe(),
                ]
            )
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
