"""Against a real Orthanc, both ways: it sends films to us; our reports and heat maps reach it, once each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.uid import ComprehensiveSRStorage, generate_uid
from pynetdicom import AE, evt

from services.web.context import utc_now
from services.web.dicom.report import RESULT, device_uid
from services.web.dicom.tables import Delivery
from services.web.identity.audit import entries_after
from tests.fixtures.dicom import Orthanc, dcmtk
from tests.fixtures.ports import free_ports
from tests.hilum.imaging.bodies import dicom
from tests.releases import FINDINGS, pattern, pattern_film
from tests.services.web.dicom.sender import Listening, listening, note
from tests.services.web.room import Room, open_room, wait_for

QUICK = {"results_retry_max_seconds": 0.2, "poll_seconds": 0.1}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One server for this module; each test uses studies of its own."""
    server = Orthanc(tmp_path_factory.mktemp("orthanc"), free_ports(1)[0])
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def room_to(orthanc: Orthanc, data: Path, release: Path, *, web: bool = False, **settings: Any) -> Iterator[Listening]:
    """A room whose results go to `orthanc` (by STOW-RS where `web`)."""
    to = orthanc.web_url if web else f"dicom://ORTHANC@127.0.0.1:{orthanc.dicom_port}"
    with open_room(data, release, results_to=to, **{**QUICK, **settings}) as room, listening(room) as here:
        yield here


def film(study: str, block: int = 0, **changes: Any) -> bytes:
    """A film whose finding `block` fires."""
    return dicom(pattern(block), StudyInstanceUID=study, AccessionNumber="A-1", StudyDate="20261121", **changes)


def results(orthanc: Orthanc, study: str, modality: str) -> list[pydicom.Dataset]:
    """What Orthanc holds of the study, oldest version first."""
    found = orthanc.instances(StudyInstanceUID=study, Modality=modality)
    read = [pydicom.dcmread(BytesIO(orthanc.file(item["ID"]))) for item in found]
    return sorted(read, key=lambda item: int(item.InstanceNumber))


def arrived(orthanc: Orthanc, study: str, modality: str, count: int) -> list[pydicom.Dataset]:
    """The results once there are `count`."""
    wait_for(lambda: len(orthanc.instances(StudyInstanceUID=study, Modality=modality)) >= count, 30)
    return results(orthanc, study, modality)


def waiting(room: Room) -> float:
    """The gauge of results that wait."""
    line = next(line for line in room.client.get("/metrics").text.splitlines() if line.startswith("hilum_results_wait"))
    return float(line.split()[1])


@pytest.mark.parametrize("web", [False, True], ids=["c-store", "stow-rs"])
def test_an_answer_reaches_orthanc_as_a_report_and_a_heat_map(
    orthanc: Orthanc, tmp_path: Path, tiny_release: Path, web: bool
) -> None:
    study = generate_uid()
    uid = generate_uid()
    with room_to(orthanc, tmp_path, tiny_release, web=web) as here:
        assert here.store(film(study, 2, SOPInstanceUID=uid, PatientName="Grün^Zoë"))[0].Status == 0
        answer = here.room.settled(study)["answer"]
        (report,) = arrived(orthanc, study, "SR", 1)
        (heat,) = arrived(orthanc, study, "OT", 1)
        wait_for(lambda: waiting(here.room) == 0)
        with here.room.web.read() as session:
            left = [entry.what.split()[1] for entry in entries_after(session, 0, 100) if entry.action == "export"]
        assert sorted(left) == ["heat", "report"]

    read = highdicom.sr.ComprehensiveSR.from_dataset(report)
    assert (read.VerificationFlag, read.CompletionFlag, read.PreliminaryFlag) == (
        "UNVERIFIED",
        "COMPLETE",
        "PRELIMINARY",
    )
    assert (str(read.PatientName), read.PatientID, read.AccessionNumber) == ("Grün^Zoë", "P-17", "A-1")
    assert read.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert [evidence[2] for evidence in read.get_evidence()] == [uid]
    groups = read.content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [
        f["name"] for f in answer["findings"] if f["established"]
    ]
    for group, said in zip(groups, (f for f in answer["findings"] if f["established"]), strict=True):
        assert (group.finding_type.value, group.finding_type.scheme_designator) == (
            said["code"]["value"],
            said["code"]["scheme"],
        )
        probability, alert, rule_out = (measured.value for measured in group.get_measurements())
        assert probability == pytest.approx(100 * said["probability"], abs=0.01)
        assert (alert, rule_out) == pytest.approx((100 * said["alert"], 100 * said["rule_out"]), abs=0.01)
        (result,) = group.get_qualitative_evaluations(RESULT)
        assert (result.value.meaning == "Present") is said["present"]
    digest = answer["release"]["digest"]
    (observer,) = read.content.get_observer_contexts()
    assert observer.observer_identifying_attributes.uid == device_uid(digest) == read.DeviceUID
    assert read.Manufacturer == "Hilum"
    assert device_uid(digest) != device_uid("another")

    path = tmp_path / "report.dcm"
    report.save_as(path)
    dumped = dcmtk("dsrdump", "+Pl", path)
    assert dumped.returncode == 0, dumped.stderr
    assert "E: " not in dumped.stderr, dumped.stderr
    for words in ("Imaging Measurement Report", "UNVERIFIED", "Pneumothorax", "Algorithm Name", "Not for primary"):
        assert words.lower() in dumped.stdout.lower(), words

    assert heat.pixel_array.shape[2] == 3
    assert "influence, not location" in heat.SeriesDescription
    assert heat.SourceImageSequence[0].ReferencedSOPInstanceUID == uid
    band = heat.pixel_array[-20:]
    assert np.asarray(band).max() > 200, "the text is burnt in"
    checked = dcmtk("dcmftest", path)
    assert checked.returncode == 0


