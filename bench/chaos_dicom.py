"""The DICOM side of `bench.chaos`: modalities that send films by C-STORE, and the archive that takes the reports."""

from __future__ import annotations

import threading
import time
from collections import Counter
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pydicom
from pydicom.uid import ComprehensiveSRStorage, generate_uid
from pynetdicom import AE, evt

import hilum.imaging  # noqa: F401 - before pydicom
from tests.fixtures.ports import free_ports
from tests.hilum.imaging.bodies import COMPUTED_RADIOGRAPHY, dicom
from tests.releases import pattern


class Archive:
    """An application entity that keeps reports by SOPInstanceUID; `away` refuses connections."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.kept: dict[str, set[bytes]] = {}
        self.studies: Counter[str] = Counter()
        self.times = 0
        self._entity = AE("ARCHIVE")
        self._entity.add_supported_context(ComprehensiveSRStorage)
        self._server: Any = None

    @property
    def address(self) -> str:
        """For `HILUM_RESULTS_TO`."""
        return f"dicom://ARCHIVE@127.0.0.1:{self.port}"

    def here(self) -> None:
        """Take associations."""
        if self._server is None:
            handlers: list[Any] = [(evt.EVT_C_STORE, self._store)]
            self._server = self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def away(self) -> None:
        """Take none."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()

    def _store(self, event: evt.Event) -> int:
        report = event.dataset
        body = event.encoded_dataset(include_meta=False)
        known = self.kept.setdefault(str(report.SOPInstanceUID), set())
        if not known:
            self.studies[str(report.StudyInstanceUID)] += 1
        known.add(body)
        self.times += 1
        return 0x0000


class Modality(threading.Thread):
    """Sends films one after the other, each until it is answered; then it counts as promised."""

    def __init__(self, port: int, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.port, self.stop = port, stop
        self.random = np.random.default_rng(seed)
        # Film -> its study and its pixels.
        self.promised: dict[str, tuple[str, bytes]] = {}
        self.cut = 0
        self.odd: list[str] = []

    def run(self) -> None:
        """Until told to stop."""
        entity = AE("MODALITY")
        entity.add_requested_context(COMPUTED_RADIOGRAPHY)
        while not self.stop.is_set():
            # In the release's domain, and each another.
            pixels = pattern(0, 128) // 2 + self.random.integers(0, 3, (128, 128), dtype=np.uint8)
            film = pydicom.dcmread(BytesIO(dicom(pixels, StudyInstanceUID=generate_uid())))
            while not self.stop.is_set() and not self._sent(entity, film, pixels.tobytes()):
                self.cut += 1
                time.sleep(0.05)

    def _sent(self, entity: AE, film: pydicom.Dataset, pixels: bytes) -> bool:
        assoc = entity.associate("127.0.0.1", self.port, ae_title="HILUM")
        if not assoc.is_established:
            return False
        status = assoc.send_c_store(film).get("Status")
        assoc.release()
        if status == 0x0000:
            self.promised[str(film.SOPInstanceUID)] = (str(film.StudyInstanceUID), pixels)
        elif status not in {None, 0xA700}:
            self.odd.append(f"C-STORE: {status:04X}")
        return status == 0x0000


def gauge(url: str, name: str) -> float:
    """A metric without labels."""
    lines = httpx.get(f"{url}/metrics", trust_env=False, timeout=30).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def compare(url: str, modalities: list[Modality], archive: Archive) -> tuple[int, int]:
    """Missing and doubled: promised films by the API, pixels and all; reports of their answers by the archive."""
    missing = doubled = 0
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for modality in modalities:
            for film, (study, pixels) in modality.promised.items():
                detail = client.get(f"/v1/studies/{study}").json()
                shown = Counter(each["uid"] for each in detail.get("films", []))
                missing += shown[film] == 0
                doubled += shown[film] > 1
                body = client.get(f"/v1/studies/{study}/films/{film}/original").content
                missing += not body.rstrip(b"\0").endswith(pixels.rstrip(b"\0"))
                # One report for each version of the answer, each always the same.
                missing += archive.studies[study] < detail["answer_version"]
                doubled += archive.studies[study] > detail["answer_version"]
    return missing, doubled + sum(len(bodies) > 1 for bodies in archive.kept.values())
