"""The dictionary of findings: codes, and relations that do not merge what is not the same."""

from __future__ import annotations

import pytest

from hilum.findings import (
    Relation,
    UnknownFinding,
    dataset_labels,
    exact_finding,
    finding,
    known_findings,
    relations,
)

DATASETS = ["nih", "chexpert", "kermany"]


def test_every_finding_has_one_code_of_its_own() -> None:
    codes = [(finding(name).code.scheme, finding(name).code.value) for name in known_findings()]
    assert len(set(codes)) == len(codes)
    assert {scheme for scheme, _ in codes} <= {"SCT", "RADLEX", "99HILUM"}
    assert all(finding(name).code.meaning and len(finding(name).code.value) <= 64 for name in known_findings())


def test_a_public_code_fits_dicoms_code_value() -> None:
    # (0008,0100) Code Value is SH: at most 16 characters; longer ones go to Long Code Value (0008,0119).
    for name in known_findings():
        code = finding(name).code
        assert code.scheme == "99HILUM" or len(code.value) <= 16


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_label_of_a_data_set_is_known_or_related(dataset: str) -> None:
    related = {relation.label for relation in relations(dataset)}
    assert set(dataset_labels(dataset)) <= related
    assert all(relation.finding in known_findings() for relation in relations(dataset))


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_label_is_exact_with_one_finding_at_most(dataset: str) -> None:
    exact = [r.label for r in relations(dataset) if r.relation is Relation.EXACT]
    assert len(set(exact)) == len(exact)
    findings = [r.finding for r in relations(dataset) if r.relation is Relation.EXACT]
    assert len(set(findings)) == len(findings)


def test_effusion_and_pleural_effusion_are_the_same() -> None:
    assert exact_finding("chexpert", "Pleural Effusion") == exact_finding("nih", "Effusion") == "Effusion"


def test_infiltration_is_not_lung_opacity() -> None:
    assert exact_finding("nih", "Infiltration") == "Infiltration"
    assert exact_finding("chexpert", "Lung Opacity") == "Lung Opacity"
    assert not [r for r in relations("nih") if r.label == "Infiltration" and r.finding == "Lung Opacity"]


@pytest.mark.parametrize("label", ["Mass", "Nodule"])
def test_a_mass_or_nodule_is_a_lung_lesion_but_not_the_reverse(label: str) -> None:
    told = {(r.label, r.finding): r.relation for r in relations("nih")}
    assert told[(label, "Lung Lesion")] is Relation.NARROWER
    reverse = {(r.label, r.finding): r.relation for r in relations("chexpert")}
    assert reverse[("Lung Lesion", label)] is Relation.BROADER
    assert exact_finding("chexpert", "Lung Lesion") == "Lung Lesion"


def test_narrower_and_broader_are_told_from_both_sides() -> None:
    told = {(r.label, r.finding): r.relation for r in relations("nih")}
    reverse = {(r.label, r.finding): r.relation for r in relations("chexpert")}
    assert told[("Pleural_Thickening", "Pleural Other")] is Relation.NARROWER
    assert reverse[("Pleural Other", "Pleural Thickening")] is Relation.BROADER


def test_no_finding_is_an_absence_and_never_acute() -> None:
    assert finding("No Finding").absence
    assert not finding("No Finding").acute
    assert [name for name in known_findings() if finding(name).absence] == ["No Finding"]


def test_the_acute_findings_are_those_of_the_design() -> None:
    acute = {name for name in known_findings() if finding(name).acute}
    assert acute == {"Pneumothorax", "Effusion", "Edema", "Consolidation", "Pneumonia"}


def test_nih_has_its_fourteen_labels_in_its_own_order() -> None:
    labels = dataset_labels("nih")
    assert len(labels) == 14
    assert (labels[0], labels[-2], labels[-1]) == ("Atelectasis", "Pleural_Thickening", "Hernia")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownFinding, match="Hiccups"):
        finding("Hiccups")
    with pytest.raises(UnknownFinding, match="mimic"):
        dataset_labels("mimic")
    assert exact_finding("nih", "Hiccups") is None
    assert exact_finding("kermany", "PNEUMONIA") == "Pneumonia"
