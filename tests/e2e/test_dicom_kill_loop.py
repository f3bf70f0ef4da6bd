"""DICOM through `kill -9`: what was answered 0000 is there once, and each answer's report reaches the archive once.

A real `hilum run` process is killed HILUM_DICOM_KILLS times (default 2) while modalities send films and an archive
takes the reports; the archive is away for a while too. `make chaos` does this beside uploads and reads, with every
part in a process of its own.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from pathlib import Path

from bench.chaos_dicom import Archive, Modality, compare, gauge
from tests.fixtures.ports import free_ports
from tests.releases import make_tiny_release
from tests.services.laptop.process import Laptop, wait_for

KILLS = int(os.environ.get("HILUM_DICOM_KILLS", "2"))
SENDERS = 2


class DicomLaptop(Laptop):
    """With a DICOM port and a destination of results."""

    def __init__(self, data: Path, release: Path, port: int, archive: Archive) -> None:
        super().__init__(data, release)
        self._environment |= {
            "HILUM_DICOM_PORT": str(port),
            "HILUM_RESULTS_TO": archive.address,
            "HILUM_RESULTS_HEAT": "false",
            "HILUM_RESULTS_RETRY_MAX_SECONDS": "0.5",
            "HILUM_LOG_LEVEL": "warning",
        }


def test_films_and_reports_survive_kills_exactly_once(tmp_path: Path) -> None:
    # It logs each attempt at a process that was just killed.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    release = make_tiny_release(tmp_path / "release").folder
    archive, stop, chance = Archive(), threading.Event(), random.Random(7)
    port = free_ports(1)[0]
    modalities = [Modality(port, stop, seed) for seed in range(SENDERS)]
    with DicomLaptop(tmp_path / "data", release, port, archive) as laptop:
        for modality in modalities:
            modality.start()
        for kill in range(KILLS):
            archive.here() if kill % 2 else archive.away()
            before = sum(len(modality.promised) for modality in modalities)
            wait_for(lambda before=before: sum(len(each.promised) for each in modalities) > before + 2)
            time.sleep(chance.uniform(0.0, 0.5))
            laptop.kill()
            laptop.start()
        archive.here()
        stop.set()
        for modality in modalities:
            modality.join(30)
        url = laptop.url.rstrip("/")
        try:
            wait_for(lambda: gauge(url, "hilum_films_waiting") == 0, 120)
            wait_for(lambda: gauge(url, "hilum_results_waiting") == 0, 120)
            assert gauge(url, "hilum_results_refused") == 0
            assert compare(url, modalities, archive) == (0, 0)
        finally:
            archive.away()
    promised = sum(len(modality.promised) for modality in modalities)
    assert promised > 2 * KILLS
    assert len(archive.kept) >= promised
    assert not [answer for modality in modalities for answer in modality.odd]
    print(f"{KILLS} kills: {promised} films promised, {sum(m.cut for m in modalities)} tries broken, "
          f"{len(archive.kept)} reports, {archive.times} times sent")  # fmt: skip
