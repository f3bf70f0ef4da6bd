"""A private Ray: on this machine alone, without dashboard or usage statistics, gone without a trace at the end."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A Ray that the operator runs (several machines) is used instead where this names it.
ADDRESS = "RAY_ADDRESS"
_PREFIX = "hilum-ray-"
_OBJECT_STORE_BYTES = 80 * 2**20  # Ray's smallest is 75 MiB; films go by memory map, never through it
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_enable_metrics_collection": "0",
    # glibc gives freed blocks back to the kernel and faults them in again at each step; keeping them is 1.3 times as
    # fast. It is read when a process starts, so it must stand before Ray's workers do.
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
}
# Ray's name for "take the loopback address": it serves every system, whatever it is called.
_PRIVATE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "GLOO_SOCKET_IFNAME": "lo",
    "RAY_AUTH_MODE": "token",
    # Ray keeps the first token that a process has seen, so there is one a process.
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def _sweep(folder: Path) -> None:
    """Remove what killed drivers left."""
    for old in folder.glob(f"{_PREFIX}*"):
        number = old.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def ray_cluster(cpus: int, gpus: int) -> Iterator[None]:
    """Ray with `cpus` and `gpus` to give away, for the time of the context; the environment is put back after it."""
    joined = bool(os.environ.get(ADDRESS))
    changed = dict(_SETTINGS) if joined else _SETTINGS | _PRIVATE
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    # Ray's sockets lie in this folder, and their paths may have 107 characters: it can't be below the work folder.
    top = Path(tempfile.gettempdir()) if len(tempfile.gettempdir()) < 20 else Path("/tmp")  # noqa: S108
    scratch = None
    try:
        import ray  # noqa: PLC0415 - after the environment is set

        if joined:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            _sweep(top)
            scratch = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=top))
            ray.init(
                num_cpus=cpus,
                num_gpus=gpus,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(scratch),
            )
        logging.getLogger("ray").setLevel(logging.ERROR)
        yield
    finally:
        with suppress(Exception):
            ray.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
