"""Labels into matrices, policies for -1, the digest, and the Parquet file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.training.data.made import data, films
from training.config import Policy, Source
from training.data import BadData, LeftOut, Manifest, check_findings, findings_of, label_matrix, target_matrix
from training.data.manifest import Film, Masked, Shortcut
from training.data.parquet import read_manifest, write_manifest

FINDINGS = ("Effusion", "Mass")
RECIPE = data(Source(kind="nih", path="x"), findings=FINDINGS)
FILM = replace(films(1, 1, 2)[0], labels=(-1, None))


def _targets(policy: Policy, film: Film = FILM, **fields: object) -> list[float]:
    changed = RECIPE.model_copy(update={"uncertain": policy, **fields})
    return [float(value) for value in target_matrix([film], changed, FINDINGS)[0]]


def test_uncertain_counts_as_unknown_wherever_a_model_is_judged() -> None:
    several = [FILM, replace(FILM, labels=(1, 0))]
    assert label_matrix(several).tolist() == [[-1, -1], [1, 0]]
    assert label_matrix(several).dtype == np.int8


@pytest.mark.parametrize(("policy", "target"), [("ones", 1.0), ("zeros", 0.0)])
def test_a_policy_turns_uncertain_into_a_target_and_leaves_unknown_alone(policy: Policy, target: float) -> None:
    effusion, mass = _targets(policy)
    assert effusion == target
    assert np.isnan(mass)


def test_ignored_labels_have_no_target() -> None:
    assert np.isnan(_targets("ignore")).all()


def test_a_smoothed_target_is_drawn_once_from_the_recipes_range() -> None:
    draws = [_targets("smoothed", replace(FILM, sha256=f"{n:064x}"))[0] for n in range(300)]
    assert 0.55 <= min(draws) < 0.57
    assert 0.83 < max(draws) <= 0.85
    assert _targets("smoothed") == pytest.approx(_targets("smoothed"), nan_ok=True)


def test_a_finding_may_have_a_policy_of_its_own_and_a_stranger_may_not() -> None:
    assert _targets("zeros", uncertain_by_finding={"Effusion": "ones"})[0] == 1.0
    with pytest.raises(BadData, match=r"uncertain_by_finding names \['Gout'\]"):
        _targets("zeros", uncertain_by_finding={"Gout": "ones"})


def test_a_finding_without_positives_or_negatives_is_refused_by_name() -> None:
    many = [replace(film, labels=(0, 1)) for film in films(12, 12, 2)]
    with pytest.raises(BadData, match=r"Effusion has 0 positive training films.*; Mass has 0 known negative"):
        check_findings(many, RECIPE, FINDINGS)
    check_findings([*many, *(replace(f, labels=(1, 0)) for f in many)], RECIPE, FINDINGS)


@pytest.mark.parametrize(
    ("names", "message"),
    [(("Gout",), "'Gout' is not a finding"), (("No Finding",), "the absence"), (("Mass", "Mass"), "each finding once")],
)
def test_a_recipe_with_strange_findings_is_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadData, match=message):
        findings_of(RECIPE.model_copy(update={"findings": names}))


def test_the_digest_is_of_the_films_and_not_of_their_order_or_place() -> None:
    some = films(4, 2, 2)
    first = Manifest(FINDINGS, tuple(some)).digest
    assert Manifest(FINDINGS, tuple(some[::-1])).digest == first
    assert Manifest(FINDINGS, tuple(replace(film, path=Path("/else") / film.name) for film in some)).digest == first
    for change in ({"labels": (0, None)}, {"sha256": "f" * 64}, {"patient": "made:9"}, {"age": 3}, {"weight": 0.5}):
        changed = [replace(some[0], **change), *some[1:]]  # type: ignore[arg-type]
        assert Manifest(FINDINGS, tuple(changed)).digest != first, change
    assert Manifest(FINDINGS[::-1], tuple(some)).digest != first
    assert Manifest(FINDINGS, tuple(some[1:])).digest != first


def _manifest(folder: Path) -> Manifest:
    inside = replace(FILM, path=folder / "a" / "b.jpg", sex="F", age=61, study="s", site="Ward", devices=1, weight=0.25)
    outside = replace(films(1, 1)[0], name="other", path=Path("/elsewhere/c.jpg"), labels=(1, 0))
    return Manifest(
        FINDINGS,
        (inside, outside),
        (LeftOut("nih", "x", "no file x", "nih/t.csv", 7), LeftOut("nih", "y", "a lateral", fault=False)),
        (Masked("nih", "Mass", 3, "why"),),
        (Shortcut("Mass", "site", "", 10, 5, 0.9, 0.8, "Ward: 90% of 5"),),
    )


def test_a_parquet_file_gives_the_manifest_back_whole(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    write_manifest(manifest, tmp_path / "out" / "films.parquet", tmp_path)
    assert read_manifest(tmp_path / "out" / "films.parquet", tmp_path) == manifest
    table = pq.read_table(tmp_path / "out" / "films.parquet")
    assert table.column("path").to_pylist() == ["a/b.jpg", "/elsewhere/c.jpg"]
    assert str(table.schema.field("Effusion").type) == "int8"
    assert table.column("Effusion").to_pylist() == [-1, 1]
    assert table.column("Mass").null_count == 1
    moved = read_manifest(tmp_path / "out" / "films.parquet", Path("/moved"))
    assert moved.films[0].path == Path("/moved/a/b.jpg")
    assert moved.digest == manifest.digest


def test_a_manifest_that_was_changed_or_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "films.parquet"
    write_manifest(_manifest(tmp_path), path, tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(BadData, match="not those it was written with"):
        read_manifest(path, tmp_path)
    pq.write_table(table.replace_schema_metadata({}), path)
    with pytest.raises(BadData, match=r"films\.parquet: no manifest of Hilum's"):
        read_manifest(path, tmp_path)
    path.write_text("film,path")
    with pytest.raises(BadData, match="not a Parquet file"):
        read_manifest(path, tmp_path)
