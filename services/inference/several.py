"""Several processes on one port (SO_REUSEPORT): each has its workers, its queue and its copy of the model.

One process holds Python's interpreter lock while it reads forms, headers and JSON, so that two threads do not fill two
cores. The kernel gives each new connection to one of the processes that listen; a process listens only once it has
tried to load the release. This parent serves nothing: it starts them, passes signals on, and replaces who dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from types import FrameType

import structlog
from prometheus_client.multiprocess import mark_process_dead

# In a child: the folder in which prometheus-client keeps the counts of all of them. It reads this when imported.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Set by this parent alone: the folder's variable may be somebody's own.
MEMBER = "_HILUM_MEMBER"
MODULE = "services.inference"
# Three deaths within a minute are no accident: the whole service ends, and whoever started it sees that it did.
DEATHS = 3
DEATHS_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger("hilum.inference")


def is_child() -> bool:
    """Whether this process is one of several."""
    return MEMBER in os.environ


def listener(host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket bound to `host` and `port`, not listening yet; raises OSError where the port is taken.

    `shared`: others that say so too may have it at the same time.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


def end_with_parent() -> None:
    """Get SIGTERM when the parent dies, by kill -9 too (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Team:
    """The processes of one service."""

    def __init__(self, count: int, host: str, port: int) -> None:
        # Bound alone first: another service on the port is an error, not half of the traffic.
        listener(host, port, shared=False).close()
        # Kept, never listening: it holds the port (and finds one where 0 was asked for).
        self._held = listener(host, port, shared=True)
        self.port = int(self._held.getsockname()[1])
        self._count = count
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._members: list[subprocess.Popen[bytes]] = []
        self._ending = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT, and until all have ended; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        with tempfile.TemporaryDirectory(prefix="hilum-metrics-") as folder:
            os.environ[FOLDER] = folder
            self._members = [self._start(folder) for _ in range(self._count)]
            log.info("processes", count=self._count, port=self.port, pids=[member.pid for member in self._members])
            status = 0
            while self._members:
                time.sleep(_LOOK_SECONDS)
                for member in [each for each in self._members if each.poll() is not None]:
                    status = max(status, self._bury(member, folder))
            self._held.close()
        return status

    def _start(self, folder: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, FOLDER: folder, MEMBER: "1", "HILUM_PORT": str(self.port)}
        return subprocess.Popen([sys.executable, "-m", MODULE], env=environment)  # noqa: S603 - this very program

    def _bury(self, member: subprocess.Popen[bytes], folder: str) -> int:
        self._members.remove(member)
        mark_process_dead(member.pid, folder)  # type: ignore[no-untyped-call]
        if self._ending:
            # Ended as it was told to; uvicorn raises the signal again at its end.
            return 0 if -member.returncode in {0, signal.SIGTERM, signal.SIGINT} else 1
        log.error("a process died", pid=member.pid, status=member.returncode)
        self._deaths.append(time.monotonic())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_SECONDS:
            log.error("processes die again and again: ending", deaths=DEATHS, seconds=DEATHS_SECONDS)
            self._end(signal.SIGTERM)
            return 1
        self._members.append(self._start(folder))
        return 0

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._end(number)

    def _end(self, number: int) -> None:
        self._ending = True
        for member in self._members:
            if member.poll() is None:
                member.send_signal(number)
