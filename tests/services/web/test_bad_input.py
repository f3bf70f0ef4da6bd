"""Bad input over HTTP: the right 4xx, a problem document, and nothing left behind."""

from __future__ import annotations

import random
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from sqlalchemy import select

from services.web.tables import Film
from tests.hilum.imaging.bodies import COMPUTED_RADIOGRAPHY, dicom, grey, picture, pydicom_data, sample
from tests.releases import pattern_film
from tests.services.web.room import Room

PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"
CT = "1.2.840.10008.5.1.4.1.1.2"


def png_bomb(side: int) -> bytes:
    """The head of a PNG of `side` x `side` black pixels: it compresses to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side + 1) * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def nothing_is_left(room: Room) -> None:
    """No row of a film, and no blob."""
    assert not any(room.rows().values()), room.rows()
    assert room.blobs("") == []


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document, which must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:hilum:problem:")
    assert body["detail"]
    return body


BAD = {
    "empty": (b"", 400),
    "text named png": (b"This is a letter and no film.\n" * 40, 415),
    "truncated jpeg": (picture(grey(), "JPEG", quality=95)[:2000], 400),
    "truncated png": (pattern_film(1)[:-40], 400),
    "png bomb": (png_bomb(40_000), 413),
    "ct slice": ((PYDICOM / "CT_small.dcm").read_bytes(), 422),
    "mr slice": ((PYDICOM / "MR_small.dcm").read_bytes(), 422),
    "ct by its class": (dicom(SOPClassUID=CT, Modality="CT"), 422),
    "no pixels": (dicom(PixelData=None), 422),
    "no study uid": (dicom(StudyInstanceUID=None), 422),
    "no instance uid": (dicom(SOPInstanceUID=None), 422),
    "a uid that is none": (dicom(StudyInstanceUID="../../etc/passwd"), 422),
    "too small": (picture(grey()[:8, :8]), 422),
    "half a dicom": (dicom()[:4000], 400),
    "half a compressed dicom": (sample("nih_test1.dcm")[:-3000], 422),
    "rtplan": ((PYDICOM / "rtplan.dcm").read_bytes(), 422),
    "zip": (b"PK\x03\x04" + bytes(300), 415),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_and_leaves_nothing(still_room: Room, name: str) -> None:
    body, status = BAD[name]
    document = problem(still_room.send((f"{name}.png", body)), status)
    assert [film["outcome"] for film in document["films"]] == ["refused"]
    assert document["films"][0]["detail"] == document["detail"]
    nothing_is_left(still_room)
    assert still_room.listed() == []


def test_a_leg_film_is_kept_with_a_warning_and_is_in_the_list(room: Room) -> None:
    """Nobody drops a film: whether it looks like a chest is for the release's domain check and the reader."""
    body = (pydicom_data() / "RG3_UNCR.dcm").read_bytes()
    answer = room.send(("leg.dcm", body))
    assert answer.status_code == 201, answer.text
    study = room.study(answer.json()["uid"])
    assert study["warning_count"] > 0


def test_a_leg_by_its_header_has_a_warning(room: Room) -> None:
    uid = room.sent(("leg.dcm", dicom(BodyPartExamined="LEG")))
    assert "LEG" in str(room.study(uid)["warnings"])


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_an_upload_beyond_the_limit_is_refused(room: Room, declared: bool) -> None:
    limit = room.web.settings.max_body_bytes

    def chunks():  # type: ignore[no-untyped-def]
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f.png"\r\n\r\n'
        yield head
        block = bytes(1_000_000)
        for _ in range(limit // len(block) + 1):
            yield block

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    if declared:
        headers["Content-Length"] = str(500_000_000)
        answer = room.client.post("/v1/studies", content=b"", headers=headers)
    else:
        answer = room.client.post("/v1/studies", content=chunks(), headers=headers)
    problem(answer, 413)
    nothing_is_left(room)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("image/png", pattern_film(1), 415),
        ("multipart/form-data", b"--x\r\n", 400),
        ("multipart/form-data; boundary=x", b"no boundary here", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n1\r\n--x--',
            422,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n1\r\n--x--\r\n',
            422,
        ),
    ],
    ids=["json", "bare png", "no boundary", "other boundary", "no name", "no parts", "text", "wrong field"],
)
def test_a_request_that_is_no_upload_is_refused(still_room: Room, content_type: str, body: bytes, status: int) -> None:
    problem(still_room.client.post("/v1/studies", content=body, headers={"Content-Type": content_type}), status)
    nothing_is_left(still_room)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accession", "x" * 65),
        ("patient_id", "x" * 65),
        ("priority", "x" * 17),
        ("patient_id", "a\x00b"),
        ("site", "a\nb"),
    ],
)
def test_a_field_that_is_no_text_of_its_kind_is_refused(still_room: Room, field: str, value: str) -> None:
    problem(still_room.send(pattern_film(1), **{field: value}), 422)
    nothing_is_left(still_room)


