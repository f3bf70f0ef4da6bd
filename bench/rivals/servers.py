"""The servers of the comparison: how each is started, what it is sent, what it answers."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bench.rivals.load import Call, once
from hilum.settings import REPOSITORY

BOUNDARY = "hilum-bench"
START_SECONDS = 120.0


def _multipart(data: bytes, kind: str) -> Call:
    suffix = {"image/jpeg": "jpg", "image/png": "png"}.get(kind, "dcm")
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="film.{suffix}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    ).encode()
    return Call("", head + data + f"\r\n--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}")


def _v2(tensor: bytes, shape: list[int], datatype: str, name: str) -> Call:
    request = {
        "inputs": [
            {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(tensor)}}
        ],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    }
    head = json.dumps(request).encode()
    return Call("", head + tensor, headers=(("Inference-Header-Content-Length", str(len(head))),))


def _to(path: str, call: Call) -> Call:
    return Call(path, call.body, call.content_type, call.headers)


@dataclass(frozen=True)
class Server:
    """One server: its environment, its module, and its calls for a film (bytes, type) and a tensor (bytes, shape)."""

    name: str
    environment: str | None
    module: str
    film: Callable[[bytes, str], Call]
    tensor: Callable[[bytes, list[int]], Call]
    ready: str
    model: str = "films"

    def python(self) -> Path:
        """The interpreter of its environment; ours has none of its own."""
        if self.environment is None:
            return Path(sys.executable)
        return REPOSITORY / ".venv-rivals" / self.environment / "bin" / "python"

    def there(self) -> bool:
        """Whether its environment is installed."""
        return self.python().exists()


def ours(model: str) -> Server:
    """Hilum's inference service serving the release named `model`."""
    return Server(
        "hilum",
        None,
        "services.inference",
        lambda data, kind: _to("/v1/predict", _multipart(data, kind)),
        lambda data, shape: _to(f"/v2/models/{model}/infer", _v2(data, shape, "FP32", "film")),
        "/readyz",
    )


RIVALS = (
    Server(
        "BentoML",
        "bentoml",
        "bench.rivals.bento",
        lambda data, kind: _to("/films", _multipart(data, kind)),
        lambda data, shape: Call("/tensors/", data),
        "/readyz",
    ),
    Server(
        "Ray Serve",
        "ray",
        "bench.rivals.ray_serve",
        lambda data, kind: Call("/films", data, kind),
        lambda data, shape: Call("/tensors", data),
        "/-/healthz",
    ),
    # KServe reads a V2 BYTES element as UTF-8 text, which a film is not: films go by its V1 protocol, in base64.
    Server(
        "KServe",
        "kserve",
        "bench.rivals.kserve_server",
        lambda data, kind: Call("/v1/models/films:predict", _base64(data), "application/json"),
        lambda data, shape: _to("/v2/models/films/infer", _v2(data, shape, "FP32", "film")),
        "/v2/health/ready",
    ),
)


def _base64(data: bytes) -> bytes:
    return json.dumps({"instances": [{"b64": base64.b64encode(data).decode()}]}).encode()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A started server."""

    server: Server
    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Processor time of it and all its processes so far."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def memory_mib(self) -> float:
        """Proportional memory of all its processes."""
        return sum(process.memory_full_info().pss for process in self._processes()) / 2**20

    def _processes(self) -> list[psutil.Process]:
        # Ray's processes leave its session's tree; they carry our variable all the same.
        marked = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RIVAL_RUN") == f"{self.server.name}-{self.port}":
                    marked.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return marked


@contextmanager
def started(server: Server, release: Path, keys: Path, log: Path) -> Iterator[Running]:
    """`server` serving `release`, ready; ended by its process ids afterwards."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "RIVAL_MODEL": str(release),
        "RIVAL_PORT": str(port),
        "RIVAL_RUN": f"{server.name}-{port}",
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "BENTOML_DO_NOT_TRACK": "True",
        "HILUM_RELEASE": str(release),
        "HILUM_TRUSTED_KEYS": str(keys),
        "HILUM_PORT": str(port),
        "HILUM_HOST": "127.0.0.1",
        "HILUM_LOG_LEVEL": "WARNING",
        "HILUM_PROVIDER": "cpu",
        # As BentoML, Ray Serve and KServe have them here: two processes of one thread.
        "HILUM_PROCESSES": "2",
        "HILUM_WORKERS": "1",
        "HILUM_QUEUE": "128",
        "HILUM_DEADLINE_SECONDS": "30",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [str(server.python()), "-m", server.module],
            env=environment,
            cwd=REPOSITORY,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(server, port, process)
    try:
        _wait(running, log)
        yield running
    finally:
        for each in running._processes():
            with _gone_is_fine():
                each.send_signal(signal.SIGTERM)
        time.sleep(2.0)
        for each in running._processes():
            with _gone_is_fine():
                each.kill()
        process.wait(timeout=30)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def _wait(running: Running, log: Path) -> None:
    film = np.zeros((1, 1, 128, 128), dtype="<f4").tobytes()
    call = running.server.tensor(film, [1, 1, 128, 128])
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if running.process.poll() is not None:
            break
        try:
            status, _ = once(running.port, call)
        except (OSError, EOFError, ValueError):
            status = 0
        if status == 200:
            return
        time.sleep(0.5)
    tail = log.read_text(encoding="utf-8", errors="replace")[-1500:]
    raise RuntimeError(f"{running.server.name} did not get ready; its log ends:\n{tail}")
