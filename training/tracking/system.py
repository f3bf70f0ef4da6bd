"""Use of processor, memory, disk, network and GPU while a run goes on, by MLflow's own monitors."""

from __future__ import annotations

import logging
import threading
from typing import Any

from training.tracking.tracker import Tracker

PREFIX = "system/"


class SystemMetrics:
    """A thread that samples every `seconds` and tells `tracker`; through the journal, so that an outage loses none."""

    def __init__(self, tracker: Tracker, seconds: float) -> None:
        self._tracker, self._seconds = tracker, seconds
        self._stop = threading.Event()
        self._step = 0
        self._monitors = _monitors()
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample and end."""
        self._stop.set()
        self._thread.join(self._seconds + 30)

    def sample(self) -> None:
        """One sample of everything."""
        figures: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            figures |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        self._tracker.metrics({f"{PREFIX}{name}": value for name, value in figures.items()}, self._step)
        self._step += 1

    def _work(self) -> None:
        while not self._stop.wait(self._seconds):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self.sample()
        except Exception:  # a driver's error must not end a training
            logging.getLogger(__name__).warning("system metrics can't be read", exc_info=True)
            self._stop.set()


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor  # noqa: PLC0415
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor  # noqa: PLC0415
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor  # noqa: PLC0415
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor  # noqa: PLC0415

    monitors: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except Exception:  # no GPU here, or no driver: pynvml has an error of its own for each
        logging.getLogger(__name__).debug("no GPU to watch")
    return monitors
