"""What a worker uses of the machine: processor, memory, GPU."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch


class Usage:
    """Figures since the last time they were asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process(os.getpid())
        self._gpu: Any = _gpu(device)
        psutil.cpu_percent(None)
        self._before = self._times()

    def _times(self) -> tuple[float, float]:
        used = self._process.cpu_times()
        return used.user + used.system, time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Per cent of one core used by this process, of all cores by anyone, MiB of memory; the same of a GPU."""
        busy, now = self._times()
        share = 100 * (busy - self._before[0]) / max(1e-9, now - self._before[1])
        self._before = (busy, now)
        found = {
            "system/process_cpu_percent": share,
            "system/cpu_percent": psutil.cpu_percent(None),
            "system/process_memory_mib": self._process.memory_info().rss / 2**20,
            "system/memory_percent": psutil.virtual_memory().percent,
        }
        if self._device.type == "cuda":
            found["system/gpu_memory_mib"] = torch.cuda.max_memory_allocated(self._device) / 2**20
        if self._gpu is not None:
            import pynvml  # type: ignore[import-untyped] # noqa: PLC0415 - where there is a GPU

            with suppress(pynvml.NVMLError):
                found["system/gpu_percent"] = float(pynvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu)
        return found


def _gpu(device: torch.device) -> Any:
    if device.type != "cuda":
        return None
    import pynvml  # noqa: PLC0415

    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(device).uuid)
        return pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
    return None
