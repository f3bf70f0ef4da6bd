"""HILUM_PROCESSES: several real processes on one port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from hilum.release import Release
from tests.releases import FINDINGS, pattern_film
from tests.services.inference.test_drain import Load
from tests.services.inference.test_over_http import process, wait_until_ready


@pytest.fixture
def team(release: Release) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with process(release.folder, HILUM_PROCESSES="2", HILUM_WORKERS="1", HILUM_DRAIN_SECONDS="0.5") as (parent, url):
        wait_until_ready(url)
        eventually(lambda: len(listening(url)) == 2)
        yield parent, url


def listening(url: str) -> set[int]:
    """The processes that listen on the address."""
    port = int(url.rpartition(":")[2])
    return {
        c.pid
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid
    }


def eventually(done: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.05)


def predict(url: str, k: int) -> list[str]:
    """A film on a connection of its own; the findings that are present."""
    answer = httpx.post(f"{url}/v1/predict", files={"file": pattern_film(k)}, trust_env=False, timeout=30)
    answer.raise_for_status()
    return [f["name"] for f in answer.json()["findings"] if f["present"]]


def counted(url: str) -> float:
    lines = httpx.get(f"{url}/metrics", trust_env=False).text.splitlines()
    found = [line for line in lines if line.startswith("hilum_predict_seconds_count") and 'phase="infer"' in line]
    return float(found[0].rpartition(" ")[2])


def test_both_answer_and_the_metrics_page_of_either_counts_the_films_of_both(
    team: tuple[subprocess.Popen[bytes], str],
) -> None:
    parent, url = team
    assert [predict(url, k % 2) for k in range(40)] == [[FINDINGS[k % 2]] for k in range(40)]
    assert [counted(url) for _ in range(10)] == [40.0] * 10
    worked = [psutil.Process(pid).cpu_times().user for pid in listening(url)]
    assert len(worked) == 2
    assert parent.pid not in listening(url)


def test_one_that_is_killed_is_replaced_and_the_other_answers_meanwhile(
    team: tuple[subprocess.Popen[bytes], str],
) -> None:
    parent, url = team
    first, second = sorted(listening(url))
    os.kill(first, signal.SIGKILL)
    eventually(lambda: first not in listening(url))
    assert [predict(url, 1) for _ in range(5)] == [[FINDINGS[1]]] * 5
    eventually(lambda: len(listening(url)) == 2)
    assert second in listening(url)
    assert parent.poll() is None


def test_processes_that_die_again_and_again_end_the_whole_service(team: tuple[subprocess.Popen[bytes], str]) -> None:
    parent, url = team
    for _ in range(3):
        eventually(lambda: len(listening(url)) == 2)
        os.kill(min(listening(url)), signal.SIGKILL)
        time.sleep(0.3)
    assert parent.wait(30) == 1
    assert listening(url) == set()


def test_under_load_no_request_is_lost_while_all_of_them_end(team: tuple[subprocess.Popen[bytes], str]) -> None:
    parent, url = team
    callers = [Load(url, keep_alive=k % 2 == 0) for k in range(6)]
    eventually(lambda: min(len(caller.answers) for caller in callers) >= 3)
    parent.send_signal(signal.SIGTERM)
    for caller in callers:
        caller.join()
    assert parent.wait(15) == 0
    assert [caller.cut for caller in callers] == [[]] * 6
    assert {status for caller in callers for status in caller.answers} == {200}


def test_none_outlives_a_parent_that_was_killed(team: tuple[subprocess.Popen[bytes], str]) -> None:
    parent, url = team
    parent.kill()
    eventually(lambda: listening(url) == set())


def test_a_port_that_another_service_has_is_an_error_and_not_half_of_its_traffic(release: Release) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        environment = {
            **os.environ,
            "HILUM_PORT": str(other.getsockname()[1]),
            "HILUM_PROCESSES": "2",
            "HILUM_RELEASE": str(release.folder),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "services.inference"], env=environment, capture_output=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert b"Address already in use" in ended.stderr
