"""Processor time of this process and of its PostgreSQL backends: what a machine that others load can measure too."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event


class Processor:
    """A clock that stands still while nobody works for us. The database must run on this machine."""

    def __init__(self) -> None:
        self._backends: set[int] = set()
        event.listen(Engine, "connect", self._connected)

    def _connected(self, connection: Any, _: Any) -> None:
        info = getattr(connection, "info", None)
        if info is not None:
            self._backends.add(info.backend_pid)

    def __call__(self) -> float:
        """Seconds so far."""
        return time.process_time() + sum(_seconds(pid) for pid in self._backends)


def _seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
