"""What was acknowledged survives `kill -9` at any moment, and a retry never duplicates.

A real `hilum run` process is killed HILUM_KILLS times (default 50) while clients upload films and send reads, some of
which they send again after each crash and some of which they give up.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import sqlite3
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.releases import FINDINGS, make_tiny_release, png
from tests.services.laptop.process import Laptop, wait_for

KILLS = int(os.environ.get("HILUM_KILLS", "50"))
UPLOADERS = 3
READERS = 2
# A client that gave up: what it sent may be there or not, and nobody was told that it is.
GIVES_UP = 0.25


@dataclass
class Promises:
    """What the service acknowledged with a 2xx."""

    films: dict[str, str] = field(default_factory=dict)  # film uid -> sha256
    studies: dict[str, str] = field(default_factory=dict)  # film uid -> study uid
    reads: dict[str, tuple[str, dict[str, int]]] = field(default_factory=dict)  # key -> study uid, labels
    broken: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def made(self) -> int:
        """How many there are."""
        with self.lock:
            return len(self.films) + len(self.reads)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Client(threading.Thread):
    """Sends one thing after the other; after a broken line it sends the same again, or gives it up."""

    def __init__(self, url: str, promises: Promises, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.url, self.promises, self.stop = url, promises, stop
        self.random = random.Random(seed)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=15) as client:
            while not self.stop.is_set():
                self.one(client)

    def one(self, client: httpx.Client) -> None:
        raise NotImplementedError

    def insist(self, send: Any, kind: str) -> httpx.Response | None:
        """The 2xx answer to `send`, however often the line breaks; None where this client gave up."""
        gives_up = self.random.random() < GIVES_UP
        while not self.stop.is_set():
            try:
                answer: httpx.Response = send()
            except httpx.ConnectError:
                # Nobody is there yet: nothing was sent.
                time.sleep(0.1)
                continue
            except httpx.TransportError:
                with self.promises.lock:
                    self.promises.broken[kind] += 1
                if gives_up:
                    return None
                continue
            if answer.is_success:
                return answer
            if answer.status_code != 503:
                with self.promises.lock:
                    self.promises.odd.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
                return None
            time.sleep(0.05)
        return None


class Uploader(Client):
    """Uploads films, each unlike any other."""

    def one(self, client: httpx.Client) -> None:
        noise = np.random.default_rng(self.random.getrandbits(64)).integers(40, 200, (64, 64), dtype=np.uint8)
        body = png(noise)
        answer = self.insist(lambda: client.post("/v1/studies", files={"file": ("film.png", body)}), "upload")
        if answer is not None:
            film = answer.json()["films"][0]
            with self.promises.lock:
                self.promises.films[film["film_uid"]] = hashlib.sha256(body).hexdigest()
                self.promises.studies[film["film_uid"]] = film["study_uid"]


class Reader(Client):
    """Reads studies that are known to be there."""

    def one(self, client: httpx.Client) -> None:
        with self.promises.lock:
            studies = list(self.promises.studies.values())
        if not studies:
            time.sleep(0.05)
            return
        study, key = self.random.choice(studies), uuid.uuid4().hex
        labels = {name: self.random.choice([1, 0, -1]) for name in self.random.sample(FINDINGS, 2)}
        path, headers = f"/v1/studies/{study}/reads", {"Idempotency-Key": key}
        answer = self.insist(lambda: client.post(path, json={"labels": labels}, headers=headers), "read")
        if answer is not None:
            with self.promises.lock:
                self.promises.reads[key] = (study, labels)
        time.sleep(0.02)


def _all(client: httpx.Client, path: str, items: str, parameter: str, following: str) -> list[dict[str, Any]]:
    """Every item of a paged list."""
    found: list[dict[str, Any]] = []
    mark = None
    while True:
        page = client.get(path, params={"status": "all", "limit": 200, **({parameter: mark} if mark else {})}).json()
        found += page[items]
        mark = page[following]
        if mark is None:
            return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release").folder
    chance = random.Random(20261121)
    promises, stop = Promises(), threading.Event()
    with Laptop(tmp_path / "data", release, port=_free_port()) as laptop:
        clients: list[Client] = [Uploader(laptop.url, promises, stop, n) for n in range(UPLOADERS)]
        clients += [Reader(laptop.url, promises, stop, 100 + n) for n in range(READERS)]
        for client in clients:
            client.start()
        wait_for(lambda: promises.reads, 240)
        for round_ in range(KILLS):
            # By work done and not by the clock: a slow machine loses as many promises as a fast one.
            enough = promises.made() + chance.randint(1, 12)
            wait_for(lambda enough=enough: promises.made() >= enough, 240)
            time.sleep(chance.uniform(0.0, 0.05))
            laptop.kill()
            if round_ % 10 == 9:
                # Also while it starts: migrations, leases, the outbox.
                laptop.spawn()
                time.sleep(chance.uniform(0.2, 2.0))
                laptop.kill()
            laptop.start()
        time.sleep(0.5)
        stop.set()
        for client in clients:
            client.join(timeout=60)
            assert not client.is_alive()
        assert promises.odd == []
        with httpx.Client(base_url=laptop.url, timeout=30) as client:
            _check(client, promises)
        laptop.stop(2)  # type: ignore[arg-type]
    _check_rows(tmp_path / "data", promises)
    print(
        f"\n{KILLS} kills: {len(promises.films)} films and {len(promises.reads)} reads acknowledged, all there once; "
        f"{promises.broken['upload']} uploads and {promises.broken['read']} reads were cut off"
    )
    # The loop proves nothing unless it had something to lose and something was cut off.
    assert len(promises.films) > KILLS
    assert len(promises.reads) > KILLS // 2
    assert promises.broken["upload"] > KILLS // 2
    assert promises.broken["read"] > KILLS // 4


def _check(client: httpx.Client, promises: Promises) -> None:
    """Films, reads and ledger as the API shows them."""

    def quiet() -> bool:
        lines = client.get("/metrics").text.splitlines()
        return "hilum_outbox_waiting 0.0" in lines and "hilum_films_waiting 0.0" in lines

    wait_for(quiet, 120)
    studies = [study["uid"] for study in _all(client, "/v1/studies", "studies", "cursor", "next_cursor")]
    assert len(studies) == len(set(studies))
    assert set(promises.studies.values()) <= set(studies)
    shown: Counter[str] = Counter()
    for film, study in promises.studies.items():
        detail = client.get(f"/v1/studies/{study}").json()
        shown.update({item["uid"]: 1 for item in detail["films"]})
        original = client.get(f"/v1/studies/{study}/films/{film}/original").content
        assert hashlib.sha256(original).hexdigest() == promises.films[film]
        kept = {read["id"]: read["labels"] for read in detail["reads"]}
        mine = {key: labels for key, (uid, labels) in promises.reads.items() if uid == study}
        assert mine.items() <= kept.items()
    assert all(count == 1 for count in shown.values())
    ledger = _all(client, "/feedback/v1/reads", "reads", "since", "next")
    counted = Counter(read["id"] for read in ledger)
    assert set(promises.reads) <= set(counted)
    assert max(counted.values()) == 1
    by_key = {read["id"]: (read["study_uid"], read["labels"]) for read in ledger}
    assert {key: by_key[key] for key in promises.reads} == promises.reads
    check = client.get("/feedback/v1/ledger/check")
    assert check.status_code == 200
    assert check.json()["holds"], check.text
    assert check.json()["reads"] == len(ledger)


def _check_rows(data: Path, promises: Promises) -> None:
    """Rows and bytes as they lie on disk: also what nobody was told about is whole."""
    with sqlite3.connect(data / "web.db") as rows:
        assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        films = rows.execute("SELECT uid, sha256, blob_key FROM films").fetchall()
        twice = rows.execute("SELECT sha256 FROM films GROUP BY sha256 HAVING count(*) > 1").fetchall()
        scored_twice = rows.execute("SELECT film_uid FROM predictions GROUP BY film_uid HAVING count(*) > 1").fetchall()
        reads = {row[0] for row in rows.execute("SELECT id FROM study_reads")}
    rows.close()
    assert twice == []
    assert scored_twice == []
    assert set(promises.films) <= {film[0] for film in films}
    assert set(promises.reads) <= reads
    for _, sha256, key in films:
        (found,) = (data / "films").rglob(Path(key).name)
        assert hashlib.sha256(found.read_bytes()).hexdigest() == sha256
    with sqlite3.connect(data / "feedback.db") as ledger:
        assert reads == {row[0] for row in ledger.execute("SELECT id FROM reads")}
    ledger.close()
