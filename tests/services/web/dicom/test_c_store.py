"""C-STORE and C-ECHO: kept before 0000, refused with a reason, bounded."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
import time
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, JPEG2000Lossless, generate_uid
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from hilum.storage import BlobsUnavailable
from services.web.dicom.server import DicomServer
from services.web.dicom.tables import Instance
from services.web.identity.audit import entries_after
from services.web.settings import WebSettings
from tests.fixtures.dicom import dcmtk
from tests.hilum.imaging.bodies import compressed, dataset, dicom, grey, sample, written
from tests.services.web.dicom.sender import Listening, listening
from tests.services.web.room import open_room, wait_for

STUDY = "1.2.826.0.1.3680043.8.498.77"


def test_a_film_that_storescu_sends_is_stored_scored_and_listed(listener: Listening, tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom(StudyInstanceUID=STUDY, AccessionNumber="A-5", InstitutionName="North"))
    echoed = dcmtk("echoscu", "-aet", "CR1", "-aec", "HILUM", "127.0.0.1", str(listener.port))
    assert echoed.returncode == 0, echoed.stderr
    sent = dcmtk("storescu", "-v", "-aet", "CR1", "-aec", "HILUM", "127.0.0.1", str(listener.port), path)
    assert sent.returncode == 0, sent.stderr
    assert "Success" in sent.stdout + sent.stderr
    study = listener.room.settled(STUDY)
    assert (study["accession"], study["patient_id"], study["site"]) == ("A-5", "P-17", "CR1")
    with listener.room.web.read() as session:
        row = session.get(Instance, study["films"][0]["uid"])
        assert row is not None
        assert (row.kind, row.modality, row.sender, row.study_uid) == ("film", "CR", "CR1", STUDY)
        assert "Zzyzx" not in str(row.attributes)
        (entry,) = [entry for entry in entries_after(session, 0, 100) if entry.how == "c-store"]
        assert (entry.who, entry.action, entry.study_uid) == ("CR1", "change", STUDY)


def test_the_same_film_succeeds_again_whichever_way_and_encoding_it_comes(listener: Listening) -> None:
    uids = {"StudyInstanceUID": STUDY, "SOPInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    bodies = [dicom(**uids), compressed(dataset(grey(), **uids), JPEG2000Lossless)]
    assert listener.room.send(bodies[0]).status_code == 201
    assert [answer.Status for answer in listener.store(bodies[0], bodies[1], bodies[0])] == [0, 0, 0]
    study = listener.room.study(STUDY)
    assert (study["film_count"], study["conflict_count"]) == (1, 0)
    assert len(listener.room.blobs()) == 1


def test_other_content_under_a_films_name_is_refused_and_shown(listener: Listening) -> None:
    uids = {"StudyInstanceUID": STUDY, "SOPInstanceUID": generate_uid()}
    first, second = listener.store(dicom(**uids), dicom(255 - grey(), **uids))
    assert (first.Status, second.Status) == (0, 0xC002)
    assert "Another film" in second.ErrorComment
    assert listener.room.study(STUDY)["conflict_count"] == 1


def test_films_of_two_patients_in_one_study_are_not_mixed_up(listener: Listening) -> None:
    answers = listener.store(
        dicom(StudyInstanceUID=STUDY, PatientID="P-1"), dicom(StudyInstanceUID=STUDY, PatientID="P-2")
    )
    assert [answer.Status for answer in answers] == [0, 0xC002]
    assert "another patient" in answers[1].ErrorComment
    study = listener.room.study(STUDY)
    assert (study["patient_id"], study["film_count"], study["conflict_count"]) == ("P-1", 1, 1)


def test_a_late_film_raises_a_new_answer_and_opens_a_read_study_again(listener: Listening) -> None:
    listener.store(dicom(StudyInstanceUID=STUDY))
    study = listener.room.settled(STUDY)
    assert listener.room.read(STUDY, {study["findings"][0]["name"]: 0}, "k1", answer_version=1).status_code == 201
    assert listener.room.study(STUDY)["status"] == "read"
    listener.store(dicom(255 - grey(), StudyInstanceUID=STUDY))
    late = listener.room.settled(STUDY)
    assert (late["film_count"], late["reopened"], late["answer_version"]) == (2, True, 2)
    assert late["due_at"] <= study["due_at"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"PixelData": b"\0" * 100}, 0xC001, "fewer pixels"),
        ({"Rows": 20_000, "Columns": 20_000}, 0xC003, ""),
        ({"NumberOfFrames": 3}, 0xC005, "frames"),
        ({"PixelData": None}, 0xC005, ""),
        ({"StudyInstanceUID": None}, 0xC004, "StudyInstanceUID"),
    ],
)
def test_a_film_that_is_refused_is_refused_with_a_reason(
    still_listener: Listening, changes: dict[str, object], status: int, words: str
) -> None:
    (answer,) = still_listener.store(dicom(**changes))
    assert answer.Status == status
    assert answer.ErrorComment
    assert len(answer.ErrorComment) <= 64
    assert words in answer.ErrorComment
    assert still_listener.room.blobs() == []
    assert not any(still_listener.room.rows().values())


def test_a_ct_slice_finds_no_presentation_context(listener: Listening) -> None:
    with pytest.raises(AssertionError, match="not accepted"):
        listener.store(dicom(SOPClassUID=CTImageStorage, Modality="CT"))


def test_an_object_under_another_name_than_the_request_says_is_refused(listener: Listening) -> None:
    film = dataset(grey())
    entity = AE("CR1")
    entity.add_requested_context(film.SOPClassUID)
    assoc = entity.associate("127.0.0.1", listener.port, ae_title="HILUM")
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
    context = assoc.accepted_contexts[0]
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = film.SOPClassUID, "1.2.3.4.5"
    request.Priority = 2
    syntax = context.transfer_syntax[0]
    request.DataSet = BytesIO(encode(film, syntax.is_implicit_VR, syntax.is_little_endian) or b"")
    # As pynetdicom's own senders do: its reactor pauses first, else it takes the answer now and then.
    assoc._reactor_checkpoint.clear()
    while not assoc._is_paused:
        time.sleep(0.01)
    assoc.dimse.send_msg(request, context.context_id)
    _, answer = assoc.dimse.get_msg(block=True)
    assoc._reactor_checkpoint.set()
    assoc.release()
    assert answer is not None
    assert answer.Status == 0xA900


def test_who_is_not_on_the_list_or_calls_another_is_turned_away(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, dicom_peers="PACS=Ward A, CR1") as room, listening(room) as here:
        for title, called in (("STRANGER", "HILUM"), ("PACS", "OTHER")):
            with pytest.raises(AssertionError, match="not accepted"):
                here.store(dicom(), title=title, called=called)
        assert here.store(dicom(StudyInstanceUID=STUDY), title="PACS")[0].Status == 0
        assert room.study(STUDY)["site"] == "Ward A"
        page = room.client.get("/metrics").text
        assert 'hilum_dicom_associations_total{outcome="rejected"} ' in page


@pytest.mark.parametrize("peers", ["TOO_LONG_A_TITLE_FOR_DICOM", "A\\B", "=Ward"])
def test_a_list_of_senders_that_names_no_title_is_refused(peers: str) -> None:
    with pytest.raises(ValueError, match="no application entity title"):
        WebSettings(dicom_peers=peers)


def test_an_open_network_needs_a_list_of_senders() -> None:
    with pytest.raises(ValueError, match="who may send"):
        WebSettings(dicom_port=11112, dicom_host="0.0.0.0")
    assert WebSettings(dicom_port=11112, dicom_host="0.0.0.0", dicom_peers="PACS").senders == {"PACS": "PACS"}


def test_a_full_store_or_a_dead_database_answers_a700_and_the_same_film_is_taken_later(
    listener: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = dicom(StudyInstanceUID=STUDY)

    def full(key: str, data: bytes) -> None:
        raise BlobsUnavailable("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(listener.room.web.blobs, "put", full)
        assert listener.store(body)[0].Status == 0xA700
    listener.room.web.prepared.clear()
    assert listener.store(body)[0].Status == 0xA700
    listener.room.web.prepared.set()
    assert not any(listener.room.rows().values())
    assert listener.store(body)[0].Status == 0
    assert listener.room.study(STUDY)["film_count"] == 1


def test_a_pdu_of_four_gigabytes_ends_the_connection_and_holds_nothing(listener: Listening) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as peer:
        peer.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + b"x" * 1000)
        with contextlib.suppress(ConnectionError):
            assert peer.recv(100) == b""
    wait_for(lambda: listener.server.budget.held == 0)
    assert listener.store(dicom())[0].Status == 0


def test_an_object_beyond_the_limit_ends_its_association_and_the_next_is_taken(
    tmp_path: Path, tiny_release: Path
) -> None:
    with open_room(tmp_path, tiny_release, max_body_bytes=100_000) as room, listening(room) as here:
        large = dicom(grey().repeat(16, 0).repeat(16, 1))
        assert "Status" not in here.store(large)[0]
        wait_for(lambda: here.server.budget.held == 0)
        assert here.store(dicom())[0].Status == 0
        assert room.rows()["films"] == 1


def test_silent_connections_keep_nobody_else_waiting(listener: Listening) -> None:
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(12)]
    try:
        assert listener.store(dicom())[0].Status == 0
    finally:
        for peer in silent:
            peer.close()


def test_many_senders_at_once_lose_nothing(listener: Listening) -> None:
    bodies = [dicom(grey() // (n + 1)) for n in range(12)]
    failed: list[object] = []

    def send(part: list[bytes]) -> None:
        failed.extend(answer for answer in listener.store(*part) if answer.Status != 0)

    threads = [threading.Thread(target=send, args=(bodies[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    kept = {hashlib.sha256(listener.room.web.blobs.get(key)).hexdigest() == key.rsplit("/", 1)[1]
            for key in listener.room.blobs()}  # fmt: skip
    assert (listener.room.rows()["films"], kept) == (12, {True})


def test_hostile_headers_over_c_store_are_cleaned(listener: Listening) -> None:
    film = dataset(
        grey(),
        StudyInstanceUID=STUDY,
        PatientID="<script>alert(1)</script>\r\nX: y",
        AccessionNumber="A" * 10_000,
        InstitutionName="\u202e" + "N" * 10_000,
        StudyDescription="../../etc/passwd",
        SpecificCharacterSet="ISO_IR 999",
    )
    assert listener.store(written(film))[0].Status == 0
    study = listener.room.study(STUDY)
    assert "\r" not in study["patient_id"]
    assert len(study["accession"]) <= 64
    page = listener.room.client.get(f"/studies/{STUDY}").text
    assert "<script>alert" not in page


def test_each_defect_of_the_header_is_a_warning_on_the_study(listener: Listening) -> None:
    listener.store(dicom(StudyInstanceUID=STUDY, BodyPartExamined="LEG", Modality="CT", ViewPosition="XX"))
    codes = {warning["code"] for warning in listener.room.study(STUDY)["warnings"]}
    assert {"body_part", "modality", "view"} <= codes


def test_a_real_compressed_film_of_the_samples_is_taken(listener: Listening) -> None:
    body = sample("nema_rg1.dcm")
    assert listener.store(body)[0].Status == 0
    uid = str(pydicom.dcmread(BytesIO(body)).StudyInstanceUID)
    assert listener.room.study(uid)["film_count"] == 1


def test_a_port_that_is_taken_is_said_at_the_start(listener: Listening) -> None:
    with pytest.raises(OSError, match=f"HILUM_DICOM_PORT {listener.port} .*in use"):
        DicomServer(listener.room.web, port=listener.port)
