"""The inference service as a process of its own, for the benchmarks that load it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from hilum.settings import REPOSITORY


@dataclass(frozen=True)
class Service:
    """A running service: pid, base URL, and seconds from the start of the process to ready."""

    pid: int
    url: str
    seconds_to_ready: float

    def resident_bytes(self) -> int:
        """Resident memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def service(**environment: str) -> Iterator[Service]:
    """Start it on a free port, wait until it is ready, end it with SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "HILUM_PORT": str(port),
        "HILUM_HOST": "127.0.0.1",
        "HILUM_LOG_LEVEL": "warning",
        "HILUM_DRAIN_SECONDS": "0",
        **environment,
    }
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "services.inference"], env=env, cwd=REPOSITORY)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit("the service did not start")
            try:
                if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.01)
        yield Service(process.pid, url, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(60)