def test_a_changed_answers_report_names_its_predecessor(orthanc: Orthanc, tmp_path: Path, tiny_release: Path) -> None:
    study, late = generate_uid(), generate_uid()
    with room_to(orthanc, tmp_path, tiny_release, results_heat=False) as here:
        here.store(film(study, 0))
        arrived(orthanc, study, "SR", 1)
        here.store(film(study, 2, SOPInstanceUID=late))
        arrived(orthanc, study, "SR", 2)
        here.store(note(study, late))
        first, second, third = arrived(orthanc, study, "SR", 3)
    assert "PredecessorDocumentsSequence" not in first
    for before, after in ((first, second), (second, third)):
        (named,) = after.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert named.ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert after.SeriesInstanceUID == before.SeriesInstanceUID
    assert late in [evidence[2] for evidence in highdicom.sr.ComprehensiveSR.from_dataset(second).get_evidence()]
    assert late not in [evidence[2] for evidence in highdicom.sr.ComprehensiveSR.from_dataset(third).get_evidence()]


def test_when_every_film_is_withdrawn_the_report_says_that_nothing_stands(
    orthanc: Orthanc, tmp_path: Path, tiny_release: Path
) -> None:
    study, uid = generate_uid(), generate_uid()
    with room_to(orthanc, tmp_path, tiny_release, results_heat=False) as here:
        here.store(film(study, 0, SOPInstanceUID=uid))
        arrived(orthanc, study, "SR", 1)
        here.store(note(study, uid))
        last = arrived(orthanc, study, "SR", 2)[1]
    (group,) = highdicom.sr.ComprehensiveSR.from_dataset(last).content.get_image_measurement_groups()
    assert "withdrawn" in group.get_qualitative_evaluations(RESULT)[0].value.meaning
    assert not group.get_measurements()


