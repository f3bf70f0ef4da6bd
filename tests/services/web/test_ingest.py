"""Films in: kept byte for byte, once, under the right patient."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from tests.hilum.imaging.bodies import dataset, dicom, grey, picture, sample, written
from tests.releases import pattern_film
from tests.services.web.room import Room, open_room


def test_a_film_is_kept_byte_for_byte_and_listed(any_room: Room) -> None:
    body = pattern_film(0)
    answer = any_room.send(("bright.png", body), accession="A-1", patient_id="P-1", priority="stat", location="ED")
    assert answer.status_code == 201
    report = answer.json()
    assert [film["outcome"] for film in report["films"]] == ["stored"]
    assert report["uid"] == report["studies"][0]["uid"] == report["films"][0]["study_uid"]
    study = any_room.study(report["uid"])
    assert (study["accession"], study["patient_id"], study["priority"], study["location"]) == (
        "A-1",
        "P-1",
        "STAT",
        "ED",
    )
    film = study["films"][0]
    assert film["sha256"] == hashlib.sha256(body).hexdigest()
    assert (film["width"], film["height"], film["bits"], film["file_name"]) == (256, 256, 8, "bright.png")
    original = any_room.client.get(f"/v1/studies/{report['uid']}/films/{film['uid']}/original")
    assert original.content == body
    assert original.headers["content-disposition"].startswith("attachment")
    assert [row["uid"] for row in any_room.listed()] == [report["uid"]]


def test_the_same_film_again_is_nothing_new_and_no_error(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1), patient_id="P-1")
    before = any_room.rows()["films"], any_room.blobs()
    again = any_room.send(("other name.png", pattern_film(1)), patient_id="P-1")
    assert again.status_code == 200
    assert [film["outcome"] for film in again.json()["films"]] == ["duplicate"]
    assert again.json()["uid"] == uid
    assert (any_room.rows()["films"], any_room.blobs()) == before


def test_the_same_film_twice_in_one_request_is_kept_once(room: Room) -> None:
    answer = room.send(pattern_film(1), pattern_film(1))
    assert answer.status_code == 201
    assert [film["outcome"] for film in answer.json()["films"]] == ["stored", "duplicate"]
    assert room.rows()["films"] == 1


def test_a_duplicate_brings_back_bytes_that_the_store_lost(room: Room) -> None:
    body = pattern_film(1)
    room.sent(body)
    (key,) = room.blobs()
    room.web.blobs.delete(key)
    assert room.send(body).status_code == 200
    assert room.web.blobs.get(key) == body


def test_two_patients_never_share_a_study_even_with_equal_pixels(room: Room) -> None:
    first = room.sent(pattern_film(2), patient_id="P-1")
    second = room.sent(pattern_film(2), patient_id="P-2")
    assert first != second
    assert {row["patient_id"] for row in room.listed()} == {"P-1", "P-2"}


def test_without_an_accession_each_picture_is_a_study(room: Room) -> None:
    answer = room.send(pattern_film(1), pattern_film(2), patient_id="P-1")
    assert answer.status_code == 201
    assert answer.json()["uid"] is None
    assert len({film["study_uid"] for film in answer.json()["films"]}) == 2


@pytest.mark.parametrize("patient_id", ["P-1", ""])
def test_an_accession_makes_one_study_of_a_requests_pictures(room: Room, patient_id: str) -> None:
    films = [("a.png", pattern_film(1)), ("b.jpeg", picture(grey(), "JPEG"))]
    uid = room.sent(*films, accession="A-7", patient_id=patient_id)
    assert [film["file_name"] for film in room.study(uid)["films"]] == ["a.png", "b.jpeg"]
    again = room.send(*reversed(films), accession="A-7", patient_id=patient_id)
    assert (again.status_code, again.json()["uid"]) == (200, uid)
    part = room.send(films[0], ("c.png", pattern_film(3)), accession="A-7", patient_id=patient_id)
    assert (part.status_code, part.json()["uid"]) == (201, uid)


def test_an_accession_number_that_repeats_joins_no_strangers(room: Room) -> None:
    first = room.sent(pattern_film(1), accession="A-1")
    second = room.sent(pattern_film(2), accession="A-1")
    third = room.sent(pattern_film(2), accession="A-1", patient_id="P-1", site="north")
    fourth = room.sent(pattern_film(3), accession="A-1", patient_id="P-1", site="south")
    assert len({first, second, third, fourth}) == 4


def test_dicom_films_are_grouped_by_their_study(room: Room) -> None:
    study = "1.2.826.0.1.3680043.8.498.1"
    films = [dicom(StudyInstanceUID=study, AccessionNumber="A-9") for _ in range(2)]
    answer = room.send(*films)
    assert answer.status_code == 201
    assert answer.json()["uid"] == study
    detail = room.study(study)
    assert (detail["film_count"], detail["accession"], detail["patient_id"]) == (2, "A-9", "P-17")


def test_fields_may_come_after_the_files(room: Room) -> None:
    body = b"".join(
        [
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="f.png"\r\n\r\n',
            pattern_film(1),
            b'\r\n--x\r\nContent-Disposition: form-data; name="patient_id"\r\n\r\nP-77\r\n--x--\r\n',
        ]
    )
    answer = room.client.post("/v1/studies", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["studies"][0]["patient_id"] == "P-77"


def test_a_film_is_never_filed_under_another_name_than_its_own(room: Room) -> None:
    refused = room.send(("f.dcm", dicom(PatientID="P-1")), patient_id="P-2")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"].endswith("patient-mismatch")
    assert (room.rows()["films"], room.blobs()) == (0, [])
    assert room.send(("f.dcm", dicom(PatientID="P-1")), patient_id="P-1").status_code == 201


def test_a_study_never_names_two_patients(any_room: Room) -> None:
    study = "1.2.826.0.1.3680043.8.498.2"
    assert any_room.send(dicom(StudyInstanceUID=study, PatientID="P-1")).status_code == 201
    other = any_room.send(dicom(StudyInstanceUID=study, PatientID="P-2"))
    assert other.status_code == 409
    detail = any_room.study(study)
    assert (detail["patient_id"], detail["film_count"], detail["conflict_count"]) == ("P-1", 1, 1)
    assert len(any_room.blobs()) == 1
    both = any_room.send(
        dicom(StudyInstanceUID=study + ".1", PatientID="P-1"), dicom(StudyInstanceUID=study + ".1", PatientID="P-2")
    )
    assert both.status_code == 207
    assert [film["outcome"] for film in both.json()["films"]] == ["stored", "conflict"]


def test_a_film_that_names_no_patient_joins_its_study_and_takes_the_name(room: Room) -> None:
    study = "1.2.826.0.1.3680043.8.498.3"
    room.sent(dicom(StudyInstanceUID=study, PatientID=None))
    assert room.study(study)["patient_id"] == ""
    assert room.send(dicom(StudyInstanceUID=study, PatientID="P-5")).status_code == 201
    assert room.study(study)["patient_id"] == "P-5"
    assert room.send(dicom(StudyInstanceUID=study, PatientID="P-6")).status_code == 409


def test_one_name_with_other_content_is_a_conflict_that_is_shown(any_room: Room) -> None:
    """As nih_test4..6 are of nih_test1: its UIDs and pixels under wrong headers."""
    first = sample("nih_test1.dcm")
    uid = any_room.sent(("nih_test1.dcm", first))
    wrong = []
    for number, change in enumerate(
        [{"BodyPartExamined": "RIBCAGE"}, {"Modality": "CT"}, {"PatientPosition": "XX"}], start=4
    ):
        film = pydicom.dcmread(BytesIO(first))
        for keyword, value in change.items():
            setattr(film, keyword, value)
        wrong.append((f"nih_test{number}.dcm", written(film)))
    for file in wrong:
        answer = any_room.send(file)
        assert answer.status_code == 409, answer.text
        assert answer.json()["type"] == "urn:hilum:problem:conflicting-film"
        assert answer.json()["films"][0]["study_uid"] == uid
    detail = any_room.study(uid)
    assert detail["film_count"] == 1
    assert [conflict["file_name"] for conflict in detail["conflicts"]] == [name for name, _ in wrong]
    assert "body part" in detail["conflicts"][0]["difference"]
    assert "pixels" not in detail["conflicts"][0]["difference"]
    assert "RIBCAGE" not in str(detail["conflicts"])
    assert any_room.web.blobs.get(any_room.blobs()[0]) == first
    assert len(any_room.blobs()) == 1
    assert any_room.send(wrong[0]).status_code == 409
    assert any_room.study(uid)["conflict_count"] == 3


def test_what_was_taken_is_said_when_others_were_not(room: Room) -> None:
    answer = room.send(("good.png", pattern_film(1)), ("bad.png", b"not a film"), ("empty.png", b""))
    assert answer.status_code == 207
    films = answer.json()["films"]
    assert [(film["file"], film["outcome"], film["status"]) for film in films] == [
        ("good.png", "stored", 201),
        ("bad.png", "refused", 415),
        ("empty.png", "refused", 400),
    ]
    assert answer.json()["uid"] == films[0]["study_uid"]
    assert (room.rows()["films"], len(room.blobs())) == (1, 1)


def test_names_of_files_are_cleaned(room: Room) -> None:
    uid = room.sent(("C:\\films\\..\\<b>\u202ex\u0007 y.png", pattern_film(1)))
    name = room.study(uid)["films"][0]["file_name"]
    assert "\\" not in name
    assert not {"\u0007", "\u202e"} & set(name)


def test_many_at_once_send_the_same_film_and_it_is_kept_once(any_room: Room) -> None:
    body = dicom()
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: any_room.send(body), range(8)))
    assert statuses == [200] * 7 + [201]
    assert (any_room.rows()["films"], any_room.rows()["studies"], len(any_room.blobs())) == (1, 1, 1)


def test_many_at_once_send_other_content_under_one_name_and_one_is_kept(any_room: Room) -> None:
    names = {"SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3"}
    bodies = [written(dataset(grey() // (n + 1), **names)) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(any_room.send, bodies))
    assert statuses == [201] + [409] * 5
    (key,) = any_room.blobs()
    kept = any_room.study("1.2.3")["films"][0]["sha256"]
    assert key.endswith(kept)
    assert hashlib.sha256(any_room.web.blobs.get(key)).hexdigest() == kept
    assert any_room.study("1.2.3")["conflict_count"] == 5


def test_two_replicas_keep_a_film_once(tmp_path: Path, tiny_release: Path, postgres_url: str) -> None:
    blobs = (tmp_path / "films").as_uri()
    with (
        open_room(tmp_path / "a", tiny_release, database_url=postgres_url, blobs_url=blobs) as first,
        open_room(tmp_path / "b", tiny_release, database_url=postgres_url, blobs_url=blobs) as second,
    ):
        bodies = [pattern_film(block, 64) for block in range(6)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda pair: pair[0].send(pair[1]), [(r, b) for b in bodies for r in (first, second)])
            )
        assert sorted(answer.status_code for answer in answers) == [200] * 6 + [201] * 6
        uids = {answer.json()["uid"] for answer in answers}
        for uid in uids:
            second.settled(uid)
        rows = second.rows()
        assert (rows["films"], rows["predictions"], rows["answers"]) == (6, 6, 6)
        asked = first.to_inference.requests + second.to_inference.requests
        assert asked.count("POST /v1/predict") == 6
