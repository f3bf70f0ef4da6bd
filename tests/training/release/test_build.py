"""A release of every precision that a recipe asks for, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from hilum.release import BadRelease, InputSpec, check_session, read_release
from hilum.release.reference import read as read_reference
from tests.training.release.made import Built, Ready
from training.data.manifest import BadData
from training.evaluate.locked import data_digest, ledger_path, uses
from training.evaluate.scores import open_session
from training.release.evidence import sha256
from training.release.graph import optimise


def test_every_precision_that_runs_here_has_its_own_file_thresholds_parity_and_speed(built: Built) -> None:
    manifest = built.release.manifest
    assert [v.precision for v in manifest.variants][:2] == ["fp32", "fp16"]
    assert manifest.variant("fp32").openvino is not None
    for variant in manifest.variants:
        check_session(open_session(built.release.path(variant)), manifest)
        assert variant.parity is not None
        assert variant.parity.max_probability_difference < 0.01
        assert {(s.provider, s.batch) for s in variant.speed} >= {("cpu", 1), ("cpu", 16)}
        if variant.openvino is None:
            assert any(text.startswith(f"OpenVINO's form of {variant.precision}") for text in built.said)
        else:
            assert {variant.openvino.xml, variant.openvino.bin} <= set(manifest.files)
        assert (variant.fidelity is None) == (variant.precision == "fp32")
    files = {variant.file: (built.release.folder / variant.file).read_bytes() for variant in manifest.variants}
    assert len(set(files.values())) == len(files)


def test_a_precision_that_cannot_run_is_said_reported_and_not_written(built: Built) -> None:
    if any(v.precision == "bf16" for v in built.release.manifest.variants):
        pytest.skip("ONNX Runtime runs bf16 on this processor")
    report = json.loads((built.release.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert "ONNX Runtime can't run it here" in report["refused_variants"]["bf16"]
    assert any(text.startswith("bf16 is not written") for text in built.said)
    assert not (built.release.folder / "model.bf16.onnx").exists()
    assert "bf16 is not written" in (built.release.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_openvinos_files_are_under_the_digest(built: Built, tmp_path: Path) -> None:
    for file in built.release.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.fp32.bin").write_bytes(b"")
    with pytest.raises(BadRelease, match=r"model\.fp32\.bin has another sha256"):
        read_release(tmp_path)


def test_each_use_of_the_locked_films_is_written_down_per_variant(built: Built, ready: Ready) -> None:
    locked = data_digest(ready.parts["locked"].films)
    used = {use.variant for use in uses(ledger_path()) if use.data == locked}
    assert {sha256(built.release.path(variant)) for variant in built.release.manifest.variants} <= used


def test_the_reference_for_drift_counts_every_held_out_film(built: Built, ready: Ready) -> None:
    reference = read_reference(built.release.folder / "reference.npz")
    films = [film for name in ("calibration", "validation") for film in ready.parts[name].films]
    assert dict(zip(reference.populations, reference.films.tolist(), strict=True)) == {
        source: sum(film.source == source for film in films) for source in ("kermany", "nih")
    }
    assert (reference.scores.sum(axis=2) == reference.films[:, None]).all()
    assert (reference.brightness.sum(axis=1) == reference.films).all()
    assert (reference.contrast.sum(axis=1) == reference.films).all()


def test_the_graph_holds_no_arithmetic_on_shapes_and_gives_the_same(built: Built) -> None:
    model = onnx.load(str(built.release.folder / "model.fp32.onnx"))
    assert not {"Shape", "Gather", "Ceil", "Slice"} & {node.op_type for node in model.graph.node}
    films = np.random.default_rng(0).normal(size=(3, 1, 64, 64)).astype(np.float32)
    again = optimise(model).SerializeToString()
    path = built.release.folder.parent / "again.onnx"
    path.write_bytes(again)
    outputs = [open_session(p).run(None, {"film": films}) for p in (built.release.folder / "model.fp32.onnx", path)]
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert InputSpec.model_validate_json({p.key: p.value for p in model.metadata_props}["input"]).height == 64


def test_a_calibration_population_without_films_is_refused_before_any_work(ready: Ready, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"no calibration film is of 'elsewhere'.*evaluation\.calibration_source"):
        ready.build(tmp_path / "release", evaluation__calibration_source="elsewhere")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of 600 kB: the model fits, the release does not."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    return disk


def test_a_full_disk_leaves_the_old_release_and_nothing_half_written(ready: Ready, small_disk: Path) -> None:
    try:
        (small_disk / "release").mkdir()
        (small_disk / "release" / "manifest.json").write_text("the old one", encoding="utf-8")
        with pytest.raises(BadRelease, match="No space left on device"):
            ready.build(small_disk / "release")
        assert [file.name for file in small_disk.iterdir()] == ["release"]
        assert (small_disk / "release" / "manifest.json").read_text(encoding="utf-8") == "the old one"
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)
