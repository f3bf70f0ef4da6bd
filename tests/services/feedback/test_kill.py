"""The service is killed at any moment while readers save: every acknowledged read is in the ledger, once, unchanged."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from hilum.wire import ReadOut, ReadPage
from tests.fixtures.processes import ServiceProcess
from tests.fixtures.reads import a_read

KILLS = int(os.environ.get("HILUM_KILLS", "20"))
READERS = 4


class Reader(threading.Thread):
    """Saves reads, each under its key until it is acknowledged, over as many lives of the service as that takes."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__()
        self.number, self.url, self.stop = number, url, stop
        self.acknowledged: list[ReadOut] = []
        self.refused: list[str] = []

    def run(self) -> None:
        """Until told to stop."""
        with httpx.Client(trust_env=False, timeout=20) as client:
            while not self.stop.is_set():
                self._save(client, f"{self.number}-{len(self.acknowledged)}")

    def _save(self, client: httpx.Client, key: str) -> None:
        body = a_read(self.number, comment=key, labels={"Effusion": 1}).model_dump_json()
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        while not self.stop.is_set():
            try:
                answer = client.post(f"{self.url}/v1/reads", content=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            if not answer.is_success:
                self.refused.append(answer.text)
                self.stop.set()
                return
            self.acknowledged.append(ReadOut.model_validate_json(answer.content))
            return


@pytest.mark.slow
def test_no_acknowledged_read_is_lost_or_doubled(database_url: str, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    service = ServiceProcess("services.feedback", tmp_path / "log", database_url=database_url)
    stop = threading.Event()
    readers = [Reader(number, service.url, stop) for number in range(READERS)]
    service.start()
    for reader in readers:
        reader.start()
    try:
        for _ in range(KILLS if database_url.startswith("sqlite") else KILLS // 2):
            time.sleep(chance.uniform(0.05, 0.3))
            service.kill()
            service.start()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert [reader.refused for reader in readers] == [[]] * READERS

    acknowledged = [read for reader in readers for read in reader.acknowledged]
    kept: list[ReadOut] = []
    since: int | None = 0
    while since is not None:
        page = ReadPage.model_validate_json(
            httpx.get(f"{service.url}/v1/reads", params={"since": since, "limit": 1000}, trust_env=False).content
        )
        kept, since = kept + page.reads, page.next
    found = httpx.get(f"{service.url}/v1/ledger/check", trust_env=False).json()
    service.stop()

    assert len(acknowledged) > KILLS
    by_id = {read.id: read for read in kept}
    assert all(by_id.get(read.id) == read for read in acknowledged)
    # Beyond those, at most the one read per reader that was on its way.
    assert len(kept) == len(by_id) <= len(acknowledged) + READERS
    assert (found["holds"], found["reads"]) == (True, len(kept))
