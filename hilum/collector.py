"""Python's collector of cyclic garbage, and the pause that it makes.

A full collection goes through every object of the process while no thread runs: the 300,000 or so that imports and
first requests of web made take 100 ms, for which a reader's list waits. Nearly all of them live as long as the process.
"""

from __future__ import annotations

import gc


def spare_what_stays() -> None:
    """Collect once, then leave what is there now out of all later collections; for a process that begins to serve."""
    gc.collect()
    gc.freeze()
