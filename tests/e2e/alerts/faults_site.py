"""A site of the hospital that changes its films, and one that sends no more: `Annexe`, by DICOM."""

from __future__ import annotations

import base64
import json
import time

from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.faults_room import _sql
from tests.e2e.alerts.site import APP, FILMS, Site
from tests.e2e.cluster.kube import ROOT, get, kubectl, wait_until

SITE = "Annexe"
# Films of its own patients by C-STORE, as its machine sends them: some as ever, then some with another look.
SEND = """
import base64, io, json, sys
import numpy as np
import hilum.imaging
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
told = json.loads(sys.stdin.read())
films = [Image.open(io.BytesIO(base64.b64decode(one))).convert('L') for one in told['films']]
like = dcmread(io.BytesIO(base64.b64decode(told['dicom'])))
rng = np.random.default_rng(told['seed'])
ae = AE(ae_title='CR1'); ae.add_requested_context(like.SOPClassUID, ExplicitVRLittleEndian)
peer = ae.associate('127.0.0.1', 11112, ae_title='HILUM')
assert peer.is_established
sent = 0
for n in range(told['as_ever'] + told['changed']):
    pixels = np.asarray(films[rng.integers(len(films))], dtype=float) * rng.uniform(0.9, 1.1) + rng.uniform(-8, 8)
    if n >= told['as_ever']:
        # Half the contrast, and a border: another machine.
        pixels = 64 + pixels / 2
        pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:] = 0, 0, 0, 0
    made = np.clip(pixels, 0, 255).astype(np.uint8)
    film = Dataset()
    for word in ('SOPClassUID', 'Modality', 'BodyPartExamined', 'ViewPosition', 'StudyDate', 'StudyTime'):
        if word in like: setattr(film, word, getattr(like, word))
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    film.PatientID = f"annexe-{told['seed']}-{n}"; film.PatientName = ''
    film.AccessionNumber = f"A{told['seed']}-{n}"[-16:]
    film.Rows, film.Columns = made.shape
    film.BitsAllocated = film.BitsStored = 8; film.HighBit = 7; film.PixelRepresentation = 0
    film.SamplesPerPixel = 1; film.PhotometricInterpretation = 'MONOCHROME2'
    film.PixelData = made.tobytes() + bytes(made.size % 2)
    film['PixelData'].VR = 'OW'
    film.file_meta = FileMetaDataset(); film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    for _ in range(5):
        if peer.send_c_store(film).Status == 0: sent += 1; break
peer.release()
print(sent)
"""


def sent(as_ever: int, changed: int = 0) -> int:
    """Send so many films of the site; how many were acknowledged."""
    films = [base64.b64encode(one.read_bytes()).decode() for one in FILMS]
    dicom = base64.b64encode((ROOT / "samples/nih_test2.dcm").read_bytes()).decode()
    told = {"films": films, "dicom": dicom, "as_ever": as_ever, "changed": changed, "seed": int(time.time())}
    run = ("exec", "-i", "deploy/web", "-c", "web", "--", "python", "-c", SEND)
    said = kubectl("-n", APP, *run, text=json.dumps(told))
    return int(said.strip().splitlines()[-1])


def _judged(_: Site | None = None) -> float:
    """The drift job's run now; when it began."""
    began = time.time()
    name = f"drift-now-{int(began)}"
    kubectl("-n", APP, "create", "job", name, "--from=cronjob/drift")
    wait_until("the drift job", lambda: get(APP, "job", name).get("status", {}).get("succeeded") == 1, 240)
    return began


def _as_ever(site: Site) -> None:
    """Films from which the site's baseline is made; the job runs when the proof says so."""
    kubectl("-n", APP, "patch", "cronjob", "drift", "-p", '{"spec": {"suspend": true}}')
    assert sent(105) == 105
    _scored(site)


def _another_machine(site: Site) -> float:
    """60 films with another look, then the job's only run: nobody runs it any more."""
    assert sent(0, 60) == 60
    _scored(site)
    return _judged()


def _scored(site: Site) -> None:
    def scored() -> bool:
        query = {"limit": 1, "status": "waiting", "site": SITE}
        return not site.client().get("/v1/studies", params=query).raise_for_status().json()["studies"]

    wait_until("scores", scored, 420)


def _accepted(site: Site) -> None:
    body = {"site": SITE, "why": "another machine, looked into by the proof"}
    site.client().post("/v1/drift/baselines", json=body).raise_for_status()
    _judged()


def _a_day_passes(_: Site) -> float:
    """The site's rows are put back by a day: there is no other way to let a day pass in the database's own time."""
    _sql(f"update studies set arrived_at = arrived_at - interval '25 hours' where site = '{SITE}'")
    return time.time()


FAULTS = [
    Fault("60 films of a site have another look; the drift job runs once and is suspended", 1, ("DriftFound",),
          _another_machine, _accepted, lane="site", fast={720: ("DriftReportMissed",)}, minutes=12, ready=_as_ever),
    Fault("a site sends no more, and its films are made a day older", 1, (), _a_day_passes, lambda _: sent(1),
          lane="site", fast={720: ("SiteSilent",)}, minutes=4),
]  # fmt: skip
