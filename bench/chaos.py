"""Kill web, feedback, PostgreSQL and the object store with SIGKILL at random while films are sent and reads saved.

Films come by upload and by C-STORE. Afterwards every film and read that was acknowledged must be there exactly once,
the report of each answer must have reached the archive exactly once, and the ledger's chain must hold.
`make chaos` runs 500 kills and writes `docs/benchmarks/chaos-<cpu>.csv`; `make test` runs a few. A long run may
be made in pieces: `--append` adds a run to the totals of the file, with another `--seed` each; every piece starts anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import logging
import math
import os
import random
import signal
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
from rich.console import Console

from bench.chaos_dicom import Archive, Modality, gauge
from bench.chaos_dicom import compare as compare_dicom
from bench.machine import describe, slug
from tests.fixtures.ports import free_ports
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import ServiceProcess
from tests.fixtures.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
from tests.releases import FINDINGS, make_tiny_release, png

ROOT = Path(__file__).resolve().parent.parent
console = Console(stderr=True)
UPLOADERS, READERS = 2, 2
# What waits is promised to arrive, not how soon: on a machine at a load of fifty it took longer than three minutes.
QUIET_SECONDS = 600.0
# A client that gave up: what it sent may be there or not, and nobody was told that it is.
GIVES_UP = 0.2


class Victim(Protocol):
    """What can be killed and started again."""

    def start(self) -> None:
        """Start and wait until it answers."""

    def kill(self) -> None:
        """End it at once."""


class HardPostgres(PostgresServer):
    """PostgreSQL whose every process is ended by SIGKILL: no shutdown of any kind, recovery from the log alone."""

    def kill(self) -> None:
        """SIGKILL to the server and its children."""
        process = self._process
        if process is None:
            return
        for pid in (process.pid, *_children(process.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(30)
        self._process = None
        time.sleep(0.1)


class HardSeaweed(SeaweedServer):
    """The object store; its `stop` is a SIGKILL already."""

    def kill(self) -> None:
        """End it at once."""
        self.stop()


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


@dataclass
class Promises:
    """What was acknowledged with a 2xx, and what was cut off."""

    films: dict[str, tuple[str, str]] = field(default_factory=dict)  # film -> study, sha256
    reads: dict[str, tuple[str, dict[str, int]]] = field(default_factory=dict)  # key -> study, labels
    cut: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """Sends one thing after the other; after a broken line it sends the same again, or gives it up."""

    def __init__(self, url: str, promises: Promises, stop: threading.Event, seed: int, *, reads: bool) -> None:
        super().__init__(daemon=True)
        self.url, self.promises, self.stop, self.reads = url, promises, stop, reads
        self.random = random.Random(seed)  # noqa: S311

    def run(self) -> None:
        """Until told to stop."""
        with httpx.Client(base_url=self.url, timeout=20, trust_env=False) as client:
            while not self.stop.is_set():
                self._read(client) if self.reads else self._upload(client)

    def _insist(self, client: httpx.Client, kind: str, path: str, **request: Any) -> httpx.Response | None:
        gives_up = self.random.random() < GIVES_UP
        while not self.stop.is_set():
            try:
                answer = client.post(path, **request)
            except httpx.TransportError as error:
                if not isinstance(error, httpx.ConnectError):
                    with self.promises.lock:
                        self.promises.cut[kind] += 1
                    if gives_up:
                        return None
                time.sleep(0.05)
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in {429, 503}:
                with self.promises.lock:
                    self.promises.odd.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
                return None
            time.sleep(0.1)
        return None

    def _upload(self, client: httpx.Client) -> None:
        noise = np.random.default_rng(self.random.getrandbits(64)).integers(40, 200, (64, 64), dtype=np.uint8)
        body = png(noise)
        answer = self._insist(client, "upload", "/v1/studies", files={"file": ("film.png", body)})
        if answer is not None:
            film = answer.json()["films"][0]
            with self.promises.lock:
                self.promises.films[film["film_uid"]] = (film["study_uid"], hashlib.sha256(body).hexdigest())

    def _read(self, client: httpx.Client) -> None:
        with self.promises.lock:
            studies = [study for study, _ in self.promises.films.values()]
        time.sleep(0.02)
        if not studies:
            return
        study, key = self.random.choice(studies), uuid.uuid4().hex
        labels = {name: self.random.choice([1, 0, -1]) for name in self.random.sample(FINDINGS, 2)}
        headers = {"Idempotency-Key": key}
        answer = self._insist(client, "read", f"/v1/studies/{study}/reads", json={"labels": labels}, headers=headers)
        if answer is not None:
            with self.promises.lock:
                self.promises.reads[key] = (study, labels)


@dataclass
class Kills:
    """How often each part was killed, and how long each start took."""

    wanted: int
    until: float = math.inf
    starts: dict[str, list[float]] = field(default_factory=dict)
    begun: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def another(self) -> bool:
        """Whether one more kill is wanted; counts it."""
        with self.lock:
            if self.begun >= self.wanted or self.errors or time.monotonic() > self.until:
                return False
            self.begun += 1
            return True


def _killer(name: str, victim: Victim, kills: Kills, promises: Promises, seed: int) -> None:
    """Kill `victim` again and again, each time after something more was acknowledged or a moment has passed."""
    chance = random.Random(seed)  # noqa: S311
    while kills.another():
        time.sleep(chance.uniform(0.0, 1.5))
        began = time.monotonic()
        try:
            victim.kill()
            _start(victim)
        except (RuntimeError, OSError) as error:
            kills.errors.append(f"{name} did not start again: {error}")
            return
        with kills.lock:
            kills.starts.setdefault(name, []).append(time.monotonic() - began)
        # Let something happen before the next one: a run that never works would prove nothing.
        before, end = len(promises.films) + len(promises.reads), time.monotonic() + 5
        while len(promises.films) + len(promises.reads) <= before and time.monotonic() < end:
            time.sleep(0.05)


def _start(victim: Victim) -> None:
    """Start; a part that another kill has hit meanwhile is tried again."""
    for attempt in range(5):
        try:
            victim.start()
        except RuntimeError:
            if attempt == 4:
                raise
            time.sleep(0.5)
        else:
            return


@dataclass(frozen=True)
class Result:
    """What was proved. `missing` and `doubled` must be 0."""

    kills: dict[str, int]
    slowest_start_seconds: dict[str, float]
    films: int
    reads: int
    dicom_films: int
    reports: int
    cut_off: dict[str, int]
    missing: int
    doubled: int
    chain_holds: bool
    odd: list[str]
    seconds: float


def run(kills: int, folder: Path, seed: int = 20261121, longest_seconds: float = math.inf) -> Result:
    """Everything started, killed `kills` times in all or for `longest_seconds`, and compared.

    Raises RuntimeError where a part doesn't start.
    """
    began = time.monotonic()
    os.environ.update(AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY, AWS_REGION="us-east-1")
    postgres, store = HardPostgres(), HardSeaweed()
    services: list[ServiceProcess] = []
    archive, dicom_port = Archive(), free_ports(1)[0]
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    try:
        archive.here()
        postgres.start()
        store.start()
        bucket = store.create_bucket()
        shared = {
            "database_url": postgres.database_url(postgres.create_database()),
            "blobs_url": f"s3://{bucket}/films",
            "s3_endpoint": store.endpoint,
            "data": str(folder / "data"),
            "log_level": "warning",
        }
        release = make_tiny_release(folder / "release").folder
        inference = ServiceProcess(
            "services.inference", folder / "inference.log", release=str(release), trusted_keys="", log_level="warning"
        )
        feedback = ServiceProcess(
            "services.feedback",
            folder / "feedback.log",
            newdata_url=f"s3://{bucket}/newdata",
            archive_seconds="1",
            **shared,
        )
        web = ServiceProcess(
            "services.web", folder / "web.log", inference_url=inference.url, feedback_url=feedback.url, blind_share="0",
            retry_max_seconds="1", poll_seconds="0.5", dicom_port=str(dicom_port), results_to=archive.address,
            results_heat="false", results_retry_max_seconds="1", **shared,
        )  # fmt: skip
        services = [inference, feedback, web]
        for service in services:
            service.start()
        promises, stop = Promises(), threading.Event()
        clients = [Client(web.url, promises, stop, n, reads=n >= UPLOADERS) for n in range(UPLOADERS + READERS)]
        modality = Modality(dicom_port, stop, seed)
        for client in (*clients, modality):
            client.start()
        _wait(lambda: bool(promises.reads), 120, "no read was saved")
        found = Kills(kills, began + longest_seconds)
        victims: dict[str, Victim] = {"web": web, "feedback": feedback, "postgresql": postgres, "object store": store}
        killers = [
            threading.Thread(target=_killer, args=(name, victim, found, promises, seed + n), daemon=True)
            for n, (name, victim) in enumerate(victims.items())
        ]
        for killer in killers:
            killer.start()
        while any(killer.is_alive() for killer in killers):
            time.sleep(1)
            done = sum(len(each) for each in found.starts.values())
            if int(time.monotonic() - began) % 30 == 0:
                console.print(f"{done} kills, {len(promises.films)} films, {len(promises.reads)} reads")
        if found.errors:
            raise RuntimeError("; ".join(found.errors))
        time.sleep(1)
        stop.set()
        for client in (*clients, modality):
            client.join(60)
        missing, doubled, holds = _compare(web.url, feedback.url, promises)
        for name in ("hilum_films_waiting", "hilum_results_waiting"):
            _wait(lambda name=name: gauge(web.url, name) == 0, QUIET_SECONDS, f"{name} is not 0")
        missing_dicom, doubled_dicom = compare_dicom(web.url, [modality], archive)
    finally:
        archive.away()
        for service in services:
            service.kill()
        store.remove()
        postgres.remove()
    return Result(
        kills={name: len(each) for name, each in found.starts.items()},
        slowest_start_seconds={name: max(each) for name, each in found.starts.items()},
        films=len(promises.films),
        reads=len(promises.reads),
        dicom_films=len(modality.promised),
        reports=len(archive.kept),
        cut_off={**promises.cut, "C-STORE": modality.cut},
        missing=missing + missing_dicom,
        doubled=doubled + doubled_dicom,
        chain_holds=holds,
        odd=[*promises.odd, *modality.odd],
        seconds=time.monotonic() - began,
    )


def _wait(look: Any, seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if look():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise RuntimeError(why)
        time.sleep(0.1)


def _compare(web_url: str, feedback_url: str, promises: Promises) -> tuple[int, int, bool]:
    """Missing, doubled, whether the chain holds: by the API, and each film's bytes."""
    missing = doubled = 0
    with httpx.Client(timeout=60, trust_env=False) as client:

        def quiet() -> bool:
            waiting = gauge(web_url, "hilum_outbox_waiting")
            ready = client.get(f"{feedback_url}/readyz")
            console.print(f"reads that wait: {waiting:.0f}; feedback: {ready.text[:300]}")
            time.sleep(2)
            return waiting == 0 and ready.is_success

        _wait(quiet, QUIET_SECONDS, "reads still wait for feedback")
        ledger: Counter[str] = Counter()
        after: int | None = 0
        while after is not None:
            page = client.get(f"{feedback_url}/v1/reads", params={"since": after, "limit": 1000}).json()
            ledger.update(read["id"] for read in page["reads"])
            after = page["next"]
        by_study: dict[str, list[str]] = {}
        for film, (study, _) in promises.films.items():
            by_study.setdefault(study, []).append(film)
        for study, films in by_study.items():
            detail = client.get(f"{web_url}/v1/studies/{study}").json()
            shown = Counter(film["uid"] for film in detail.get("films", []))
            kept = {read["id"]: read["labels"] for read in detail.get("reads", [])}
            for film in films:
                body = client.get(f"{web_url}/v1/studies/{study}/films/{film}/original").content
                missing += shown[film] == 0 or hashlib.sha256(body).hexdigest() != promises.films[film][1]
                doubled += shown[film] > 1
            mine = {key: labels for key, (uid, labels) in promises.reads.items() if uid == study}
            missing += sum(kept.get(key) != labels for key, labels in mine.items())
        missing += sum(ledger[key] == 0 for key in promises.reads)
        doubled += sum(count > 1 for count in ledger.values())
        holds = bool(client.get(f"{feedback_url}/v1/ledger/check").json()["holds"])
    return missing, doubled, holds


