"""Patients with known identities go the whole way through real processes: no log, metric or trace knows them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import hilum.imaging  # noqa: F401 - before pydicom (docs/decisions/0001)
from hilum.release import Release
from hilum.settings import REPOSITORY
from hilum.telemetry import pseudonym
from tests.fixtures.collector import collector
from tests.fixtures.ports import free_ports
from tests.fixtures.processes import ServiceProcess
from tests.releases import make_tiny_release
from tests.services.web.dicom.sender import store

SALT = "a-site's-own-salt"
IDENTITIES = {
    "PatientName": "Verraten^Idalia",
    "PatientID": "PAT-4711-X",
    "AccessionNumber": "ACC-0815-Y",
    "PatientBirthDate": "19410203",
    "ReferringPhysicianName": "Ueberweiser^Ottokar",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.11223344556677",
    "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.99887766554433",
}
PLAIN = {"patient_id": "PAT-0042-Z", "accession": "ACC-0043-W"}
FILE_NAME, COMMENT = "Beispiel_Anna_1958.png", "Frau Beispiel kennt mich"
# Every part of a name alone gives the person away.
SECRETS = [part for text in IDENTITIES.values() for part in text.split("^")] + [
    *PLAIN.values(), "Beispiel", "Anna_1958", "kennt mich",
]  # fmt: skip


@dataclass
class Run:
    """What the whole run left behind."""

    logs: dict[str, str]
    metrics: dict[str, str]
    spans: list[tuple[str, Span]]
    dicom_uid: str
    plain_uid: str


def _film() -> bytes:
    import pydicom

    film = pydicom.dcmread(REPOSITORY / "samples" / "nih_test1.dcm")
    for keyword, value in IDENTITIES.items():
        setattr(film, keyword, value)
    film.file_meta.MediaStorageSOPInstanceUID = IDENTITIES["SOPInstanceUID"]
    stream = BytesIO()
    film.save_as(stream)
    return stream.getvalue()


def _wait(look: Any, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def _go_the_whole_way(web: str, feedback: str, dicom_port: int) -> str:
    """Upload, C-STORE, score, read, ledger; and the ways on which things go wrong. Returns the plain film's study."""
    with httpx.Client(base_url=web, trust_env=False, timeout=30) as client:
        _wait(lambda: client.get("/readyz").status_code == 200 and "inference" not in client.get("/readyz").text)
        sent = client.post(
            "/v1/studies",
            files={"file": (FILE_NAME, (REPOSITORY / "samples" / "nih_00001377_004.jpg").read_bytes())},
            data=PLAIN,
        )
        assert sent.status_code == 201, sent.text
        plain = str(sent.json()["uid"])
        body = _film()
        (stored,) = store(dicom_port, body)
        assert stored.Status == 0
        assert client.post("/v1/studies", files={"file": (FILE_NAME, body[:4000])}).status_code >= 400
        changed = body.replace(b"Verraten^Idalia", b"Verraten^Rosina")
        client.post("/v1/studies", files={"file": (FILE_NAME, changed[:-2] + b"\1\1")})
        client.get("/v1/studies", params={"q": IDENTITIES["PatientID"], "site": "Beispiel"})
        client.get(f"/studies/{PLAIN['patient_id']}")
        client.get("/v1/studies/Verraten/films/Ida")
        for uid in (plain, IDENTITIES["StudyInstanceUID"]):
            study = _wait(lambda uid=uid: [d for d in [client.get(f"/v1/studies/{uid}").json()] if d.get("answer")])[0]
            name = study["answer"]["findings"][0]["name"]
            read = client.post(
                f"/v1/studies/{uid}/reads",
                json={"labels": {name: 0}, "answer_version": study["answer"]["version"], "comment": COMMENT},
                headers={"Idempotency-Key": f"read-{len(uid)}"},
            )
            assert read.status_code == 201, read.text
            assert client.get(f"/studies/{uid}").status_code == 200
    _wait(lambda: len(httpx.get(f"{feedback}/v1/reads?since=0", trust_env=False).json()["reads"]) == 2)
    return plain


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("identities")
    release: Release = make_tiny_release(folder / "release")
    with collector() as (endpoint, spans), contextlib.ExitStack() as stack:
        common = {"otlp_endpoint": endpoint, "log_level": "debug", "log_format": "json"}

        def start(name: str, **settings: str) -> ServiceProcess:
            process = ServiceProcess(f"services.{name}", folder / f"{name}.log", **common, **settings)
            stack.callback(process.kill)
            process.start()
            return process

        port = free_ports(1)[0]
        inference = start("inference", release=str(release.folder), trusted_keys="", drain_seconds="0")
        feedback = start("feedback", data=str(folder))
        web = start(
            "web", data=str(folder), inference_url=inference.url, feedback_url=feedback.url, dicom_port=str(port),
            patient_salt=SALT, blind_share="0", poll_seconds="0.2",
        )  # fmt: skip
        plain = _go_the_whole_way(web.url, feedback.url, port)
        processes = {"web": web, "inference": inference, "feedback": feedback}
        metrics = {}
        for name, process in processes.items():
            for form in ("text/plain", "application/openmetrics-text; version=1.0.0"):
                page = httpx.get(f"{process.url}/metrics", headers={"accept": form}, trust_env=False)
                assert page.status_code == 200
                metrics[f"{name} {form.partition(';')[0]}"] = page.text
        for process in processes.values():
            process.stop()
        logs = {name: process.log.read_text(encoding="utf-8") for name, process in processes.items()}
        yield Run(logs, metrics, spans, IDENTITIES["StudyInstanceUID"], plain)


