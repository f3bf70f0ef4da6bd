"""What gives a finding away without the film."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.data.made import films, shared_manifest
from tests.training.films import SHARED
from training.config import CONFIGS, read_recipe
from training.data import BadData, Film, Manifest
from training.data.prepare import refuse_shortcuts
from training.data.shortcuts import cramers_v, find_shortcuts, refusals

RECIPE = read_recipe(CONFIGS / "default.yaml")


def _planted(share: float, **facts: str) -> list[Film]:
    """600 films of as many patients, a third positive; `share` of the positives carry `facts`, 2 % of the others."""
    rng = np.random.default_rng(0)
    made = []
    for n, film in enumerate(films(600, 600)):
        present = n % 3 == 0
        carries = rng.random() < (share if present else 0.02)
        given = facts if carries else dict.fromkeys(facts, "other")
        number = int(rng.integers(1, 10**6))
        made.append(replace(film, labels=(int(present),), patient=f"made:{number}", **given))
    return made


@pytest.mark.parametrize("attribute", ["source", "site", "device", "view"])
def test_an_attribute_that_gives_a_finding_away_is_named(attribute: str) -> None:
    (found,) = find_shortcuts(_planted(0.95, **{attribute: "here"}), ["Mass"])
    assert (found.attribute, found.positives) == (attribute, 200)
    assert found.auroc > 0.9
    assert found.cramers_v > 0.8
    assert "here: 9" in found.detail


def test_a_weak_attribute_is_not_named() -> None:
    assert find_shortcuts(_planted(0.10, site="here"), ["Mass"]) == []


def test_many_values_do_not_shine_by_chance() -> None:
    """Every film has its own scanner: fitted on the same films that would be a perfect guess."""
    some = [replace(film, device=f"scanner {n}", labels=(n % 2,)) for n, film in enumerate(films(300, 300))]
    assert [each for each in find_shortcuts(some, ["Mass"]) if each.attribute == "device"] == []


def test_a_range_of_patient_numbers_that_gives_a_finding_away_is_named() -> None:
    some = [
        replace(film, patient=f"made:{n}", labels=(int(n < 60 or n >= 540),)) for n, film in enumerate(films(600, 600))
    ]
    (found,) = find_shortcuts(some, ["Mass"])
    assert (found.attribute, found.source, found.state) == ("patient number", "made", "open")
    assert "60 to 539: 0% of 480" in found.detail


def test_an_open_shortcut_is_refused_with_the_remedy_unless_the_recipe_warns_alone() -> None:
    some = _planted(0.95, site="ICU")
    manifest = Manifest(("Mass",), tuple(some), shortcuts=tuple(find_shortcuts(some, ["Mass"])))
    with pytest.raises(BadData, match=r"Mass is given away by site: AUROC 0\.9.*data\.shortcuts: warn"):
        refuse_shortcuts(manifest, RECIPE)
    refuse_shortcuts(manifest, RECIPE.changed(data__shortcuts="warn"))


def test_different_rates_of_sources_are_refused_only_where_the_loss_does_not_take_them_out() -> None:
    some = find_shortcuts(_planted(0.95, source="kids"), ["Mass"])
    assert refusals(some, source_offset=True) == []
    assert len(refusals(some, source_offset=False)) == 1


def test_a_finding_of_few_patients_is_not_judged() -> None:
    some = [replace(film, patient=f"made:{n % 5}") for n, film in enumerate(_planted(0.95, site="ICU"))]
    assert find_shortcuts(some, ["Mass"]) == []


def test_cramers_v_is_none_for_independence_and_one_for_identity() -> None:
    assert cramers_v(np.array([[50, 50], [50, 50]])) == pytest.approx(0.0, abs=1e-6)
    assert cramers_v(np.array([[500, 0], [0, 500]])) == pytest.approx(1.0, abs=0.01)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared films are not here")
def test_the_shared_pools_traps_are_named_and_met() -> None:
    manifest = shared_manifest()
    found = {(each.finding, each.attribute, each.source): each for each in manifest.shortcuts}
    number = found["Pneumonia", "patient number", "nih"]
    assert number.state == "masked"
    assert "3973 to 12229: 100% of 337" in number.detail
    source = found["Pneumonia", "source", ""]
    assert source.state == "offset"
    assert "kermany: 74%" in source.detail
    assert [mask.films for mask in manifest.masked] == [390]
    k = manifest.findings.index("Pneumonia")
    outside = [f for f in manifest.films if f.source == "nih" and not 1280 <= int(f.patient[4:]) <= 3970]
    assert {film.labels[k] for film in outside} == {None}
    refuse_shortcuts(manifest, RECIPE)
