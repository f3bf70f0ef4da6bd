"""Migrate a filled database while the previous version works on it, then let the new version take over beside it.

The previous version is the commit before the newest migration of the reading room (`--previous` names another). Its own
code fills PostgreSQL with made studies, and serves. While films are sent, reads saved and lists asked for, this
checkout's migrations run; the previous version goes on, this one starts beside it on the same rows, then the previous
one is stopped. Every acknowledged film and read must be there exactly once, and nothing may be answered but 2xx or
"try again" (503). Writes `docs/benchmarks/migrate-live-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console

from bench.chaos import ROOT, Client, Promises, _compare
from bench.machine import describe, slug
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import ServiceProcess

MIGRATIONS = "services/web/migrations"
FILL = """
import sys
from bench.worklist_rows import Size, fill
from hilum.storage import make_engine
with make_engine(sys.argv[1]).begin() as connection:
    fill(connection, Size(int(sys.argv[2]), int(sys.argv[2]) // 20))
"""
RELEASE = """
import sys
from pathlib import Path
from tests.releases import make_tiny_release
make_tiny_release(Path(sys.argv[1]))
"""
console = Console(stderr=True)


@dataclass
class Watch(threading.Thread):
    """Asks for the list ten times a second, and notes each answer and the longest that one took in each phase."""

    url: str
    over: threading.Event
    phase: str = "before it"
    statuses: Counter[str] = field(default_factory=Counter)
    slowest_seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Until told to stop."""
        with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as client:
            while not self.over.wait(0.1):
                phase, began = self.phase, time.monotonic()
                status = str(client.get("/v1/studies", params={"limit": 50}).status_code)
                taken = time.monotonic() - began
                self.statuses[status] += 1
                self.slowest_seconds[phase] = max(self.slowest_seconds.get(phase, 0.0), taken)


def git(*words: str) -> bytes:
    """What git says."""
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603, S607


def before_the_newest_migration() -> str:
    """The commit before the one that added the newest migration."""
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/0*.py").decode().strip()
    return git("rev-parse", f"{added}^").decode().strip()


def checked_out(commit: str, folder: Path) -> Path:
    """The commit's code in a folder of its own."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "hilum", "services", "bench", "tests"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def command(root: Path, *words: str, database: str = "") -> float:
    """Run Python in the checkout `root`; the seconds that it took."""
    environment = {"PYTHONPATH": str(root), "HILUM_DATABASE_URL": database, "PATH": "/usr/bin:/bin"}
    began = time.monotonic()
    subprocess.run([sys.executable, *words], cwd=root, env=environment, check=True)  # noqa: S603
    return time.monotonic() - began


@dataclass
class Run:
    """The parts, what was acknowledged, and how much of it by the end of each phase."""

    old: Path
    database: str
    folder: Path
    promises: Promises = field(default_factory=Promises)
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    took_seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shared = {"database_url": self.database, "data": str(self.folder / "data"), "log_level": "warning"}
        release = {"release": str(self.folder / "release"), "trusted_keys": ""}
        self.inference = self._service("inference", root=self.old, **release)
        self.feedback = self._service("feedback", root=self.old, **shared)
        self.new_feedback = self._service("feedback", at=self.feedback.port, **shared)
        room = {"inference_url": self.inference.url, "feedback_url": self.feedback.url, "blind_share": "0", **shared}
        self.web = self._service("web", root=self.old, **room)
        self.new_web = self._service("web", **room)
        self.services = [self.inference, self.feedback, self.new_feedback, self.web, self.new_web]

    def _service(self, name: str, *, at: int = 0, root: Path = ROOT, **settings: str) -> ServiceProcess:
        log = self.folder / f"{name}-{'new' if root == ROOT else 'previous'}.log"
        return ServiceProcess(f"services.{name}", log, at=at, root=root, **settings)

    def clients(self, url: str, seed: int, over: threading.Event) -> list[threading.Thread]:
        """One that sends films and two that read, at work."""
        made = [Client(url, self.promises, over, seed + n, reads=n > 0) for n in range(3)]
        for client in made:
            client.start()
        return list(made)

    def phase(self, name: str, seconds: float) -> None:
        """Let them work."""
        time.sleep(seconds)
        self.acknowledged[name] = (len(self.promises.films), len(self.promises.reads))
        console.print(f"{name}: films, reads {self.acknowledged[name]}")

    def all_phases(self, seconds: float) -> Watch:
        """Previous version, migration, previous version, both, this version alone; what the lists were answered."""
        over, gone = threading.Event(), threading.Event()
        try:
            for service in (self.inference, self.feedback, self.web):
                service.start()
            watch = Watch(self.web.url, gone)
            at_work = [*self.clients(self.web.url, 0, gone), watch]
            watch.start()
            self.phase("previous version", seconds)
            watch.phase = "migration"
            for part in ("web", "feedback"):
                self.took_seconds[part] = command(ROOT, "-m", f"services.{part}.migrate", database=self.database)
            watch.phase = "after it"
            self.phase("previous version on the new tables", seconds)
            self.new_web.start()
            self.feedback.stop()
            self.new_feedback.start()
            later = self.clients(self.new_web.url, 10, over)
            self.phase("both versions", seconds)
            gone.set()
            for thread in at_work:
                thread.join(60)
            self.web.stop()
            self.phase("this version alone", seconds / 2)
            over.set()
            for thread in later:
                thread.join(60)
        finally:
            gone.set()
            over.set()
        return watch


def run(previous: str, studies: int, seconds: float, folder: Path) -> list[tuple[str, str]]:
    """Everything once; the result as lines. Raises RuntimeError where a part does not start."""
    old = checked_out(previous, folder / "previous")
    known = {path.name for path in (old / MIGRATIONS).glob("0*.py")}
    added = sorted(path.name for path in (ROOT / MIGRATIONS).glob("0*.py") if path.name not in known)
    postgres = PostgresServer()
    found = None
    try:
        postgres.start()
        database = postgres.database_url(postgres.create_database())
        command(old, "-m", "services.web.migrate", database=database)
        console.print(f"{studies} studies written in {command(old, '-c', FILL, database, str(studies)):.0f} s")
        command(old, "-c", RELEASE, str(folder / "release"))
        found = Run(old, database, folder)
        watch = found.all_phases(seconds)
        missing, doubled, holds = _compare(found.new_web.url, found.new_feedback.url, found.promises)
    finally:
        for service in found.services if found else []:
            service.kill()
        postgres.remove()
    for answer in found.promises.odd[:5]:
        console.print(answer)
    longest = watch.slowest_seconds.items()
    return [
        ("machine", describe()),
        ("previous version", git("log", "-1", "--format=%h %cs", previous).decode().strip()),
        ("migrations", " ".join(added)),
        ("studies in the database before", str(studies)),
        *((f"migration of {name}, start of Python and all (s)", f"{s:.1f}") for name, s in found.took_seconds.items()),
        *((f"longest list of the previous version, {phase} (s)", f"{s:.2f}") for phase, s in longest),
        *((f"lists answered {status}", str(count)) for status, count in sorted(watch.statuses.items())),
        *((f"films and reads by the end of: {phase}", f"{n} {m}") for phase, (n, m) in found.acknowledged.items()),
        ("uploads and reads cut off", str(sum(found.promises.cut.values()))),
        ("odd answers", str(len(found.promises.odd))),
        ("missing", str(missing)),
        ("doubled", str(doubled)),
        ("chain holds", str(holds).lower()),
    ]


def main() -> None:
    """Run, write the result, end with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--previous", help="A commit; default: that before the newest migration.")
    parser.add_argument("--studies", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="How long each phase lasts.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"migrate-live-{slug()}.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hilum-migrate-") as folder:
        lines = run(given.previous or before_the_newest_migration(), given.studies, given.seconds, Path(folder))
    for name, value in lines:
        console.print(f"{name:60} {value}")
    with given.out.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("what", "value"), *lines])
    told = dict(lines)
    refused = [name for name in told if name.startswith("lists answered") and name[-3:] != "200"]
    counted = [told[name] for name in ("missing", "doubled", "odd answers")]
    raise SystemExit(bool(refused) or counted != ["0", "0", "0"] or told["chain holds"] != "true")


if __name__ == "__main__":
    main()
