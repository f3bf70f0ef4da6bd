"""What a process made before it serves is left out of later collections."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from hilum.collector import spare_what_stays
kept = [[] for _ in range(100_000)]
spare_what_stays()
assert gc.get_freeze_count() >= 100_000, gc.get_freeze_count()
assert len(gc.get_objects()) < 10_000, len(gc.get_objects())
"""


def test_objects_from_before_are_looked_through_no_more() -> None:
    # In a process of its own: the tests' own objects stay what they are.
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
