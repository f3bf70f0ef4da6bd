"""Compaction to the bucket `newdata`, read back by the adapter that training reads it with, on files and on S3."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from hilum.imaging import decode
from hilum.storage import Blobs, open_blobs
from services.feedback.ledger import Ledger
from services.feedback.newdata import compact
from tests.conftest import S3
from tests.fixtures.reads import a_read
from tests.hilum.imaging.bodies import dicom
from tests.releases import png
from tests.services.feedback.conftest import Post
from training.config import Data, Source
from training.data.read import read_sources
from training.retrain.reads import load_reads

GREY = np.tile(np.arange(64, 192, dtype=np.uint8), (128, 1))


@pytest.fixture(params=["files", "s3"])
def newdata(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "files":
        return open_blobs((tmp_path / "newdata").as_uri())
    s3: S3 = request.getfixturevalue("s3")
    return open_blobs(f"s3://{s3.bucket}", s3.endpoint)


@pytest.fixture
def films(tmp_path: Path) -> Blobs:
    return open_blobs((tmp_path / "films").as_uri())


def table(newdata: Blobs) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(newdata.get("new_data.csv").decode())))


def test_training_reads_what_compaction_wrote(ledger: Ledger, post: Post, films: Blobs, tmp_path: Path) -> None:
    films.put("films/a", png(GREY))
    films.put("films/b", dicom(PatientName="ODD^NAME", PatientID="SECRET-1"))
    newdata = open_blobs((tmp_path / "newdata").as_uri())
    seen = {"patient": "p" * 32, "site": "north"}
    post(a_read(1, film_keys=["films/a"], labels={"Effusion": 1, "Mass": 0}, **seen), key="k-1")
    post(a_read(2, film_keys=["films/b"], labels={"Pneumothorax": -1}, patient="q" * 32), key="k-2")
    post(a_read(3, film_keys=["films/a"], labels={"Mass": 1}), key="k-3")
    post(a_read(3, kind="withdrawal", replaces="k-3", labels={}), key="k-4")
    post(a_read(4, film_keys=["films/gone"], labels={"Mass": 1}), key="k-5")
    done = compact(ledger, films, newdata)
    assert done is not None
    assert (done.reads, done.films, done.written, done.without) == (5, 2, 2, 1)
    folder = tmp_path / "newdata"
    data = Data(
        findings=("Effusion", "Pneumothorax", "Mass"),
        sources=(Source(kind="feedback", path=str(folder), name="feedback"),),
        left_out_share=1.0,
    )
    read = {film.name: film for film in read_sources(data, tmp_path).films}
    assert read["1.2.1.1"].labels == (1, None, 0)
    assert read["1.2.2.1"].labels == (None, -1, None)
    assert (read["1.2.1.1"].site, read["1.2.1.1"].study) == ("north", "1.2.1")
    # The same picture, and nothing of the patient's identity.
    assert np.array_equal(decode(newdata.get("feedback_images/1.2.1.1.png")).pixels, decode(png(GREY)).pixels)
    everything = b"".join(newdata.get(key) for key in newdata.keys(""))
    assert b"SECRET-1" not in everything
    assert b"ODD" not in everything
    # `hilum retrain` weighs the reads themselves; the one that was taken back is not among them.
    assert {each.film for each in load_reads(str(folder / "reads.jsonl"))} == {"1.2.1.1", "1.2.2.1", "1.2.4.1"}


def test_compaction_goes_on_where_it_was_and_an_adjudication_wins(
    ledger: Ledger, post: Post, films: Blobs, newdata: Blobs
) -> None:
    films.put("films/a", png(GREY))
    post(a_read(1, film_keys=["films/a"], labels={"Mass": 1}), key="k-1")
    first = compact(ledger, films, newdata)
    assert first is not None
    assert first.written == 1
    assert compact(ledger, films, newdata) is None
    post(a_read(1, kind="adjudication", film_keys=["films/a"], labels={"Mass": 0}, reader="lead"), key="k-2")
    post(a_read(1, film_keys=["films/a"], labels={"Mass": 1}), key="k-3")
    second = compact(ledger, films, newdata)
    assert second is not None
    assert (second.films, second.written) == (1, 0)
    assert [row["Mass"] for row in table(newdata)] == ["0"]
