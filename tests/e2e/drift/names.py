"""The patients of the run, and everything that is said anywhere while they are there."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import hilum.imaging  # noqa: F401 - before pydicom (docs/decisions/0001)
from tests.charts.tools import ROOT
from tests.e2e.cluster.kube import kubectl
from tests.e2e.cluster.site import forwarded

PATIENT = "PAT-{:05}-W"
IDENTITY = {
    "PatientName": "Verraten^Idalia",
    "PatientBirthDate": "19410203",
    "ReferringPhysicianName": "Ueberweiser^Ottokar",
}
DICOM_PATIENT = "PAT-4711-X"
DICOM_UID = "1.2.826.0.1.3680043.8.498.1122334455{:03}"
PORTS = {"web": 8080, "inference": 8000, "feedback": 8001}


def dicom_film(number: int) -> bytes:
    """A sample DICOM film of a named patient."""
    import pydicom

    film = pydicom.dcmread(ROOT / "samples" / f"nih_test{number + 1}.dcm")
    for keyword, value in IDENTITY.items():
        setattr(film, keyword, value)
    film.PatientID, film.AccessionNumber = f"{DICOM_PATIENT}{number}", f"ACC-0815-{number}"
    film.StudyInstanceUID, film.SOPInstanceUID = DICOM_UID.format(number), DICOM_UID.format(100 + number)
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    stream = BytesIO()
    film.save_as(stream)
    return stream.getvalue()


def patients() -> list[str]:
    """Every part of an identity that alone gives somebody away, in small letters."""
    parts = [part for text in IDENTITY.values() for part in text.split("^")]
    parts += [DICOM_PATIENT, "ACC-0815", "Beispiel", DICOM_UID.format(0)[:-3]]
    parts += [PATIENT.format(number) for number in range(260)] + [f"ACC-{number:05}-Q" for number in range(260)]
    return [part.lower() for part in parts]


def everything_said(namespace: str, spans: list[dict[str, Any]]) -> dict[str, str]:
    """Logs of every container of `namespace` (of its Jobs and of what ran before too), its metrics in both forms, its
    pods with their termination messages, its events, and all spans."""
    found = {"traces": "\n".join(span["whole"] for span in spans)}
    pods = json.loads(kubectl("-n", namespace, "get", "pods", "-o", "json"))
    for pod in pods["items"]:
        name = pod["metadata"]["name"]
        for before in ((), ("--previous",)):
            log = kubectl("-n", namespace, "logs", name, "--all-containers", "--tail=-1", *before, check=False)
            if log:
                found[f"log of {name}{' before' if before else ''}"] = log
    found["pods and termination messages"] = json.dumps([pod["status"] for pod in pods["items"]])
    found["events"] = kubectl("-n", namespace, "get", "events", "-o", "json")
    for part, port in PORTS.items():
        for form in ("text/plain", "application/openmetrics-text; version=1.0.0"):
            found[f"metrics of {part}, {form.partition(';')[0]}"] = _metrics(namespace, part, port, form)
    return found


def _metrics(namespace: str, part: str, port: int, form: str) -> str:
    import httpx

    with forwarded(namespace, part, port) as address:
        page = httpx.get(f"{address}/metrics", headers={"accept": form}, timeout=60, trust_env=False)
        return page.raise_for_status().text


def given_away(said: dict[str, str]) -> list[tuple[str, str, str]]:
    """Who is named, where, and what stands around it. The drift page's links hold the StudyInstanceUID on purpose."""
    found = []
    for where, text in said.items():
        small = text.lower()
        for part in patients():
            at = small.find(part)
            if at >= 0 and not (where == "drift page" and part == DICOM_UID.format(0)[:-3]):
                found.append((part, where, text[max(at - 200, 0) : at + 100]))
    return found
