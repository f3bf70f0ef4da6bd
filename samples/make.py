"""Makes the sample films and samples.json again: `python samples/make.py ../shared/data`.

The films are copied as they are, but for the four DICOM ones. Those are packed without loss into JPEG 2000 (the adult
film from pydicom-data is in JPEG 2000 already), keep only the attributes that are shown, and get UIDs of their own,
so that the originals can be uploaded beside them without a conflict. The copied NIH and Kermany films are of patients
outside the training and calibration splits of the bundled release (salt "hilum-5").
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sys
import uuid
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.uid import JPEG2000Lossless

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """Where films come from, and on which terms."""

    source: str
    licence: str
    citation: str


WANG = Source(
    "NIH Clinical Center, ChestX-ray14",
    "No restriction on use; NIH Clinical Center is acknowledged as the provider",
    "Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: Hospital-scale Chest X-ray Database and "
    "Benchmarks on Weakly-Supervised Classification and Localization of Common Thorax Diseases. CVPR 2017.",
)
KERMANY = Source(
    "Kermany et al., paediatric chest films, Guangzhou",
    "CC BY 4.0",
    "Kermany DS, Goldbaum M, Cai W, et al. Identifying Medical Diagnoses and Treatable Diseases by Image-Based Deep "
    "Learning. Cell 2018;172(5):1122-1131.",
)
NEMA = Source(
    "NEMA, DICOM working group 4, compression samples, RG1; by way of the package pydicom-data 1.0.0",
    "MIT (pydicom-data); published by NEMA for testing",
    "DICOM Standards Committee, working group 4: compression sample images, 2004.",
)

NIH = (
    "00001377_004",
    "00001900_025",
    "00002032_013",
    "00002146_007",
    "00002806_000",
    "00003817_000",
    "00001787_005",
    "00002720_006",
    "00002207_001",
    "00002544_000",
    "00001929_000",
    "00002325_000",
    "00001350_000",
    "00001414_000",
)
KERMANY_FILMS = (
    "PNEUMONIA/person1012_bacteria_2943.jpeg",
    "PNEUMONIA/person103_virus_190.jpeg",
    "NORMAL/IM-0122-0001.jpeg",
    "NORMAL/IM-0147-0001.jpeg",
)
NIH_DICOM = ("nih_test1", "nih_test2", "nih_test3")
SHOWN = (
    *("SOPClassUID", "Modality", "Manufacturer", "InstitutionName", "PatientID", "PatientSex", "PatientAge"),
    *("BodyPartExamined", "ViewPosition", "PatientPosition", "PatientOrientation", "StudyDate", "StudyTime"),
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "WindowCenter", "WindowWidth"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "PixelData"),
)


def entry(name: str, source: Source, labels: list[str], patient: str) -> dict[str, object]:
    """One line of samples.json; `labels` and `patient` are the data set's own."""
    digest = hashlib.sha256((HERE / name).read_bytes()).hexdigest()
    return {
        "file": name,
        **asdict(source),
        "labels": labels,
        "patient": patient,
        "sha256": digest,
    }


def new_uid(original: str) -> str:
    """A UID that always follows from `original` (PS3.5 B.2: the root 2.25 and a UUID)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'hilum-sample ' + original).int}"


def repack(path: Path, target: Path) -> FileDataset:
    """Write the film at `path` to `target`: few attributes, new UIDs, compressed; return the original."""
    source = dcmread(path)
    film = Dataset()
    film.file_meta = source.file_meta
    for keyword in SHOWN:
        if keyword in source:
            film[keyword] = source[keyword]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(film, keyword, new_uid(str(source[keyword].value)))
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    if not source.file_meta.TransferSyntaxUID.is_compressed:
        film["PixelData"].VR = "OW"
        film.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    stream = BytesIO()
    dcmwrite(stream, film, enforce_file_format=True)
    target.write_bytes(stream.getvalue())
    return source


def main(data: Path) -> None:
    """Copy and repack the films from `data` (the shared folder), and write samples.json."""
    entries = []
    with (data / "nih128" / "Data_Entry_2017_v2020.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["Image Index"].removesuffix(".png"): row for row in csv.DictReader(stream)}
    for name in NIH:
        row = rows[name]
        shutil.copyfile(data / "nih128" / "images" / f"{name}.jpg", HERE / f"nih_{name}.jpg")
        labels = row["Finding Labels"].split("|")
        entries.append(entry(f"nih_{name}.jpg", WANG, labels, row["Patient ID"]))
    for path in KERMANY_FILMS:
        folder, name = path.split("/")
        shutil.copyfile(data / "kermany224" / "train" / path, HERE / f"kermany_{name}")
        patient = name.split("_")[0] if folder == "PNEUMONIA" else "-".join(name.split("-")[:2])
        entries.append(entry(f"kermany_{name}", KERMANY, [folder], patient))
    for name in NIH_DICOM:
        film = repack(data / "dicom" / f"{name}.dcm", HERE / f"{name}.dcm")
        labels = str(film.StudyDescription).split("|")
        entries.append(entry(f"{name}.dcm", WANG, labels, str(film.PatientID)))
    found = find_spec("data_store")
    if found is None or found.origin is None:
        raise SystemExit("pydicom-data is not installed")
    film = repack(Path(found.origin).parent / "data" / "RG1_J2KI.dcm", HERE / "nema_rg1.dcm")
    entries.append(entry("nema_rg1.dcm", NEMA, [], str(film.PatientID)))
    text = json.dumps({"films": entries}, indent=1, ensure_ascii=False)
    (HERE / "samples.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
