"""Reading and writing a release: what is served is what was signed, byte for byte, in one order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from hilum.release import BadRelease, InputSpec, Release, check_session, read_manifest, read_release, write_release
from hilum.release.signing import new_key, public_text, sign
from tests.releases import FINDINGS, make_tiny_release, tiny_draft


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")


def session(release: Release) -> ort.InferenceSession:
    return ort.InferenceSession(release.path(release.manifest.variants[0]), providers=["CPUExecutionProvider"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny_release(tmp_path / "release")
    return tmp_path / "release"


def test_a_release_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    key = new_key()
    written = make_tiny_release(tmp_path / "release", key=key)
    read = read_release(tmp_path / "release", frozenset({public_text(key)}))
    assert read.digest == written.digest
    assert read.findings == FINDINGS
    assert read.signed_by == public_text(key)
    check_session(session(read), read.manifest)


def test_the_digest_does_not_depend_on_how_the_manifest_is_laid_out(folder: Path) -> None:
    before = read_release(folder).digest
    change_manifest(folder, lambda document: None)
    assert read_release(folder).digest == before


@pytest.mark.parametrize("name", ["model-fp32.onnx", "domain.npz", "golden.png", "evaluation.json", "MODEL_CARD.md"])
def test_every_file_is_under_the_digest(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(BadRelease, match=rf"{name} has another sha256"):
        read_release(folder)
    (folder / name).unlink()
    with pytest.raises(BadRelease, match=rf"{name} is missing"):
        read_release(folder)


def test_a_file_changed_after_the_check_is_not_used(folder: Path) -> None:
    release = read_release(folder)
    (folder / "model-fp32.onnx").write_bytes(b"another model")
    with pytest.raises(BadRelease, match="another sha256"):
        release.read("model-fp32.onnx")


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRelease, match=r"no manifest.json in nowhere"):
        read_release(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadRelease, match="not a release"):
        read_release(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format_version": 2}'])
def test_a_manifest_that_is_not_one_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadRelease, match=r"manifest\.json"):
        read_manifest(folder)


def test_a_file_outside_the_folder_is_refused(folder: Path) -> None:
    change_manifest(folder, lambda document: document["files"].update({"../secret": "0" * 64}))
    with pytest.raises(BadRelease, match="not a plain file name"):
        read_release(folder)


def test_an_unsigned_release_is_refused_where_a_signature_is_asked_for(folder: Path) -> None:
    (folder / "signature.json").unlink()
    assert read_release(folder).signed_by is None
    with pytest.raises(BadRelease, match="no signature"):
        read_release(folder, frozenset({"any"}))


def test_a_signature_by_a_key_that_is_not_trusted_is_refused(folder: Path) -> None:
    with pytest.raises(BadRelease, match="not trusted"):
        read_release(folder, frozenset({public_text(new_key())}))


def test_a_changed_manifest_breaks_the_signature(tmp_path: Path) -> None:
    key = new_key()
    make_tiny_release(tmp_path / "release", key=key)

    def lower_the_alert(document: dict[str, Any]) -> None:
        document["variants"][0]["findings"][0]["alert"]["threshold"] = 0.99

    change_manifest(tmp_path / "release", lower_the_alert)
    with pytest.raises(BadRelease, match="does not fit"):
        read_release(tmp_path / "release", frozenset({public_text(key)}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"public_key": 1, "signature": 2}', '{"public_key": "!", "signature": "!"}']
)
def test_a_broken_signature_file_is_refused(folder: Path, text: str) -> None:
    (folder / "signature.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadRelease, match="signature"):
        read_release(folder, frozenset({"any"}))


def test_a_signature_of_another_release_is_refused(tmp_path: Path, folder: Path) -> None:
    key = new_key()
    other = make_tiny_release(tmp_path / "other", key=key, version="2.0.0")
    (folder / "signature.json").write_text(sign(other.manifest.canonical(), key), encoding="utf-8")
    with pytest.raises(BadRelease, match="does not fit"):
        read_release(folder, frozenset({public_text(key)}))


def test_a_release_never_changes_once_it_is_written(folder: Path) -> None:
    draft = tiny_draft(FINDINGS, dict.fromkeys(FINDINGS, 0.5))
    with pytest.raises(BadRelease, match="never changes"):
        write_release(folder, draft, new_key())


def test_a_folder_within_a_release_is_refused_when_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with pytest.raises(BadRelease, match="inner"):
        write_release(tmp_path, tiny_draft(FINDINGS, dict.fromkeys(FINDINGS, 0.5)), new_key())


@pytest.mark.parametrize(
    ("onnx_findings", "complaint"),
    [
        (FINDINGS[::-1], "their order"),
        (("Edema", *FINDINGS[1:]), "differ"),
        (FINDINGS[:-1], "differ"),
        ((*FINDINGS, "Edema"), "differ"),
    ],
    ids=["reordered", "another name", "one less", "one more"],
)
def test_a_model_whose_findings_are_not_the_manifests_is_refused(
    tmp_path: Path, onnx_findings: tuple[str, ...], complaint: str
) -> None:
    release = make_tiny_release(tmp_path / "release", onnx_findings=onnx_findings)
    with pytest.raises(BadRelease, match=complaint):
        check_session(session(release), release.manifest)


def test_a_model_that_was_trained_on_another_normalisation_is_refused(tmp_path: Path) -> None:
    fixed = InputSpec(height=128, width=128, normalisation="fixed", mean=0.5, std=0.25)
    release = make_tiny_release(tmp_path / "release", onnx_input=fixed)
    with pytest.raises(BadRelease, match="normalisation"):
        check_session(session(release), release.manifest)


def odd_session(findings: tuple[str, ...], width: int, outputs: tuple[str, ...], side: int) -> ort.InferenceSession:
    """A model whose metadata name `findings` while its graph does as it likes."""
    shapes = {"logits": ["b", width], "activation": ["b", width, 1, 1], "embedding": ["b", width]}
    pool = helper.make_node("GlobalAveragePool", ["film"], ["one"])
    nodes = [pool, helper.make_node("Concat", ["one"] * width, ["activation"], axis=1)]
    nodes += [helper.make_node("Flatten", ["activation"], [name]) for name in ("logits", "embedding")]
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["b", 1, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spec = InputSpec(height=128, width=128).model_dump_json()
    helper.set_model_props(model, {"findings": json.dumps(findings), "input": spec})
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


ALL = ("logits", "activation", "embedding")


@pytest.mark.parametrize(
    ("width", "outputs", "side", "complaint"),
    [
        (4, ALL, 128, "4 values in 'logits', the manifest has 5 findings"),
        (5, ("logits", "embedding"), 128, "lacks the output activation"),
        (5, ALL, 64, "input"),
    ],
    ids=["width", "no activation", "input size"],
)
def test_a_graph_that_does_not_fit_its_own_metadata_is_refused(
    folder: Path, width: int, outputs: tuple[str, ...], side: int, complaint: str
) -> None:
    manifest = read_manifest(folder)
    with pytest.raises(BadRelease, match=complaint):
        check_session(odd_session(FINDINGS, width, outputs, side), manifest)


def test_a_model_without_metadata_is_refused(folder: Path) -> None:
    node = helper.make_node("Identity", ["film"], ["logits"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b"]) for name in ("film", "logits")]
    graph = helper.make_graph([node], "bare", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    bare = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with pytest.raises(BadRelease, match="no findings"):
        check_session(bare, read_manifest(folder))
