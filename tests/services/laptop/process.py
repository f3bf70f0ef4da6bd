"""A real `hilum run` process for tests."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 240.0


def wait_for(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `look` gives once it is true; a service that does not answer yet is not true yet."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := look():
                return found
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Laptop:
    """`hilum run` on a folder, with a release, on a free port; killed when the block ends."""

    def __init__(self, data: Path, release: Path, *, samples: bool = False, port: int = 0) -> None:
        self.data = data
        self._environment = self.environment(release)
        self._options = ["--data", str(data), "--port", str(port), "--samples" if samples else "--no-samples"]
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__

    @staticmethod
    def command() -> list[str]:
        """The command, as installed beside this interpreter."""
        return [sys.executable, "-m", "services.cli"]

    @staticmethod
    def environment(release: Path, **more: str) -> dict[str, str]:
        """Settings of the process: none of this session's own."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("HILUM_")}
        return {**mine, "HILUM_RELEASE": str(release), "HILUM_TRUSTED_KEYS": "", "HILUM_BLIND_SHARE": "0", **more}

    def spawn(self) -> None:
        """Start, and return at once."""
        self._output.seek(0)
        self._output.truncate()
        self.process = subprocess.Popen(
            [*self.command(), "run", *self._options],
            cwd=ROOT,
            env=self._environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def start(self) -> None:
        """Start, and return once it has printed its address."""
        self.spawn()
        assert self.process is not None
        end = time.monotonic() + START_SECONDS
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/", self.printed())):
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < end, self.printed()
            time.sleep(0.01)
        self.url = found.group()

    def printed(self) -> str:
        """Everything that it wrote."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal, wait for the end; exit status and everything that was written."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        return code, self.printed()

    def kill(self) -> None:
        """As the power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._output.close()


def ended(data: Path, release: Path, *options: str) -> tuple[int, str]:
    """Run to the end, which should come by itself; exit status and everything that was written."""
    done = subprocess.run(
        [*Laptop.command(), "run", "--data", str(data), "--port", "0", "--no-samples", *options],
        cwd=ROOT,
        env=Laptop.environment(release),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
