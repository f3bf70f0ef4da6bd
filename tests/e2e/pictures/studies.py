"""A study's page, from its opening to the decision between two readers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from tests.e2e.claims import claim_as
from tests.e2e.pictures.studio import FILMS, SAMPLES, WAIT_MS, State, Studio
from tests.hilum.imaging.bodies import dicom, large_grey
from tests.services.web.dicom.sender import note

ADULT, CHILD = SAMPLES / "nih_test3.dcm", SAMPLES / "kermany_IM-0147-0001.jpeg"


def study(studio: Studio) -> Page:
    """A scored study, its first finding labelled, its heat map shown."""
    uid = studio.scored(studio.send(ADULT))
    page = studio.open(uid)
    page.keyboard.press("h")
    expect(page.locator(".heat-note").first).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("1")
    page.keyboard.press("a")
    return page


def study_shortcuts(studio: Studio) -> Page:
    """The keys of a study's page."""
    page = studio.page("anna")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts kbd").first).to_be_visible()
    return page


def study_saved(studio: Studio) -> Page:
    """The read is saved, the next study is open, and it can be taken back."""
    studio.scored(studio.send(SAMPLES / "nih_test2.dcm"))
    page = studio.page("anna")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#undo-saved")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    return page


def study_undone(studio: Studio) -> Page:
    """The saved read is taken back, and what was set is there."""
    page = studio.page("anna")
    page.keyboard.press("t")
    page.wait_for_url("**/*undone=1*")
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    return page


def study_read(studio: Studio) -> Page:
    """A study that is read, with a read that was edited."""
    page = studio.page("anna")
    page.locator("#comment").fill("small effusion on the left")
    uid = page.url.split("/studies/")[1].split("?")[0]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#undo-saved")).to_be_visible(timeout=WAIT_MS)
    studio.open(uid)
    expect(page.locator("#go-on")).to_be_visible()
    return page


def study_edit(studio: Studio) -> Page:
    """Read again: what was saved is set."""
    page = studio.page("anna")
    page.keyboard.press("e")
    page.wait_for_url("**/*again=1*")
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    return page


def study_claimed(studio: Studio) -> Page:
    """Another reader has it."""
    uid = studio.scored(studio.send(FILMS[2], accession="D-310", patient_id="P-310"))
    claim_as(studio.folder, uid, "Dr. Novak")
    page = studio.open(uid)
    expect(page.locator("#claimed")).to_contain_text("Dr. Novak", timeout=WAIT_MS)
    return page


def study_late_film(studio: Studio) -> Page:
    """A film comes while the study is read."""
    fields = {"accession": "D-311", "patient_id": "P-311"}
    uid = studio.scored(studio.send(CHILD, **fields))
    page = studio.open(uid)
    page.keyboard.press("3")
    studio.send(SAMPLES / "kermany_IM-0122-0001.jpeg", by="ben", **fields)
    expect(page.get_by_text("This study changed:")).to_be_visible(timeout=WAIT_MS)
    return page


def study_side_by_side(studio: Studio) -> Page:
    """Both films of a study."""
    page = studio.page("anna")
    page.get_by_role("link", name="Show it as it is now").click()
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("c")
    expect(page.locator(".film.shown[data-painted]")).to_have_count(2, timeout=WAIT_MS)
    return page


def study_reopened(studio: Studio) -> Page:
    """A film came after the study was read."""
    fields = {"accession": "D-312", "patient_id": "P-312"}
    uid = studio.scored(studio.send(SAMPLES / "kermany_person103_virus_190.jpeg", **fields))
    studio.read(uid, {"Effusion": 0})
    studio.send(SAMPLES / "kermany_person1012_bacteria_2943.jpeg", **fields)
    studio.page("anna").wait_for_timeout(1500)
    studio.scored(uid)
    page = studio.open(uid)
    expect(page.get_by_text("Reopened.")).to_be_visible()
    return page


def frontal_and_lateral(studio: Studio) -> tuple[str, str]:
    """A DICOM study of two projections (the second is made: no sample is a lateral film); its UID and the second's."""
    study_uid, second = generate_uid(), generate_uid()
    about = {"StudyInstanceUID": study_uid, "PatientID": "P-313", "AccessionNumber": "D-313"}
    about |= {"PatientOrientation": ["L", "F"], "BodyPartExamined": "CHEST", "InstitutionName": "North clinic"}
    spacing = {"ImagerPixelSpacing": [0.4, 0.4]}
    studio.send(("frontal.dcm", dicom(large_grey(), ViewPosition="PA", **about, **spacing)))
    side = {**about, "PatientOrientation": ["A", "F"], "SOPInstanceUID": second, "ViewPosition": "LL"}
    studio.send(("lateral.dcm", dicom(large_grey()[:, 200:824].copy(), **side)))
    return studio.scored(study_uid), second


