"""DICOMweb: STOW-RS in, QIDO-RS and WADO-RS of what was stored."""

from __future__ import annotations

import re
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, generate_uid

from hilum.storage import BlobsUnavailable
from services.web.dicom.tables import Instance
from tests.hilum.imaging.bodies import compressed, dataset, dicom, grey, written
from tests.releases import pattern
from tests.services.web.dicom.sender import note
from tests.services.web.room import Room, open_room, wait_for

ROOT = "/dicom-web/studies"
TYPE = 'multipart/related; type="application/dicom"; boundary=xYzZY'


def multipart(*bodies: bytes, kind: str = "application/dicom") -> bytes:
    """A STOW-RS body."""
    parts = [f"--xYzZY\r\nContent-Type: {kind}\r\n\r\n".encode() + body + b"\r\n" for body in bodies]
    return b"".join(parts) + b"--xYzZY--\r\n"


def stow(room: Room, *bodies: bytes, path: str = ROOT) -> httpx.Response:
    """Send instances."""
    return room.client.post(path, content=multipart(*bodies), headers={"Content-Type": TYPE})


def parts_of(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """(content type, bytes) of each part of a multipart answer."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content)
    found = []
    for part in message.get_payload():
        assert not isinstance(part, str)
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        found.append((part["Content-Type"], body))
    return found


def values(items: list[dict[str, Any]], tag: str) -> list[Any]:
    """The first value of an element in each dataset."""
    return [item[tag].get("Value", [None])[0] for item in items]


def asked(room: Room, path: str, **query: str) -> list[dict[str, Any]]:
    """A QIDO-RS answer."""
    answer = room.client.get(f"/dicom-web/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    found: list[dict[str, Any]] = answer.json()
    return found


def test_instances_are_stored_scored_found_and_given_back_byte_for_byte(any_room: Room) -> None:
    room = any_room
    study, series = generate_uid(), generate_uid()
    films = [dicom(pattern(n), StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n) for n in (1, 2)]
    answer = stow(room, *films)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert len(body["00081199"]["Value"]) == 2
    assert "00081198" not in body
    assert body["00081190"]["Value"][0].endswith(f"{ROOT}/{study}")
    room.settled(study)
    (row,) = asked(room, "studies", StudyInstanceUID=study)
    assert (row["00201208"]["Value"], row["00201206"]["Value"], row["00080061"]["Value"]) == ([2], [1], ["CR"])
    assert "Zzyzx" not in str(row)
    (one,) = asked(room, f"studies/{study}/series")
    assert one["0020000E"]["Value"] == [series]
    instances = asked(room, f"studies/{study}/series/{series}/instances")
    assert sorted(values(instances, "00200013")) == [1, 2]
    given = parts_of(room.client.get(f"{ROOT}/{study}"))
    assert sorted(body for _, body in given) == sorted(films)
    assert all("transfer-syntax=1.2.840.10008.1.2.1" in kind for kind, _ in given)
    uid = str(pydicom.dcmread(BytesIO(films[0])).SOPInstanceUID)
    path = f"{ROOT}/{study}/series/{series}/instances/{uid}"
    bare = room.client.get(path, headers={"Accept": "application/dicom"})
    assert (bare.content, bare.headers["content-type"]) == (films[0], "application/dicom")
    (header,) = room.client.get(f"{path}/metadata").json()
    assert header["00080018"]["Value"] == [uid]
    assert "7FE00010" not in header
    assert room.client.get(f"{path}/rendered").content.startswith(b"\x89PNG")
    ((_, frame),) = parts_of(room.client.get(f"{path}/frames/1"))
    assert frame == pattern(1).tobytes()
    assert stow(room, *films).status_code == 200, "again is no error"
    assert room.study(study)["film_count"] == 2


def test_each_instance_has_its_own_outcome(room: Room) -> None:
    study = generate_uid()
    good = dicom(StudyInstanceUID=study)
    answer = stow(room, good, b"not dicom", dicom(NumberOfFrames=3), dicom(StudyInstanceUID=study, PatientID="P-2"))
    assert answer.status_code == 202
    body = answer.json()
    assert len(body["00081199"]["Value"]) == 1
    assert values(body["00081198"]["Value"], "00081197") == [0xC004, 0xC005, 0xC002]
    assert room.study(study)["conflict_count"] == 1
    nothing = stow(room, b"not dicom")
    assert nothing.status_code == 409
    assert "00081199" not in nothing.json()
    other = stow(room, dicom(), path=f"{ROOT}/{study}")
    assert values(other.json()["00081198"]["Value"], "00081197") == [0xA900]


def test_a_note_beside_its_film_withdraws_it_from_queries_but_loses_nothing(room: Room) -> None:
    study, uid, series = generate_uid(), generate_uid(), generate_uid()
    film = dicom(StudyInstanceUID=study, SOPInstanceUID=uid, SeriesInstanceUID=series)
    assert stow(room, note(study, uid), film).status_code == 200
    assert room.study(study)["films"][0]["state"] == "withdrawn"
    assert uid not in values(asked(room, f"studies/{study}/instances"), "00080018")
    assert [body for _, body in parts_of(room.client.get(f"{ROOT}/{study}"))] != [film]
    direct = room.client.get(f"{ROOT}/{study}/series/{series}/instances/{uid}", headers={"Accept": "application/dicom"})
    assert direct.content == film


def test_a_compressed_film_is_given_as_it_is_stored(room: Room) -> None:
    film = dataset(grey())
    body = compressed(film, JPEG2000Lossless)
    names = str(film.StudyInstanceUID), str(film.SeriesInstanceUID), str(film.SOPInstanceUID)
    one = room.client.post(ROOT, content=body, headers={"Content-Type": "application/dicom"})
    assert one.status_code == 200, one.text
    path = "{}/{}/series/{}/instances/{}".format(ROOT, *names)
    ((kind, given),) = parts_of(room.client.get(path))
    assert given == body
    assert str(JPEG2000Lossless) in kind
    ((_, frame),) = parts_of(room.client.get(f"{path}/frames/1"))
    assert frame.startswith(b"\xff\x4f\xff\x51")
    refused = room.client.get(path, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'})  # fmt: skip # noqa: E501
    assert refused.status_code == 406
    assert room.client.get(path, headers={"Accept": "text/html"}).status_code == 406
    assert room.client.get(f"{path}/frames/2").status_code == 404


def test_studies_are_found_by_what_a_worklist_knows_in_pages(room: Room) -> None:
    for n in range(5):
        stow(room, dicom(grey() // (n + 1), PatientID=f"P-{n}", AccessionNumber=f"A{n}", StudyDate=f"2026110{n + 1}"))
    assert len(asked(room, "studies")) == 5
    assert values(asked(room, "studies", PatientID="P-3"), "00100020") == ["P-3"]
    assert values(asked(room, "studies", **{"00080050": "A2"}), "00080050") == ["A2"]
    assert len(asked(room, "studies", PatientID="P-*")) == 5
    assert len(asked(room, "studies", PatientID="P_*")) == 0
    assert len(asked(room, "studies", PatientID="%")) == 0
    assert len(asked(room, "studies", StudyDate="20261102-20261104")) == 3
    assert len(asked(room, "studies", StudyDate="20261104-")) == 2
    assert len(asked(room, "studies", ModalitiesInStudy="DX")) == 0
    pages = [values(asked(room, "studies", limit="2", offset=str(at)), "0020000D") for at in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({uid for page in pages for uid in page}) == 5
    assert len(asked(room, "instances", PatientID="P-1")) == 1
    assert len(asked(room, "series", AccessionNumber="A1")) == 1
    fuzzy = room.client.get("/dicom-web/studies", params={"fuzzymatching": "true"})
    assert "299" in fuzzy.headers["warning"]


def test_films_from_before_there_were_instances_get_their_rows(tmp_path: Path, tiny_release: Path) -> None:
    body = dicom()
    study = str(pydicom.dcmread(BytesIO(body)).StudyInstanceUID)
    with open_room(tmp_path, tiny_release) as room:
        room.sent(body)
        with room.web.write() as session:
            session.query(Instance).delete()
        assert room.client.get(f"{ROOT}/{study}").status_code == 404
    with open_room(tmp_path, tiny_release) as room:
        wait_for(lambda: room.client.get(f"{ROOT}/{study}").status_code == 200)
        assert [given for _, given in parts_of(room.client.get(f"{ROOT}/{study}"))] == [body]


@pytest.mark.parametrize(
    "query", [{"PatientName": "Zzyzx*"}, {"limit": "-1"}, {"StudyDate": "yesterday"}, {"StudyDate": "-"}, {"x": "y"}]
)
def test_a_query_that_cannot_be_answered_is_refused_in_words(still_room: Room, query: dict[str, str]) -> None:
    answer = still_room.client.get("/dicom-web/studies", params=query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ('multipart/related; type="application/dicom+json"; boundary=x', b"", 415),
        ('multipart/related; type="application/dicom"', b"", 400),
        (TYPE, b"", 400),
        (TYPE, b"rubbish", 400),
        (TYPE, multipart(dicom())[:-20], 400),
        (TYPE, b"--xYzZY--\r\n", 400),
        (TYPE, multipart(b"<xml/>", kind="application/dicom+xml"), 415),
        (TYPE.replace("xYzZY", "x" * 200), b"", 400),
    ],
)
def test_a_body_that_is_no_stow_is_refused_calmly_and_leaves_nothing(
    still_room: Room, content_type: str, body: bytes, status: int
) -> None:
    answer = still_room.client.post(ROOT, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not any(still_room.rows().values())
    assert still_room.blobs("") == []


def test_a_store_that_is_away_answers_503_and_the_same_is_taken_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = dicom()

    def full(key: str, data: bytes) -> None:
        raise BlobsUnavailable("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(room.web.blobs, "put", full)
        assert stow(room, body).status_code == 503
    assert stow(room, body).status_code == 200


@pytest.mark.parametrize(
    "path", ["1.2.3", "1.2.3/metadata", "1.2.3/series/1.2/instances/1.2/rendered", "..%2f..%2fetc"]
)
def test_what_is_not_here_is_a_404(still_room: Room, path: str) -> None:
    assert still_room.client.get(f"{ROOT}/{path}").status_code == 404


def test_an_instance_of_one_study_is_not_given_under_another(room: Room) -> None:
    first, second = dataset(grey()), dicom(255 - grey())
    stow(room, written(first), second)
    other = str(pydicom.dcmread(BytesIO(second)).StudyInstanceUID)
    path = f"{ROOT}/{other}/series/{first.SeriesInstanceUID}/instances/{first.SOPInstanceUID}"
    assert room.client.get(path).status_code == 404
    assert re.fullmatch(r"[0-9.]+", other)
