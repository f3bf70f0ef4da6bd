"""The manifest's own rules: one order, points in order, numbers that are numbers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hilum.release import Manifest
from hilum.release.signing import check
from tests.releases import FINDINGS, tiny_draft

FILES = dict.fromkeys(["model-fp32.onnx", "domain.npz", "golden.png", "evaluation.json", "MODEL_CARD.md"], "0" * 64)


def document() -> dict[str, Any]:
    return {**copy.deepcopy(tiny_draft(FINDINGS, dict.fromkeys(FINDINGS, 0.5))), "files": dict(FILES)}


def test_the_draft_of_these_tests_is_a_manifest() -> None:
    assert Manifest.model_validate(document()).findings == FINDINGS


def swap(d: dict[str, Any]) -> None:
    d["findings"][0], d["findings"][1] = d["findings"][1], d["findings"][0]


def points(d: dict[str, Any]) -> None:
    spec = d["variants"][0]["findings"][0]
    spec["rule_out"], spec["alert"] = spec["alert"], spec["rule_out"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (swap, "or their order"),
        (lambda d: d["findings"].append(d["findings"][0]), "twice"),
        (lambda d: d["findings"].__setitem__(0, "No Finding"), "absence"),
        (lambda d: d["findings"].__setitem__(0, "Hiccups"), "not a finding"),
        (lambda d: d["findings"].clear(), "at least 1 item"),
        (points, "rule-out threshold lies above"),
        (lambda d: d["variants"][0]["findings"][0].pop("calibration"), "calibration"),
        (lambda d: d["variants"][0]["findings"][0]["calibration"].update(slope=-1.0), "greater than 0"),
        (lambda d: d["variants"][0]["findings"][0]["calibration"].update(slope=float("nan")), "finite number"),
        (lambda d: d["variants"][0]["findings"][0]["alert"].update(threshold=1.5), "less than or equal to 1"),
        (lambda d: d["variants"][0].update(critical_margin=float("inf")), "finite number"),
        (lambda d: d["variants"][0]["golden"].pop("Effusion"), "golden probabilities"),
        (lambda d: d["variants"].append(d["variants"][0]), "a precision stands twice"),
        (lambda d: d.update(default_precision="int8"), "has no variant"),
        (lambda d: d["files"].pop("golden.png"), r"no sha256 for golden\.png"),
        (lambda d: d["files"].update({"model-fp32.onnx": "abc"}), "pattern"),
        (lambda d: d.update(surprise=1), "not permitted"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    broken = document()
    change(broken)
    with pytest.raises(ValidationError, match=complaint):
        Manifest.model_validate(broken)


def test_the_canonical_form_survives_a_round_trip() -> None:
    manifest = Manifest.model_validate(document())
    again = Manifest.model_validate_json(manifest.canonical())
    assert again.canonical() == manifest.canonical()
    assert json.loads(manifest.canonical())["findings"] == list(FINDINGS)


def test_any_change_changes_the_digest() -> None:
    changed = document()
    changed["variants"][0]["critical_margin"] = 1.5
    assert Manifest.model_validate(changed).digest() != Manifest.model_validate(document()).digest()


def test_a_precision_that_the_release_lacks_is_named() -> None:
    with pytest.raises(KeyError, match="no int8 variant"):
        Manifest.model_validate(document()).variant("int8")


def test_a_release_from_before_the_format_grew_keeps_its_digest_and_its_signature() -> None:
    data = Path(__file__).parent / "data"
    manifest = Manifest.model_validate_json((data / "manifest-1.0.2.json").read_bytes())
    assert manifest.digest() == "98ea1fc0bff3d34e2323f6884f757618b8e34bcf11891a698646351636a1a300"
    signature = (data / "signature-1.0.2.json").read_text(encoding="utf-8")
    key = json.loads(signature)["public_key"]
    assert check(manifest.canonical(), signature, frozenset({key})) == key


def test_what_was_added_later_is_hashed_where_a_release_has_it() -> None:
    grown = document()
    speed = {"provider": "cpu", "threads": 1, "batch": 1, "ms_per_film": 9.5, "machine": "a processor"}
    grown["variants"][0]["speed"] = [speed]
    assert Manifest.model_validate(grown).digest() != Manifest.model_validate(document()).digest()
    assert json.loads(Manifest.model_validate(grown).canonical())["variants"][0]["speed"] == [speed]


@pytest.mark.parametrize("field", ["openvino", "reference"])
def test_a_file_that_is_named_but_not_hashed_is_refused(field: str) -> None:
    grown = document()
    if field == "reference":
        grown["reference"] = "reference.npz"
    else:
        grown["variants"][0]["openvino"] = {"xml": "m.xml", "bin": "m.bin", "max_probability_difference": 0.0}
    with pytest.raises(ValidationError, match="no sha256 for"):
        Manifest.model_validate(grown)
