"""Grouped cross-validation: who judges whom, and that the figure is that of films never learnt from."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from services.cli import make_app
from tests.training.films import small_data, tiny_recipe
from training.config import read_recipe
from training.data.manifest import Film
from training.evaluate.cross import NEVER_JUDGED, fold_of, results
from training.evaluate.held import held_films
from training.evaluate.metrics import auroc
from training.fit import checkpoint
from training.fit.worker import network_file
from training.network.film_net import FilmNet, save_network


def film(number: int, patient: str, label: int, source: str = "kermany") -> Film:
    return Film(f"f{number}", Path(f"f{number}"), f"{number:064x}", source, patient, (label,))


def test_all_films_of_a_patient_are_judged_in_one_fold_and_every_fold_judges_somebody() -> None:
    folds = [fold_of(f"kermany:person:{number}", "s", 5) for number in range(500)]
    assert folds == [fold_of(f"kermany:person:{number}", "s", 5) for number in range(500)]
    shares = np.bincount(folds, minlength=5) / 500
    assert ((shares > 0.14) & (shares < 0.26)).all()
    assert fold_of("nobody:7", "s", 5) == NEVER_JUDGED


def test_the_figure_is_the_mean_of_the_folds_own_areas_so_scores_of_two_networks_are_never_ranked_together() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    place = np.arange(400) % 2
    # The second fold's network scores everything higher, which ranking all films at once would punish.
    logits = (labels + rng.normal(size=400) + 10.0 * place)[:, None]
    films = [film(n, f"p{n // 2}", int(label)) for n, label in enumerate(labels)]
    (told,) = results(films, ("Pneumonia",), logits, place, 200)
    each = [auroc(logits[place == fold, 0], labels[place == fold] == 1, np.ones((1, 200)))[0] for fold in (0, 1)]
    assert told.auroc.value == pytest.approx(np.mean(each))
    assert told.lowest == pytest.approx(min(each))
    assert told.auroc.low < told.auroc.value < told.auroc.high
    assert (told.folds, told.films, told.positives, told.patients) == (2, 400, int(labels.sum()), 200)


def test_populations_stay_apart_and_a_finding_of_one_class_gives_no_figure() -> None:
    films = [film(n, f"p{n}", n % 2) for n in range(8)] + [film(n, f"p{n}", 0, "nih") for n in range(8, 16)]
    logits = np.arange(16.0)[:, None]
    told = results(films, ("Pneumonia",), logits, np.arange(16) // 4 % 2, 50)
    assert [each.source for each in told] == ["kermany"]


def test_a_cross_validation_as_typed_judges_each_fold_by_its_own_network_and_leaves_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_data(tmp_path / "data", films=120)
    tree = tiny_recipe(data).model_dump(mode="json")
    tree["data"] |= {"sources": [{"kind": "kermany", "path": "kermany224"}], "findings": ["Pneumonia"]}
    tree["data"]["minimum_negatives"] = tree["network"]["members"] = 1
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    monkeypatch.setenv("HILUM_DATA", str(tmp_path / "hilum"))
    work = tmp_path / "work"
    # The folds' networks stand, as after a broken-off run: Ray has no part in what is looked at here.
    torch.manual_seed(0)
    for fold in (1, 2):
        network = FilmNet("test_efficientnet", 1, 0.0, 0.0, None, 64)
        checkpoint.write(network_file(work / f"fold-{fold}-of-2", 0), save_network(network, ("Pneumonia",)))
    call = ["cross-validate", str(tmp_path / "mine.yaml"), "--folds", "2", "--data", str(data), "--resume"]
    call += ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "folds.csv"), "--work", str(work)]
    done = CliRunner().invoke(make_app(), call, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "fold 2 of 2" in done.output
    with (tmp_path / "folds.csv").open(encoding="utf-8") as stream:
        assert "--folds 2" in next(stream)
        (row,) = csv.DictReader(stream)
    assert (row["source"], row["finding"], row["folds"]) == ("kermany", "Pneumonia", "2")
    assert 0 <= float(row["low"]) <= float(row["auroc"]) <= float(row["high"]) <= 1
    locked = held_films(read_recipe(tmp_path / "mine.yaml"), data, "locked").films
    assert locked
    assert int(row["films"]) == len(list((data / "kermany224" / "train").glob("*/*"))) - len(locked)