def test_a_field_given_twice_with_two_values_is_refused(still_room: Room) -> None:
    files = [("file", ("a.png", pattern_film(1)))]
    answer = still_room.client.post("/v1/studies", files=files, data={"patient_id": ["P-1", "P-2"]})
    problem(answer, 422)
    nothing_is_left(still_room)


def test_a_file_name_of_ten_thousand_letters_is_refused_in_words(still_room: Room) -> None:
    said = problem(still_room.send(("n" * 10_000, pattern_film(1))), 400)
    assert "a file's name in it has more than 4,000 characters" in said["detail"]
    nothing_is_left(still_room)


def test_too_many_files_are_refused(still_room: Room) -> None:
    count = still_room.web.settings.max_films_per_request + 1
    answer = still_room.client.post("/v1/studies", files=[("file", ("a.png", b"x")) for _ in range(count)])
    problem(answer, 400)
    nothing_is_left(still_room)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/studies/nothing",
        "/v1/studies/1.2.3",
        "/v1/studies/%00",
        "/v1/studies/..%2f..%2fetc",
        "/v1/studies/" + "1" * 300,
    ],
)
def test_a_study_that_is_not_here_is_a_404(any_still_room: Room, path: str) -> None:
    problem(any_still_room.client.get(path), 404)
    for below in (
        "/films/1.2.3/image.png",
        "/films/%00/thumbnail.png",
        "/films/1.2/original",
        "/films/1.2/heat?finding=x",
    ):
        problem(any_still_room.client.get(path + below), 404)


def test_no_mutated_film_makes_an_error_of_ours_or_leaves_a_blob_without_a_row(room: Room) -> None:
    chance = random.Random(20261121)
    whole = [dicom(), sample("nih_test1.dcm"), pattern_film(1), picture(grey(), "JPEG")]
    for _ in range(120):
        body = bytearray(chance.choice(whole))
        for _ in range(chance.choice([1, 2, 8])):
            place = chance.randrange(min(len(body), chance.choice([400, 3000, 10**6])))
            if chance.random() < 0.6:
                body[place] = chance.randrange(256)
            else:
                del body[place : place + chance.randrange(1, 40)]
        answer = room.send(("film", bytes(body)))
        assert answer.status_code in {200, 201, 400, 409, 413, 415, 422}, answer.text
    with room.web.read() as session:
        keys = sorted(session.scalars(select(Film.blob_key)))
    assert keys == room.blobs()


DEFECTS: dict[str, dict[str, Any]] = {
    "body_part": {"BodyPartExamined": "RIBCAGE"},
    "body_part_missing": {"BodyPartExamined": None},
    "modality": {"Modality": "CT"},
    "modality_missing": {"Modality": None},
    "patient_position": {"PatientPosition": "XX"},
    "view": {"ViewPosition": "XX"},
    "view_missing": {"ViewPosition": None},
    "patient_id": {"PatientID": None},
    "sop_class": {"SOPClassUID": "1.2.3.4"},
    "burned_in": {"BurnedInAnnotation": "YES"},
    "series_uid": {"SeriesInstanceUID": None},
}


@pytest.mark.parametrize("code", DEFECTS)
def test_each_header_defect_alone_is_a_warning_on_the_study(room: Room, code: str) -> None:
    uid = room.sent(("film.dcm", dicom(**DEFECTS[code])))
    study = room.study(uid)
    assert code in {warning["code"] for warning in study["warnings"]}
    assert room.listed()[0]["warning_count"] == study["warning_count"] >= 1


def test_a_film_without_defects_has_no_warning(room: Room) -> None:
    uid = room.sent(("film.dcm", dicom(SOPClassUID=COMPUTED_RADIOGRAPHY)))
    assert room.study(uid)["warnings"] == []


def test_an_accession_that_differs_from_the_headers_is_a_warning(room: Room) -> None:
    uid = room.sent(("film.dcm", dicom(AccessionNumber="A-1")), accession="A-2")
    study = room.study(uid)
    assert study["accession"] == "A-1"
    assert "accession-differs" in {warning["code"] for warning in study["warnings"]}


def test_memory_does_not_grow_with_the_number_of_films_in_a_request(room: Room) -> None:
    """A request's films are decoded one after the other; what the form holds is on disk."""
    body = dicom(grey().repeat(8, 0).repeat(8, 1))
    peak = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.005):
            peak = max(peak, _rss())

    room.send(body)
    before = _rss()
    watcher = threading.Thread(target=watch)
    watcher.start()
    films = [("film.dcm", dicom(grey().repeat(8, 0).repeat(8, 1) // (n % 200 + 1))) for n in range(40)]
    made = _rss()
    answer = room.send(*films)
    stop.set()
    watcher.join()
    assert answer.status_code == 201
    # The test itself holds the request's bytes (42 MB) some times over; decoded films would be 40 times 4 MB more.
    assert peak - made < 260_000_000, (before, made, peak)


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
