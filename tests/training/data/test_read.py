"""Several sources into one manifest: from folders and a bucket, with films missing, empty, double or unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.storage.open import open_blobs
from tests.conftest import S3
from tests.training.data.made import data, grey, nih, write_csv
from training.config import CONFIGS, Data, Source, read_recipe
from training.data import BadData, read_sources
from training.data.prepare import prepare

NIH = Source(kind="nih", path="nih")
KERMANY = Source(kind="kermany", path="kids")


def _two(folder: Path) -> Path:
    nih(folder / "nih", *((f"0000150{n}_000", "Effusion" if n % 2 else "No Finding", 1500 + n) for n in range(8)))
    for n in range(4):
        grey(folder / "kids" / "train" / ("NORMAL" if n % 2 else "PNEUMONIA") / f"person{n}_virus_1.jpeg")
    return folder


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nih is missing from the data folder; set HILUM_TRAINING_DATA"):
        read_sources(data(NIH), tmp_path / "nowhere")


def test_a_missing_table_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "nih").mkdir()
    with pytest.raises(BadData, match=r"nih: no file Data_Entry_2017_v2020\.csv"):
        read_sources(data(NIH), tmp_path)


def test_missing_and_empty_films_are_left_out_with_their_rows_up_to_a_share(tmp_path: Path) -> None:
    _two(tmp_path)
    (tmp_path / "nih" / "images" / "00001500_000.jpg").unlink()
    (tmp_path / "nih" / "images" / "00001503_000.jpg").write_bytes(b"")
    with pytest.raises(BadData, match=r"2 of 12 films \(16\.7%\).*row 2: 00001500_000: no file .*left_out_share"):
        read_sources(data(NIH, KERMANY), tmp_path)
    manifest = read_sources(data(NIH, KERMANY, left_out_share=0.2), tmp_path)
    assert len(manifest.films) == 10
    assert [str(each) for each in manifest.faults] == [
        "nih/Data_Entry_2017_v2020.csv, row 2: 00001500_000: no file nih/images/00001500_000.png",
        "nih/Data_Entry_2017_v2020.csv, row 5: 00001503_000: images/00001503_000.jpg is empty",
    ]


def test_a_corrupt_film_is_left_out_when_it_is_decoded_and_training_goes_on(tmp_path: Path) -> None:
    _two(tmp_path)
    (tmp_path / "nih" / "images" / "00001502_000.jpg").write_bytes(b"\xff\xd8\xff broken")
    section = data(NIH, KERMANY, left_out_share=0.1, minimum_positives=0, minimum_negatives=1, input_size=32)
    recipe = read_recipe(CONFIGS / "tiny.yaml").changed(data=section.model_dump())
    for _ in range(2):  # The second time the store remembers it.
        prepared = prepare(recipe, tmp_path, tmp_path / "store")
        assert len(prepared.manifest.films) == 11
        assert "left out because of a fault: 1" in prepared.notes[0]
        assert "row 4: 00001502_000: 00001502_000.jpg: cannot be decoded" in prepared.notes[0]
    with pytest.raises(BadData, match=r"1 of 12 films \(8\.3%\)"):
        prepare(recipe.changed(data__left_out_share=0.01), tmp_path, tmp_path / "store")


def test_a_patients_film_that_stands_twice_byte_for_byte_is_taken_once(tmp_path: Path) -> None:
    folder = _two(tmp_path) / "kids" / "train" / "PNEUMONIA"
    (folder / "person0_virus_2.jpeg").write_bytes((folder / "person0_virus_1.jpeg").read_bytes())
    manifest = read_sources(data(KERMANY), tmp_path)
    assert len(manifest.films) == 4
    (twin,) = manifest.left_out
    assert not twin.fault
    assert "byte for byte kermany's person0_virus_1 of the same patient" in twin.reason


def test_two_folders_of_one_kind_need_names(tmp_path: Path) -> None:
    other = Source(kind="nih", path="nih2")
    with pytest.raises(BadData, match="nih and nih2 are both called 'nih': give one a name"):
        read_sources(data(NIH, other), tmp_path)


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    _two(tmp_path)
    table = tmp_path / "nih" / "Data_Entry_2017_v2020.csv"
    table.write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(BadData, match="not a readable CSV file in UTF-8"):
        read_sources(data(NIH), tmp_path)
    write_csv(table, ("Image Index",))
    with pytest.raises(BadData, match="no column 'Finding Labels', 'Patient ID'"):
        read_sources(data(NIH), tmp_path)


def _bucketed(recipe: Data, s3: S3) -> Data:
    sources = [source.model_copy(update={"path": f"{s3.url}/{source.path}"}) for source in recipe.sources]
    return recipe.model_copy(update={"sources": tuple(sources)})


def test_sources_in_a_bucket_give_the_same_data_as_the_folder(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_S3_ENDPOINT", s3.endpoint)
    local = _two(tmp_path / "local")
    blobs = open_blobs(s3.url, s3.endpoint)
    for path in sorted(local.rglob("*.*")):
        blobs.put(path.relative_to(local).as_posix(), path.read_bytes())
    recipe = data(NIH, KERMANY)
    there, here = read_sources(_bucketed(recipe, s3), tmp_path, tmp_path / "cache"), read_sources(recipe, local)
    assert there.digest == here.digest
    assert all(film.path.is_relative_to(tmp_path / "cache") for film in there.films)
    blobs.delete("nih/images/00001500_000.jpg")
    with pytest.raises(BadData, match=r"row 2: 00001500_000: no file s3://"):
        read_sources(_bucketed(recipe, s3), tmp_path, tmp_path / "cache")


def test_a_bucket_that_is_not_there_is_said(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_S3_ENDPOINT", s3.endpoint)
    for url, message in (
        (f"{s3.url}/none", "nothing lies there"),
        ("s3://nowhere-at-all/x", "the bucket doesn't exist"),
    ):
        with pytest.raises(BadData, match=message):
            read_sources(data(Source(kind="nih", path=url)), tmp_path, tmp_path / "cache")
