"""Measure C-STORE: films a second and the wait for each answer, from one sender and from several, and the memory.

Runs the real `hilum run` with a DICOM port in a folder of its own and writes `docs/benchmarks/dicom-in-<cpu>.csv`. Each
film is 2048 x 2048, 16 bits, uncompressed (8 MB), and another. Films are scored meanwhile, as they would be.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from rich.console import Console
from rich.table import Table

import hilum.imaging  # noqa: F401 - before pydicom
from bench.machine import describe, slug
from tests.fixtures.ports import free_ports
from tests.services.laptop.process import Laptop

ROOT = Path(__file__).resolve().parent.parent
SIDE = 2048
console = Console(stderr=True)


@dataclass(frozen=True)
class Figure:
    """One measured value; `samples` is how many single measurements it comes from."""

    name: str
    value: float
    unit: str
    samples: int = 1


class Room(Laptop):
    """`hilum run` with the bundled release and a DICOM port."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, ROOT / "models/default")
        self.dicom_port = free_ports(1)[0]
        self._environment |= {"HILUM_DICOM_PORT": str(self.dicom_port), "HILUM_LOG_LEVEL": "warning"}
        self._environment.pop("HILUM_TRUSTED_KEYS")

    def peak_mb(self) -> float:
        """The largest resident memory so far, megabytes."""
        assert self.process is not None  # noqa: S101
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1000


def film(seed: int) -> Dataset:
    """A smooth picture with noise, as a detector gives it."""
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 3000, SIDE, dtype=np.float32)
    pixels = (rows[:, None] + rows[None, :] / 2 + random.normal(0, 20, (SIDE, SIDE))).clip(0, 4095).astype(np.uint16)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in {
        "SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "PatientID": f"P-{seed}",
        "Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "Rows": SIDE, "Columns": SIDE, "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "PixelData": pixels.tobytes(),
    }.items():  # fmt: skip
        setattr(made, keyword, value)
    made["PixelData"].VR = "OW"
    stream = BytesIO()
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(stream.getvalue()))


def send(port: int, films: list[Dataset], seconds: list[float]) -> None:
    """Send `films` over one association; each must be answered 0000."""
    entity = AE("BENCH")
    entity.add_requested_context(ComputedRadiographyImageStorage, ExplicitVRLittleEndian)
    assoc = entity.associate("127.0.0.1", port, ae_title="HILUM")
    for each in films:
        began = time.perf_counter()
        answer = assoc.send_c_store(each)
        seconds.append(time.perf_counter() - began)
        if answer.get("Status") != 0:
            raise SystemExit(f"a film was answered {answer}")
    assoc.release()


def measure(folder: Path, count: int) -> list[Figure]:
    """All figures of one machine."""
    figures = []
    with Room(folder) as room:
        for senders in (1, 4):
            films = [film(senders * 10_000 + number) for number in range(count)]
            seconds: list[float] = []
            threads = [
                threading.Thread(target=send, args=(room.dicom_port, films[place::senders], seconds))
                for place in range(senders)
            ]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = len(seconds) / (time.perf_counter() - began)
            name = f"{senders} sender(s)"
            figures.append(Figure(f"{name}: films a second", rate, "1/s", count))
            figures.append(Figure(f"{name}: sent to 0000, p50", 1000 * statistics.median(seconds), "ms", count))
            figures.append(Figure(f"{name}: p95", 1000 * statistics.quantiles(seconds, n=20)[-1], "ms", count))
        figures.append(Figure("largest resident memory", room.peak_mb(), "MB"))
    return figures


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=40, help="films for each number of senders (default 40)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name:
        figures = measure(Path(name), options.films)
    target = ROOT / "docs/benchmarks" / f"dicom-in-{slug()}.csv"
    table = Table("figure", "value", "unit", "n", title=describe())
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["figure", "value", "unit", "n", "machine"])
        for figure in figures:
            writer.writerow([figure.name, f"{figure.value:.3g}", figure.unit, figure.samples, describe()])
            table.add_row(figure.name, f"{figure.value:.3g}", figure.unit, str(figure.samples))
    console.print(table)
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
