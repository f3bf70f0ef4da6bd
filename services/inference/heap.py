"""Memory of films: those of usual size use the same pages again, that of larger ones goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Callable

# malloc.h. By default glibc gives each thread an arena of its own, learns thresholds from the sizes it sees, and keeps
# holes in every arena. Here all threads share one; an array below the threshold comes from pages that the last film
# left (asking the system for 16 MB anew costs 4,096 page faults: 10 ms of a film's 40), one above it (glibc takes no
# higher threshold; a film of more than 8 million pixels) is mapped by itself and given back.
_M_ARENA_MAX = -8
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
THRESHOLD_BYTES = 2**25
# Free memory at the end of the heap beyond this goes back: two films in work, twice.
KEPT_BYTES = 2**27


def reuse_memory_of_films() -> bool:
    """Fix glibc's thresholds; False, and nothing done, under another C library. To be called before threads start."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, THRESHOLD_BYTES), (_M_TRIM_THRESHOLD, KEPT_BYTES))
    taken = [mallopt(option, value) for option, value in options]
    return all(taken)


def give_back_free_memory() -> None:
    """Return every free page of the heap to the system (glibc's malloc_trim). The next films ask for pages anew."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def at_rest(begun: Callable[[], int], look_seconds: float) -> None:
    """For ever: after `look_seconds` without new work (`begun` counts it), give back what the last films left.

    Under load the heap stands at the largest that chance ever laid films side by side; at rest it need not.
    """
    given, seen = -1, begun()
    while True:
        await asyncio.sleep(look_seconds)
        now = begun()
        if now == seen != given:
            await asyncio.to_thread(give_back_free_memory)
            given = now
        seen = now