def rows(result: Result) -> list[tuple[str, str]]:
    """The result as lines of a CSV."""
    found = [("machine", describe()), ("seconds", f"{result.seconds:.0f}"), ("kills", str(sum(result.kills.values())))]
    found += [(f"kills of {name}", str(count)) for name, count in sorted(result.kills.items())]
    found += [(f"slowest start of {n} (s)", f"{s:.1f}") for n, s in sorted(result.slowest_start_seconds.items())]
    found += [("films acknowledged", str(result.films)), ("reads acknowledged", str(result.reads))]
    found += [("films answered 0000", str(result.dicom_films)), ("reports at the archive", str(result.reports))]
    found += [(f"{kind}s cut off", str(count)) for kind, count in sorted(result.cut_off.items())]
    found += [("missing", str(result.missing)), ("doubled", str(result.doubled))]
    found += [("chain holds", str(result.chain_holds).lower()), ("odd answers", str(len(result.odd)))]
    return [*found, ("runs", "1")]


def added(before: dict[str, str], now: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The totals of a file with another run: sums, the slowest start of all, and the chain where it held every time."""

    def total(name: str, value: str) -> str:
        if name not in before or name == "machine":
            return value
        if name == "chain holds":
            return "true" if {value, before[name]} == {"true"} else "false"
        if name.startswith("slowest"):
            return max(value, before[name], key=float)
        return str(int(before[name]) + int(value))

    told = dict(now)
    names = [*told, *(name for name in before if name not in told)]
    return [(name, total(name, told[name]) if name in told else before[name]) for name in names]


def main() -> None:
    """Run, write the result, end with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"chaos-{slug()}.csv")
    parser.add_argument("--minutes", type=float, default=math.inf, help="Begin no kill after this time.")
    parser.add_argument("--seed", type=int, default=20261121, help="What the waits are drawn from.")
    parser.add_argument("--append", action="store_true", help="Add to the totals of the file, if it is there.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hilum-chaos-") as folder:
        result = run(given.kills, Path(folder), given.seed, longest_seconds=given.minutes * 60)
    lines, before = rows(result), {}
    if given.append and given.out.exists():
        with given.out.open(newline="", encoding="utf-8") as stream:
            before = {line[0]: line[1] for line in list(csv.reader(stream))[1:]}
    with given.out.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("what", "value"), *added(before, lines)])
    for name, value in lines:
        console.print(f"{name:32} {value}")
    for answer in result.odd[:5]:
        console.print(answer)
    raise SystemExit(bool(result.missing or result.doubled or result.odd or not result.chain_holds))


if __name__ == "__main__":
    main()
