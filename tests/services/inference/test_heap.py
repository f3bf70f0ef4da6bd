"""Memory of films of usual size is used again, that of large ones goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import resource
import threading
from pathlib import Path
import numpy as np
from services.inference.heap import reuse_memory_of_films

assert reuse_memory_of_films()
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
"""
LARGE = """
# glibc would learn from the first array of this size that such arrays come and go, and keep the next ones.
np.ones(40_000_000, np.uint8)
before = resident()
films = [np.ones(40_000_000, np.uint8) for _ in range(12)]
last = films.pop()
kept = np.ones(1_000, np.uint8)
del films
print(resident() - before - last.nbytes)
"""
USUAL = """
def films(count):
    for _ in range(count):
        np.ones(16_000_000, np.uint8)
def in_threads(count):
    threads = [threading.Thread(target=films, args=(count,)) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
in_threads(2)
before = faults()
in_threads(20)
print(faults() - before)
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the thresholds are glibc's")


def _printed(script: str) -> int:
    done = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_large_arrays_are_given_back_though_a_later_one_is_still_held() -> None:
    assert _printed(LARGE) < 10_000_000


def test_films_of_usual_size_ask_the_system_for_no_new_pages_in_any_thread() -> None:
    one_film_pages = 16_000_000 // 4096
    assert _printed(USUAL) < 4 * one_film_pages  # 40 films; each would take its pages anew


FREED = """
import asyncio
from services.inference.heap import at_rest
begun = 0
def film():
    global begun
    begun += 1
    # A hole in the heap: what lies above it stays.
    parts = [np.ones(1_000_000, np.uint8) for _ in range(100)]
    return parts[-1]
async def main():
    resting = asyncio.create_task(at_rest(lambda: begun, 0.05))
    kept = film()
    high = resident()
    await asyncio.sleep(0.5)
    print(high - resident())
asyncio.run(main())
"""


def test_at_rest_free_memory_below_what_is_still_held_is_given_back() -> None:
    assert _printed(FREED) > 80_000_000
