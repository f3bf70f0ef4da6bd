"""Memory of large films goes back to the system when they are done with."""

from __future__ import annotations

import ctypes
import sys

# malloc.h. glibc raises its own threshold to 32 MB once large arrays come and go; what lies below it stays with the
# process, in holes. Fixed, every array above 4 MB is mapped by itself and given back: after the same mutated JPEG
# files the process holds 0.4 GB instead of 0.6 (docs/api.md).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
THRESHOLD_BYTES = 4_000_000


def give_back_large_arrays() -> bool:
    """Fix glibc's thresholds; False, and nothing done, under another C library."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, THRESHOLD_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, THRESHOLD_BYTES))
