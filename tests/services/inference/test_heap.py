"""Memory of large films goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from services.inference.heap import give_back_large_arrays

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "fixed":
    assert give_back_large_arrays()
# glibc learns from the first array of this size that such arrays come and go.
np.ones(25_000_000, np.uint8)
before = resident()
films = [np.ones(25_000_000, np.uint8) for _ in range(12)]
last = films.pop()
kept = np.ones(1_000, np.uint8)
del films
print(resident() - before - last.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the thresholds are glibc's")
def test_large_arrays_are_given_back_though_a_later_one_is_still_held() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, "fixed"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10_000_000
