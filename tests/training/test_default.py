"""From films to a signed release that is then served: a tiny but real run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, Release, check_session, read_release
from hilum.wire import Prediction
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.servers import serve
from tests.training.films import ROOT, small_data, tiny_recipe
from training.default import RunPaths, main, train_release
from training.evaluate.scores import open_session, run
from training.release.calibrate import probabilities_of


def trusted(path: Path) -> frozenset[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def golden(release: Release) -> tuple[dict[str, float], dict[str, float]]:
    """What the manifest says of the golden film, and what the ONNX file gives for it."""
    variant = release.manifest.variant("fp32")
    session = open_session(release.path(variant), threads=1)
    check_session(session, release.manifest)
    with Image.open(release.folder / release.manifest.golden_film) as image:
        film = np.asarray(image, dtype=np.float32) / np.float32(255)
    logits = run(session, [preprocess(film, release.manifest.input)]).logits
    given = probabilities_of(variant.findings, logits)[0]
    return variant.golden, dict(zip(release.findings, given, strict=True))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    folder = tmp_path_factory.mktemp("tiny")
    data = small_data(folder / "data")
    paths = RunPaths(data, folder / "release", folder / "trusted-keys.txt")
    train_release(tiny_recipe(data), paths, Console(quiet=True))
    return paths


def test_the_release_is_accepted_with_the_key_that_was_written(tiny: RunPaths) -> None:
    release = read_release(tiny.release, trusted(tiny.trusted_keys))
    assert release.signed_by in trusted(tiny.trusted_keys)
    assert len(release.findings) == 14


def test_the_release_is_refused_with_another_key_or_a_changed_file(tiny: RunPaths, tmp_path: Path) -> None:
    with pytest.raises(BadRelease, match="not trusted"):
        read_release(tiny.release, frozenset({"AAAA"}))
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny.release.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "MODEL_CARD.md").write_text("better than it is", encoding="utf-8")
    with pytest.raises(BadRelease, match=r"MODEL_CARD\.md"):
        read_release(copy)


def test_the_golden_film_scores_as_the_manifest_says(tiny: RunPaths) -> None:
    said, given = golden(read_release(tiny.release))
    assert given == pytest.approx(said, abs=1e-3)


def test_the_release_is_served_over_http_with_its_own_findings_in_order(tiny: RunPaths) -> None:
    settings = InferenceSettings(release=tiny.release, trusted_keys=str(tiny.trusted_keys))
    said, _ = golden(read_release(tiny.release))
    with serve(create_app(settings)) as served, httpx.Client(base_url=served.url, timeout=60) as client:
        for _ in range(600):
            if client.get("/readyz").status_code == httpx.codes.OK:
                break
            time.sleep(0.1)
        answer = client.post("/v1/predict", files={"file": (tiny.release / "golden.png").read_bytes()})
    assert answer.status_code == httpx.codes.OK, answer.text
    prediction = Prediction.model_validate(answer.json())
    assert prediction.release.digest == read_release(tiny.release).digest
    assert [finding.name for finding in prediction.findings] == list(read_release(tiny.release).findings)
    for finding in prediction.findings:
        assert finding.probability == pytest.approx(said[finding.name], abs=1e-3)


def test_the_report_keeps_the_populations_apart_and_the_card_says_what_it_must(tiny: RunPaths) -> None:
    report = json.loads((tiny.release / "evaluation.json").read_text(encoding="utf-8"))
    assert set(report["nih"]["findings"]) == set(read_release(tiny.release).findings)
    assert "pooled" not in report
    card = (tiny.release / "MODEL_CARD.md").read_text(encoding="utf-8")
    for phrase in ("Not for primary diagnosis", "drain", "one hospital", "never pooled", "CC BY 4.0"):
        assert phrase in card


def test_nothing_in_the_release_names_a_folder_of_this_machine(tiny: RunPaths) -> None:
    for file in tiny.release.iterdir():
        assert str(tiny.data).encode() not in file.read_bytes(), file.name
        assert str(ROOT).encode() not in file.read_bytes(), file.name


def test_missing_data_ends_with_a_message_and_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "release"
    status = main(["--tiny", "--data", str(tmp_path / "none"), "--release", str(target)])
    assert status == 2
    assert "HILUM_TRAINING_DATA" in capsys.readouterr().out
    assert not target.exists()


def test_a_tiny_run_cannot_replace_the_bundled_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tiny"]) == 2
    assert "would replace" in capsys.readouterr().out


def test_the_bundled_release_is_whole_trusted_and_scores_its_golden_film() -> None:
    folder = ROOT / "models" / "default"
    release = read_release(folder, trusted(ROOT / "models" / "trusted-keys.txt"))
    said, given = golden(release)
    assert given == pytest.approx(said, abs=1e-3)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 25_000_000