def test_results_wait_while_the_destination_is_down_and_come_once_each(tmp_path: Path, tiny_release: Path) -> None:
    (tmp_path / "there").mkdir()
    server = Orthanc(tmp_path / "there", free_ports(1)[0])
    studies = [generate_uid() for _ in range(4)]
    with room_to(server, tmp_path / "here", tiny_release, results_heat=False) as here:
        here.store(*(film(study, 0) for study in studies))
        for study in studies:
            here.room.settled(study)
        wait_for(lambda: waiting(here.room) == 4)
        assert here.room.client.get("/readyz").status_code == 200
        with here.room.web.write() as session:
            session.query(Delivery).update({"made_at": utc_now() - timedelta(days=1)})
        said = " ".join(here.room.client.get("/readyz").json()["warnings"])
        assert "4 wait for the destination, the oldest for 1440 minutes" in said
        assert "on its way to the archive" in here.room.client.get(f"/studies/{studies[0]}").text
    # A restart, still without the destination, and then it comes.
    with room_to(server, tmp_path / "here", tiny_release, results_heat=False) as here:
        assert waiting(here.room) == 4
        server.start()
        try:
            for study in studies:
                assert len(arrived(server, study, "SR", 1)) == 1
            wait_for(lambda: waiting(here.room) == 0)
            # As after a crash between the sending and its mark: the same instance again, and nothing new.
            with here.room.web.write() as session:
                session.query(Delivery).update({"sent_at": None, "next_try": utc_now()})
            here.room.web.results_waiting.set()
            wait_for(lambda: waiting(here.room) == 0)
            assert [len(results(server, study, "SR")) for study in studies] == [1, 1, 1, 1]
        finally:
            server.stop()


def test_a_blind_studys_answer_leaves_after_its_read(orthanc: Orthanc, tmp_path: Path, tiny_release: Path) -> None:
    blind, other = generate_uid(), generate_uid()
    with room_to(orthanc, tmp_path, tiny_release, blind_share=1.0, results_heat=False) as here:
        here.store(film(blind, 0), film(other, 0))
        for study in (blind, other):
            here.room.settled(study)
        read = here.room.read(other, {FINDINGS[0]: 1}, "k1", answer_version=1)
        assert read.status_code == 201, read.text
        arrived(orthanc, other, "SR", 1)
        assert results(orthanc, blind, "SR") == []
        wait_for(lambda: waiting(here.room) == 1)


def test_a_refused_result_stays_and_is_said(tmp_path: Path, tiny_release: Path, database_url: str) -> None:
    archive = AE("ARCHIVE")
    archive.add_supported_context(ComprehensiveSRStorage)
    server = archive.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0xC123)])
    assert server is not None
    study = generate_uid()
    try:
        to = f"dicom://ARCHIVE@127.0.0.1:{server.server_address[1]}"
        settings = {"results_to": to, "results_heat": False, "database_url": database_url, **QUICK}
        with open_room(tmp_path, tiny_release, **settings) as room:
            room.sent(film(study, 0))
            room.settled(study)
            wait_for(lambda: "results: 1" in " ".join(room.client.get("/readyz").json()["warnings"]))
            assert "not sent: ARCHIVE answered C123" in room.client.get(f"/studies/{study}").text
            assert "hilum_results_refused 1.0" in room.client.get("/metrics").text
    finally:
        server.shutdown()


def test_films_that_orthanc_sends_arrive_and_our_own_results_come_back_as_documents(
    tmp_path: Path, tiny_release: Path
) -> None:
    (tmp_path / "there").mkdir()
    study = generate_uid()
    port = free_ports(1)[0]
    server = Orthanc(tmp_path / "there", port)
    server.start()
    try:
        with open_room(
            tmp_path / "here",
            tiny_release,
            results_to=f"dicom://ORTHANC@127.0.0.1:{server.dicom_port}",
            dicom_port=port,
            dicom_peers="ORTHANC=Archive",
            **QUICK,
        ) as room:
            sent = server.send_to_us(server.upload(film(study, 2)))
            assert sent.json()["FailedInstancesCount"] == 0, sent.text
            assert room.settled(study)["site"] == "Archive"
            arrived(server, study, "SR", 1)
            arrived(server, study, "OT", 1)
            everything = [item["ID"] for item in server.instances(StudyInstanceUID=study)]
            assert len(everything) == 3
            back = server.send_to_us(*everything)
            assert back.json()["FailedInstancesCount"] == 0, back.text
            detail = room.study(study)
            assert (detail["film_count"], detail["answer_version"], detail["conflict_count"]) == (1, 1, 0)
            assert room.rows()["instances"] == 3
            assert len(server.instances(StudyInstanceUID=study)) == 3
    finally:
        server.stop()


def test_a_study_of_pictures_without_a_header_has_no_results(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, results_to="dicom://NOBODY@127.0.0.1:9", **QUICK) as room:
        room.settled(room.sent(pattern_film(0)))
        assert room.rows()["deliveries"] == 0
