"""`hilum train` on a tiny recipe: from real films to a signed, registered release that is then served."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, Release, check_session, read_release
from hilum.wire import Prediction
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.servers import serve
from tests.training.films import ROOT, small_data, tiny_recipe
from training.evaluate.scores import open_session, run
from training.pipeline import RunPaths
from training.registry import versions
from training.release.calibrate import probabilities_of
from training.running import Wanted, carry_out, recipe_file
from training.tracking import place
from training.tracking.place import client


def trusted(path: Path) -> frozenset[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def keys(paths: RunPaths) -> Path:
    assert paths.trusted_keys is not None
    return paths.trusted_keys


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


def written(folder: Path, data: Path) -> Path:
    """The tiny recipe for `data` as a file, as a data scientist would have it."""
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(tiny_recipe(data).model_dump(mode="json")), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPaths]:
    folder = tmp_path_factory.mktemp("tiny")
    data = small_data(folder / "data")
    paths = RunPaths(data, folder / "work", folder / "release", folder / "trusted-keys.txt", folder / "store")
    wanted = Wanted(
        str(written(folder, data)),
        data=data,
        work=paths.work,
        release=paths.release,
        trusted_keys=paths.trusted_keys,
        store=paths.store,
        register=True,
        candidate=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILUM_DATA", str(folder / "data-folder"))
        patch.setenv("HILUM_LOCKED_USES", str(folder / "locked-uses.jsonl"))
        for name in ("HILUM_MLFLOW", "MLFLOW_TRACKING_URI", "HILUM_SIGNING_KEY"):
            patch.delenv(name, raising=False)
        console = Console(record=True, width=200)
        assert carry_out(wanted, console) == 0, console.export_text()
        yield paths


def test_the_release_is_registered_with_its_digest_and_is_the_candidate(tiny: RunPaths) -> None:
    (version,) = versions(client(place()), "hilum-tiny")
    assert version.digest == read_release(tiny.release).digest
    assert "candidate" in version.aliases
    figures = {name for name in version.tags if "auroc" in name}
    assert "hilum.auroc.nih" in figures
    assert figures <= {"hilum.auroc.nih", "hilum.auroc.kermany"}


def test_the_run_in_mlflow_holds_the_recipe_the_curves_the_data_and_the_commit(tiny: RunPaths) -> None:
    made = client(place())
    (version,) = versions(made, "hilum-tiny")
    run_ = made.get_run(version.run_id)
    assert run_.info.status == "FINISHED"
    assert run_.data.params["network.backbone"] == "test_efficientnet"
    assert run_.data.tags["hilum.data_digest"] == read_release(tiny.release).manifest.training_data_digest
    assert len(run_.data.tags["mlflow.source.git.commit"]) == 40
    assert len(made.get_metric_history(version.run_id, "member1/loss")) >= 1


def test_the_release_is_accepted_with_the_key_that_was_written(tiny: RunPaths) -> None:
    release = read_release(tiny.release, trusted(keys(tiny)))
    assert release.signed_by in trusted(keys(tiny))
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


def test_missing_data_ends_with_a_message_and_no_release(tmp_path: Path) -> None:
    console = Console(record=True, width=200)
    wanted = Wanted("tiny", data=tmp_path / "none", work=tmp_path / "work", store=tmp_path / "store", tracking=False)
    assert carry_out(wanted, console) == 2
    assert "nih128" in console.export_text()
    assert not (tmp_path / "work" / "release").exists()


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    console = Console(record=True, width=200)
    assert carry_out(Wanted("defualt"), console) == 2
    assert "default" in console.export_text()


def test_a_recipe_is_found_by_its_name_or_its_file(tmp_path: Path) -> None:
    mine = tmp_path / "other.yaml"
    mine.write_text("name: x", encoding="utf-8")
    assert recipe_file(str(mine)) == mine
    assert recipe_file("tiny") == recipe_file("configs/tiny.yaml")


@pytest.mark.parametrize("word", ["--resume", "--resume-best"])
def test_a_run_of_another_recipe_is_not_resumed(tiny: RunPaths, word: str) -> None:
    from services.cli import make_app

    call = ["train", "tiny", "--data", str(tiny.data), "--work", str(tiny.work), "--store", str(tiny.store)]
    done = CliRunner().invoke(make_app(), [*call, word, "--no-tracking"], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "another recipe" in done.output


def test_mlflow_away_at_the_start_refuses_before_any_work_and_names_the_remedy(
    tiny: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_MLFLOW", "http://127.0.0.1:9")
    console = Console(record=True, width=200)
    assert carry_out(Wanted("tiny", data=tiny.data, work=tmp_path / "work", store=tiny.store), console) == 2
    assert "--offline" in console.export_text()
    assert not (tmp_path / "work" / "release").exists()


def test_the_command_line_has_help_with_examples() -> None:
    from services.cli import make_app

    shown = CliRunner().invoke(make_app(), ["train", "--help"])
    assert shown.exit_code == 0
    assert "hilum train default --resume" in shown.output


def test_the_bundled_release_is_whole_trusted_and_scores_its_golden_film() -> None:
    folder = ROOT / "models" / "default"
    release = read_release(folder, trusted(ROOT / "models" / "trusted-keys.txt"))
    said, given = golden(release)
    assert given == pytest.approx(said, abs=1e-3)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 25_000_000
