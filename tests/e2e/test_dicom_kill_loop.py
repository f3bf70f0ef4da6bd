"""DICOM through `kill -9`: what was answered 0000 is there once, and each answer's report reaches the archive once.

A real `hilum run` process is killed HILUM_DICOM_KILLS times (default 2) while modalities send films and an archive
takes the reports; the archive is away for a while too.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pydicom
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE, evt

from tests.fixtures.ports import free_ports
from tests.hilum.imaging.bodies import COMPUTED_RADIOGRAPHY, dicom
from tests.releases import make_tiny_release, pattern
from tests.services.laptop.process import Laptop, wait_for

KILLS = int(os.environ.get("HILUM_DICOM_KILLS", "2"))
SENDERS = 2
# It logs each attempt at a process that was just killed.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


class Archive:
    """An application entity that keeps what it is given, by SOPInstanceUID; `away` refuses connections."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.kept: dict[str, set[bytes]] = {}
        self.times: Counter[str] = Counter()
        self._entity = AE("ARCHIVE")
        self._entity.supported_contexts = []
        for uid in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
            self._entity.add_supported_context(uid)
        self._server = None

    def here(self) -> None:
        """Take associations."""
        if self._server is None:
            handlers = [(evt.EVT_C_STORE, self._store)]
            self._server = self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def away(self) -> None:
        """Take none."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.kept.setdefault(uid, set()).add(event.encoded_dataset(include_meta=False))
        self.times[uid] += 1
        return 0x0000


class Modality(threading.Thread):
    """Sends films one after the other, each until it is answered; then it counts as promised."""

    def __init__(self, port: int, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.port, self.stop = port, stop
        self.random = np.random.default_rng(seed)
        self.promised: dict[str, str] = {}
        self.broken = 0

    def run(self) -> None:
        entity = AE(f"CR{self.ident}"[:16])
        entity.add_requested_context(COMPUTED_RADIOGRAPHY)
        while not self.stop.is_set():
            # In the release's domain, and each another.
            pixels = pattern(0, 128) // 2 + self.random.integers(0, 3, (128, 128), dtype=np.uint8)
            film = pydicom.dcmread(BytesIO(dicom(pixels, StudyInstanceUID=generate_uid())))
            while not self.stop.is_set() and not self._sent(entity, film):
                self.broken += 1
                time.sleep(0.05)

    def _sent(self, entity: AE, film: pydicom.Dataset) -> bool:
        assoc = entity.associate("127.0.0.1", self.port, ae_title="HILUM")
        if not assoc.is_established:
            return False
        answer = assoc.send_c_store(film)
        assoc.release()
        if answer.get("Status") != 0:
            return False
        self.promised[str(film.SOPInstanceUID)] = str(film.StudyInstanceUID)
        return True


class DicomLaptop(Laptop):
    """With a DICOM port and a destination of results."""

    def __init__(self, data: Path, release: Path, port: int, archive: Archive) -> None:
        super().__init__(data, release)
        self._environment |= {
            "HILUM_DICOM_PORT": str(port),
            "HILUM_RESULTS_TO": f"dicom://ARCHIVE@127.0.0.1:{archive.port}",
            "HILUM_RESULTS_HEAT": "false",
            "HILUM_RESULTS_RETRY_MAX_SECONDS": "0.5",
            "HILUM_LOG_LEVEL": "warning",
        }


def _gauge(url: str, name: str) -> float:
    lines = httpx.get(f"{url}metrics", trust_env=False).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_films_and_reports_survive_kills_exactly_once(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release").folder
    archive, stop, chance = Archive(), threading.Event(), random.Random(7)
    port = free_ports(1)[0]
    modalities = [Modality(port, stop, seed) for seed in range(SENDERS)]
    laptop = DicomLaptop(tmp_path / "data", release, port, archive)
    laptop.start()
    for modality in modalities:
        modality.start()
    for kill in range(KILLS):
        archive.here() if kill % 2 else archive.away()
        before = sum(len(modality.promised) for modality in modalities)
        wait_for(lambda before=before: sum(len(m.promised) for m in modalities) > before + 2)
        time.sleep(chance.uniform(0.0, 0.5))
        laptop.kill()
        laptop.start()
    archive.here()
    stop.set()
    for modality in modalities:
        modality.join(30)
    promised = {film: study for modality in modalities for film, study in modality.promised.items()}
    assert len(promised) > 2 * KILLS
    try:
        wait_for(lambda: _gauge(laptop.url, "hilum_films_waiting") == 0, 120)
        wait_for(lambda: _gauge(laptop.url, "hilum_results_waiting") == 0, 120)
        assert _gauge(laptop.url, "hilum_results_refused") == 0
        answered = 0
        with httpx.Client(base_url=laptop.url, trust_env=False, timeout=30) as client:
            for film, study in promised.items():
                detail = client.get(f"/v1/studies/{study}").json()
                assert [found["uid"] for found in detail["films"]] == [film]
                answered += detail["answer_version"]
            original = client.get(f"/v1/studies/{study}/films/{film}/original")
            assert original.is_success
    finally:
        laptop.kill()
        laptop._output.close()
        archive.away()
    assert len(archive.kept) >= answered > 0
    assert all(len(bodies) == 1 for bodies in archive.kept.values()), "the same report under the same name each time"
    print(f"{KILLS} kills: {len(promised)} films promised, {sum(m.broken for m in modalities)} tries broken, "
          f"{len(archive.kept)} reports, {sum(archive.times.values())} times sent")  # fmt: skip