def test_no_log_line_metric_or_span_holds_a_part_of_an_identity(run: Run) -> None:
    assert all(run.logs.values())
    assert len(run.spans) > 20
    for secret in [*SECRETS, run.plain_uid]:
        for name, text in {**run.logs, **run.metrics}.items():
            where = text.lower().find(secret.lower())
            assert where < 0, (secret, name, text[max(where - 300, 0) : where + 100])
        assert secret.lower() not in str(run.spans).lower(), secret


def test_every_log_line_is_json_and_lines_of_a_request_name_their_trace(run: Run) -> None:
    for name, text in run.logs.items():
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        requests = [line for line in lines if line["event"] == "request"]
        assert requests, name
        assert all(len(line["trace_id"]) == 32 for line in requests)


def test_a_study_stands_in_the_log_under_its_pseudonym(run: Run) -> None:
    lines = [json.loads(line) for line in run.logs["web"].splitlines()]
    named = {line["study"] for line in lines if line["event"] == "a film was scored"}
    assert named == {pseudonym(run.dicom_uid, SALT), pseudonym(run.plain_uid, SALT)}


def test_one_trace_leads_from_the_upload_to_the_model_and_a_linked_one_from_the_read_to_the_ledger(run: Run) -> None:
    by_id = {span.span_id: (service, span) for service, span in run.spans}

    def way(service: str, name: str, root: str) -> list[str]:
        """Names from a span up to its root, of the one that begins with `root`."""
        for each, span in run.spans:
            if (each, span.name) != (service, name):
                continue
            names, here = [span.name], span
            while here.parent_span_id in by_id:
                here = by_id[here.parent_span_id][1]
                names.append(here.name)
            if names[-1] == root:
                return names
        return []

    upload = "POST /v1/studies"
    assert way("hilum-inference", "infer", upload) == ["infer", "POST /v1/predict", "POST", "score film", upload]
    assert way("hilum-inference", "infer", "C-STORE") == ["infer", "POST /v1/predict", "POST", "score film", "C-STORE"]
    read = "POST /v1/studies/{uid}/reads"
    assert way("hilum-feedback", "POST /v1/reads", read) == ["POST /v1/reads", "POST", "send read", read]
    roots = {span.trace_id for _, span in run.spans if span.name in {upload, "C-STORE"}}
    links = [link.trace_id for _, span in run.spans if span.name == read for link in span.links]
    assert len(links) == 2
    assert set(links) <= roots


def test_latency_histograms_carry_exemplars_of_traces_that_the_collector_has(run: Run) -> None:
    known = {span.trace_id.hex() for _, span in run.spans}
    for name, metric in (
        ("web", "hilum_request_seconds_bucket"),
        ("web", "hilum_ranked_seconds_bucket"),
        ("inference", "hilum_predict_seconds_bucket"),
        ("feedback", "hilum_request_seconds_bucket"),
    ):
        page = run.metrics[f"{name} application/openmetrics-text"]
        found = [line for line in page.splitlines() if line.startswith(metric) and "# {" in line]
        assert found, (name, metric)
        assert {line.partition('trace_id="')[2][:32] for line in found} <= known
        assert "# {" not in run.metrics[f"{name} text/plain"]
        assert "_created" not in page
