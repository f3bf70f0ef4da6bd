"""Fifty readers save at once, at two processes on one database: each read is kept once, and the chain holds."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hilum.wire import ReadOut, ReadPage
from tests.fixtures.processes import ServiceProcess
from tests.fixtures.reads import a_read

READERS = 50
READS_EACH = 4


@pytest.fixture
def two(database_url: str, tmp_path: Path) -> Iterator[list[ServiceProcess]]:
    """Two processes, started together on an empty database."""
    services = [
        ServiceProcess("services.feedback", tmp_path / f"{number}.log", database_url=database_url) for number in (1, 2)
    ]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(ServiceProcess.start, services))
    yield services
    # Ended by the signal it was sent, after its requests: that is how uvicorn stops.
    assert {service.stop() for service in services} <= {0, -signal.SIGTERM}


@pytest.mark.slow
def test_fifty_readers_at_two_processes_lose_nothing_and_double_nothing(two: list[ServiceProcess]) -> None:
    def read_studies(reader: int) -> list[tuple[int, ReadOut]]:
        """Each read goes to both processes at the same moment, as an impatient retry would."""
        answers = []
        with httpx.Client(trust_env=False, timeout=60) as client, ThreadPoolExecutor(2) as both:
            for number in range(READS_EACH):
                body = a_read(reader, reader=f"reader-{reader}", comment=str(number)).model_dump_json()
                headers = {"Idempotency-Key": f"{reader}-{number}", "Content-Type": "application/json"}
                sent = [
                    both.submit(client.post, f"{service.url}/v1/reads", content=body, headers=headers)
                    for service in two
                ]
                for answer in (each.result() for each in sent):
                    assert answer.status_code in {200, 201}, answer.text
                    answers.append((answer.status_code, ReadOut.model_validate_json(answer.content)))
        return answers

    with ThreadPoolExecutor(READERS) as threads:
        answers = list(itertools.chain.from_iterable(threads.map(read_studies, range(READERS))))

    total = READERS * READS_EACH
    assert [status for status, _ in answers].count(201) == total
    pages = [
        ReadPage.model_validate_json(httpx.get(f"{service.url}/v1/reads?limit=1000", trust_env=False).content).reads
        for service in two
    ]
    assert pages[0] == pages[1]
    assert [read.sequence for read in pages[0]] == list(range(1, total + 1))
    assert {read.id for read in pages[0]} == {f"{r}-{n}" for r in range(READERS) for n in range(READS_EACH)}
    by_id = {read.id: read for read in pages[0]}
    assert all(read == by_id[read.id] for _, read in answers)
    for service in two:
        found = httpx.get(f"{service.url}/v1/ledger/check", trust_env=False).json()
        assert (found["holds"], found["reads"]) == (True, total)
