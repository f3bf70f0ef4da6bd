"""Documents: kept, never listed as films; a rejection note withdraws."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import BasicTextSRStorage, GrayscaleSoftcopyPresentationStateStorage, generate_uid

from services.web.dicom.tables import Instance, Withdrawal
from tests.hilum.imaging.bodies import dataset, dicom, grey, written
from tests.releases import pattern
from tests.services.web.dicom.sender import Listening, listening, note
from tests.services.web.room import Room

STUDY = "1.2.826.0.1.3680043.8.498.78"


def bright(block: int, **changes: object) -> tuple[str, bytes]:
    """A film whose finding `block` fires, and its name."""
    uid = generate_uid()
    return uid, dicom(pattern(block), StudyInstanceUID=STUDY, SOPInstanceUID=uid, **changes)


def present(study: dict[str, object]) -> set[str]:
    """Findings that the answer calls present."""
    answer = study["answer"]
    assert isinstance(answer, dict)
    return {finding["name"] for finding in answer["findings"] if finding["present"]}


@pytest.mark.parametrize("code", ["113001", "113038"])
def test_a_rejection_note_withdraws_its_film_and_the_answer_is_of_the_rest(listener: Listening, code: str) -> None:
    room = listener.room
    (first, one), (_, two) = bright(0), bright(2)
    listener.store(one, two)
    before = room.settled(STUDY)
    assert present(before) == {"Effusion", "Pneumothorax"}
    assert listener.store(note(STUDY, first, code=code))[0].Status == 0
    after = room.study(STUDY)
    assert [film["state"] for film in after["films"]] == ["scored", "withdrawn"], "what counts is shown first"
    assert "withdrawn: " in after["films"][1]["reason"]
    assert room.listed()[0]["first_film_uid"] != first
    assert present(after) == {"Pneumothorax"}
    assert after["answer_version"] == before["answer_version"] + 1
    assert after["due_at"] <= before["due_at"]
    picture = room.client.get(f"/v1/studies/{STUDY}/films/{first}/original")
    assert picture.content.endswith(one[-10_000:])
    page = room.client.get(f"/studies/{STUDY}").text
    assert "withdrawn" in page


def test_a_note_before_its_film_withdraws_it_as_it_arrives(listener: Listening) -> None:
    uid, film = bright(1)
    assert [answer.Status for answer in listener.store(note(STUDY, uid), film)] == [0, 0]
    study = listener.room.study(STUDY)
    assert (study["status"], study["films"][0]["state"], study["answer"]) == ("not_scored", "withdrawn", None)
    assert [row["uid"] for row in listener.room.listed()] == [STUDY]


def test_when_every_film_is_withdrawn_nothing_is_claimed_and_the_study_stays_in_the_list(listener: Listening) -> None:
    room = listener.room
    uid, film = bright(0)
    listener.store(film)
    room.settled(STUDY)
    listener.store(note(STUDY, uid))
    study = room.study(STUDY)
    assert (study["status"], study["answer_version"], study["answer"]["findings"]) == ("not_scored", 2, [])
    assert [row["uid"] for row in room.listed()] == [STUDY]
    assert room.client.get(f"/studies/{STUDY}").status_code == 200


def test_a_withdrawal_opens_a_read_study_again(listener: Listening) -> None:
    room = listener.room
    (first, one), (_, two) = bright(0), bright(2)
    listener.store(one, two)
    study = room.settled(STUDY)
    read = room.read(STUDY, {study["findings"][0]["name"]: 1}, "k1", answer_version=study["answer_version"])
    assert read.status_code == 201
    listener.store(note(STUDY, first))
    assert room.study(STUDY)["reopened"]
    assert room.study(STUDY)["status"] == "scored"


def test_a_note_that_names_the_film_under_another_study_or_rejects_nothing_changes_nothing(listener: Listening) -> None:
    room = listener.room
    uid, film = bright(0)
    listener.store(film)
    room.settled(STUDY)
    answers = listener.store(note("1.2.3.4", uid), note(STUDY, uid, code="113004"))
    assert [answer.Status for answer in answers] == [0, 0]
    assert room.study(STUDY)["films"][0]["state"] == "scored"


def test_notes_sent_twice_are_kept_once(listener: Listening) -> None:
    uid, film = bright(0)
    again = note(STUDY, uid)
    assert [answer.Status for answer in listener.store(film, again, again)] == [0, 0, 0]
    assert (listener.room.rows()["instances"], listener.room.rows()["withdrawals"]) == (2, 1)


@pytest.mark.parametrize(
    ("sop_class", "modality"), [(GrayscaleSoftcopyPresentationStateStorage, "PR"), (BasicTextSRStorage, "SR")]
)
def test_presentation_states_and_reports_are_kept_and_listed_nowhere(
    listener: Listening, sop_class: str, modality: str
) -> None:
    document = dataset(np.zeros((8, 8), np.uint8), SOPClassUID=sop_class, Modality=modality, StudyInstanceUID=STUDY)
    del document.PixelData
    body = written(document)
    assert listener.store(body)[0].Status == 0
    assert listener.room.listed(status="all") == []
    with listener.room.web.read() as session:
        row = session.get(Instance, str(document.SOPInstanceUID))
        assert row is not None
        assert row.kind == "document"
        assert listener.room.web.blobs.get(row.blob_key)[-100:] == body[-100:]
    film = dicom(grey(), StudyInstanceUID=STUDY)
    listener.store(film)
    assert listener.room.study(STUDY)["film_count"] == 1


def test_a_heat_map_of_hilum_that_comes_back_is_not_taken_for_a_film(listener: Listening) -> None:
    named = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Manufacturer": "Hilum", "StudyInstanceUID": STUDY}
    body = dicom(**named, SeriesDescription="Hilum: heat map, influence, not location")
    assert listener.store(body)[0].Status == 0
    assert listener.room.listed(status="all") == []
    # A maker's name alone hides no film.
    assert listener.store(dicom(**named))[0].Status == 0
    assert listener.room.study(STUDY)["film_count"] == 1


def test_a_withdrawal_counts_on_each_database(any_room: Room) -> None:
    uid, film = bright(0)
    with listening(any_room) as here:
        here.store(film)
        any_room.settled(STUDY)
        assert here.store(note(STUDY, uid))[0].Status == 0
        assert any_room.study(STUDY)["films"][0]["state"] == "withdrawn"
        with any_room.web.read() as session:
            assert session.query(Withdrawal).count() == 1
