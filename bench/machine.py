"""What machine a figure was measured on: a part of every result, and of its file's name."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def cpu() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> str:
    """One line for a table's head."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu()}, {cores()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def slug() -> str:
    """A part of a file name: processor and cores."""
    plain = re.sub(r"\(r\)|\(tm\)|processor|cpu|@.*", " ", cpu(), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") + f"-{cores()}-cores"
