"""CheXpert in its exact layout, made from the shared films: blanks, -1, laterals, its own order of columns."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from bench.chexpert_layout import FACTS
from hilum.findings import dataset_labels, exact_finding
from hilum.release.signing import new_key
from tests.training.data.made import data, grey, write_csv
from tests.training.films import SHARED, chexpert_data
from tests.training.release.made import ORIGIN
from training.config import CONFIGS, Source, read_recipe
from training.data import BadData, Film, findings_of, label_matrix, read_sources, target_matrix
from training.data.prepare import prepare
from training.fit.loop import fit
from training.fit.sets import TrainingSet
from training.network.film_net import Ensemble
from training.progress import summary
from training.release.bundle import Part, build

LABELS = dataset_labels("chexpert")
HEADER = (*FACTS, *LABELS)
RECIPE = data(Source(kind="chexpert", path="CheXpert-v1.0-small"), findings="chexpert")
needs_films = pytest.mark.skipif(not SHARED.exists(), reason="the shared films are not here")


def _one(folder: Path, path: str, side: str = "Frontal", **labels: str) -> Path:
    facts = dict(zip(FACTS, (f"CheXpert-v1.0-small/{path}", "Female", "68", side, "AP"), strict=True))
    grey(folder / "CheXpert-v1.0-small" / path)
    cells = {**facts, **{name.replace("_", " "): text for name, text in labels.items()}}
    row = [cells.get(name, "") for name in HEADER]
    write_csv(folder / "CheXpert-v1.0-small" / "train.csv", HEADER, row)
    return folder


def _labels(film: Film, findings: tuple[str, ...]) -> dict[str, int | None]:
    return dict(zip(findings, film.labels, strict=True))


def test_blank_is_absent_and_minus_one_is_uncertain(tmp_path: Path) -> None:
    _one(tmp_path, "train/patient00001/study1/view1_frontal.jpg", Edema="1.0", Pleural_Effusion="-1.0", Fracture="0.0")
    manifest = read_sources(RECIPE, tmp_path)
    (film,) = manifest.films
    assert _labels(film, manifest.findings) == {
        **dict.fromkeys(manifest.findings, 0),
        "Edema": 1,
        "Effusion": -1,
        "Fracture": 0,
    }
    assert (film.patient, film.study, film.view) == ("chexpert:patient00001", "patient00001/study1", "AP")
    assert (film.sex, film.age, film.devices) == ("F", 68, 0)


def test_no_finding_is_never_a_finding() -> None:
    assert len(LABELS) == 14
    assert len(findings_of(RECIPE)) == 13
    assert "No Finding" not in findings_of(RECIPE)


def test_only_exact_relations_merge_with_nihs_findings(tmp_path: Path) -> None:
    _one(tmp_path, "train/patient00001/study1/view1_frontal.jpg", Lung_Lesion="1.0", Pleural_Effusion="1.0")
    manifest = read_sources(RECIPE.model_copy(update={"findings": "nih"}), tmp_path)
    labels = _labels(manifest.films[0], manifest.findings)
    assert labels["Effusion"] == 1
    assert labels["Mass"] is labels["Nodule"] is labels["Pleural Thickening"] is labels["Infiltration"] is None


@pytest.mark.parametrize("path", ["CheXpert-v1.0-small", "."])
def test_the_path_in_the_table_is_found_from_either_folder(path: str, tmp_path: Path) -> None:
    _one(tmp_path, "valid/patient64541/study1/view1_frontal.jpg")
    source = Source(kind="chexpert", path=path)
    assert len(read_sources(data(source, findings="chexpert"), tmp_path).films) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"Edema": "2.0"}, r"train\.csv, row 2: 'Edema' is '2\.0'; a label is 1, 0, -1 or blank"),
        ({"side": "Oblique"}, r"row 2: 'Frontal/Lateral' is 'Oblique'"),
    ],
)
def test_a_strange_value_is_refused_with_its_row(labels: dict[str, str], message: str, tmp_path: Path) -> None:
    _one(tmp_path, "train/patient00001/study1/view1_frontal.jpg", **labels)
    with pytest.raises(BadData, match=message):
        read_sources(RECIPE, tmp_path)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    write_csv(tmp_path / "CheXpert-v1.0-small" / "train.csv", HEADER[:-1], ["x"] * (len(HEADER) - 1))
    with pytest.raises(BadData, match=r"train\.csv: no column 'Support Devices'; it has Path, Sex, Age"):
        read_sources(RECIPE, tmp_path)


@needs_films
def test_a_small_chexpert_made_of_real_films_is_read_split_and_decoded(tmp_path: Path) -> None:
    folder = chexpert_data(tmp_path)
    with (folder / "CheXpert-v1.0-small" / "train.csv").open(encoding="utf-8") as stream:
        assert tuple(next(csv.reader(stream))) == HEADER
    recipe = read_recipe(CONFIGS / "tiny.yaml").changed(data=RECIPE.model_dump(), data__input_size=64)
    prepared = prepare(recipe, folder, tmp_path / "store")
    manifest = prepared.manifest
    laterals = [each for each in manifest.left_out if "lateral" in each.reason]
    assert len(laterals) > 20
    assert not manifest.faults
    assert not [film for film in manifest.films if film.view == "LATERAL"]
    both = read_sources(RECIPE.model_copy(update={"laterals": True}), folder)
    assert len(both.films) == len(manifest.films) + len(laterals)
    raw = [label for film in manifest.films for label in film.labels]
    assert raw.count(-1) > 10
    assert not (label_matrix(manifest.films) == 1)[[-1 in film.labels for film in manifest.films]].all()
    targets = target_matrix(manifest.films, recipe.data.model_copy(update={"uncertain": "ones"}), manifest.findings)
    assert (targets == 1).sum() == raw.count(1) + raw.count(-1)
    assert sum(map(len, (part.frames for part in prepared.parts.values()))) == len(manifest.films)


@needs_films
def test_a_network_trained_on_chexperts_layout_becomes_a_release_with_its_findings_in_its_order(tmp_path: Path) -> None:
    folder = chexpert_data(tmp_path, films=120)
    named = Source(kind="chexpert", path="CheXpert-v1.0-small", name="elsewhere")
    recipe = read_recipe(CONFIGS / "chexpert-tiny.yaml").changed(
        data__sources=[named.model_dump()],
        data__minimum_positives=0,
        data__minimum_negatives=1,
        evaluation__bootstrap_draws=10,
    )
    prepared = prepare(recipe, folder, tmp_path / "store")
    findings, train = prepared.manifest.findings, prepared.parts["train"]
    network = fit(TrainingSet.of(train.films, train.frames, recipe, findings), recipe)
    parts = {name: Part(part.films, np.asarray(part.frames)) for name, part in prepared.parts.items()}
    ensemble = Ensemble([network], recipe.size, recipe.data.input_size)
    release = build(recipe, ensemble, findings, parts, ORIGIN, new_key(), tmp_path / "release")
    exact = [exact_finding("chexpert", label) for label in LABELS]
    assert release.findings == findings == tuple(name for name in exact if name is not None and name != "No Finding")
    report = json.loads((release.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert set(report["populations"]) == {"elsewhere"}
    assert summary(release).row_count == len(report["populations"]["elsewhere"]["findings"]) > 0
    card = (release.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    # The card's tables say "elsewhere"; its text must say what that is.
    for phrase in ("a blank counts as absent", "- elsewhere: CheXpert (Irvin", "The same holds for elsewhere"):
        assert phrase in card