def study_lateral(studio: Studio) -> Page:
    """Frontal and lateral side by side, each with its sides."""
    uid, _ = frontal_and_lateral(studio)
    page = studio.open(uid)
    page.keyboard.press("c")
    expect(page.locator(".film.shown[data-painted]")).to_have_count(2, timeout=WAIT_MS)
    return page


def study_withdrawn(studio: Studio) -> Page:
    """The department rejects the second film."""
    uid, second = frontal_and_lateral(studio)
    page = studio.page("anna")
    parts = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + note(uid, second) + b"\r\n--x--\r\n"
    answer = page.request.post(
        "/dicom-web/studies", data=parts, headers={
            "Origin": studio.room.url, "Content-Type": 'multipart/related; type="application/dicom"; boundary=x'},
    )  # fmt: skip
    assert answer.ok, answer.text()
    studio.open(uid)
    page.keyboard.press("v")
    expect(page.locator(".mark", has_text="WITHDRAWN")).to_be_visible(timeout=WAIT_MS)
    return page


def study_not_scored(studio: Studio) -> Page:
    """No chest film: kept and shown, not scored."""
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (400, 300), dtype=np.uint8)).save(stream, "PNG")
    uid = studio.send(("holiday.png", stream.getvalue()), accession="D-314", patient_id="P-314")
    studio.scored(uid)
    return studio.open(uid)


def study_conflict_of_films(studio: Studio) -> Page:
    """Another film came under a UID that is there already; and the header does not say chest."""
    uid = generate_uid()
    about = {
        "StudyInstanceUID": generate_uid(),
        "SOPInstanceUID": uid,
        "PatientID": "P-315",
        "BodyPartExamined": "KNEE",
    }
    studio.send(("first.dcm", dicom(large_grey(), **about)))
    other = dicom(large_grey()[::-1].copy(), **about)
    studio.page("anna").request.post(
        "/v1/studies", headers={"Origin": studio.room.url},
        multipart={"file": {"name": "other.dcm", "mimeType": "application/dicom", "buffer": other}},
    )  # fmt: skip
    return studio.open(studio.scored(str(about["StudyInstanceUID"])))


def viewer(studio: Studio) -> Page:
    """A film of 15 bits with a ruler, the magnifier and a narrower window."""
    page = studio.open(studio.scored(studio.send(SAMPLES / "nema_rg1.dcm")))
    page.keyboard.press("l")
    box = page.locator(".film.shown").bounding_box()
    assert box
    x, y = box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.62
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] * 0.4, y + 10, steps=5)
    page.mouse.up()
    for key in ("Escape", "5", "g"):
        page.keyboard.press(key)
    page.mouse.move(x + 40, y - box["height"] * 0.3)
    return page


def viewer_uncalibrated(studio: Studio) -> Page:
    """A JPEG film has no spacing: lengths in pixels; and it says that it went through a lossy compression."""
    page = studio.open(studio.scored(studio.send(CHILD, accession="D-316", patient_id="P-316")))
    page.keyboard.press("l")
    box = page.locator(".film.shown").bounding_box()
    assert box
    x, y = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] * 0.3, y, steps=5)
    page.mouse.up()
    return page


def compare(studio: Studio) -> Page:
    """Beside the patient's earlier study, with a heat map."""
    films = [SAMPLES / "kermany_IM-0122-0001.jpeg", CHILD]
    for number, film in enumerate(films):
        uid = studio.scored(studio.send(film, patient_id="P-4", accession=f"E-{number}"))
    page = studio.open(uid)
    page.keyboard.press("b")
    page.keyboard.press("h")
    expect(page.locator(".heat-note").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".film.shown[data-painted]")).to_have_count(2, timeout=WAIT_MS)
    return page


def blind(studio: Studio) -> Page:
    """Read blind: no band, no reason, no probability, no heat map."""
    uid = studio.scored(studio.send(ADULT))
    page = studio.open(uid)
    page.keyboard.press("1")
    return page


def blind_after(studio: Studio) -> Page:
    """The blind read is saved, and the answer shows beside it."""
    page = studio.page("anna")
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(page.get_by_text("Your blind read is saved.")).to_be_visible()
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    return page


STATES: tuple[State, ...] = (
    study, study_shortcuts, study_saved, study_undone, study_read, study_edit, study_claimed, study_late_film,
    study_side_by_side, study_reopened, study_lateral, study_withdrawn, study_not_scored, study_conflict_of_films,
    viewer, viewer_uncalibrated, compare,
)  # fmt: skip
BLIND: tuple[State, ...] = (blind, blind_after)
