"""A release as Triton's model repository; its config is parsed by protobuf, which refuses a field it does not know."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
from google.protobuf import text_format
from grpc_tools import protoc
from typer.testing import CliRunner

from hilum.release import BadRelease
from services.cli import make_app
from tests.releases import FINDINGS, make_tiny_release
from training.release.triton import write_repository

# The part of Triton's model_config.proto that is used, names and types as there (triton-inference-server/common).
SCHEMA = """
syntax = "proto3";
package hilum_triton;
enum DataType { TYPE_INVALID = 0; TYPE_FP32 = 11; }
message ModelInput { string name = 1; DataType data_type = 2; repeated int64 dims = 4; }
message ModelOutput { string name = 1; DataType data_type = 2; repeated int64 dims = 3; string label_filename = 4; }
message ModelDynamicBatching { repeated int32 preferred_batch_size = 1; uint64 max_queue_delay_microseconds = 2; }
message ModelParameter { string string_value = 1; }
message ModelConfig {
  string name = 1; string backend = 17; int32 max_batch_size = 4;
  repeated ModelInput input = 5; repeated ModelOutput output = 6;
  ModelDynamicBatching dynamic_batching = 11; map<string, ModelParameter> parameters = 14;
}
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("schema")
    (folder / "hilum_triton.proto").write_text(SCHEMA, encoding="utf-8")
    assert protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}", "hilum_triton.proto"]) == 0
    sys.path.insert(0, str(folder))
    try:
        return import_module("hilum_triton_pb2").ModelConfig
    finally:
        sys.path.remove(str(folder))


def test_the_config_says_what_the_model_takes_and_gives(schema: Any, tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release")
    folder = write_repository(release, "", tmp_path / "triton")
    config = text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), schema())
    assert config.name == folder.name == "tiny"
    assert config.max_batch_size > 1
    assert config.dynamic_batching.max_queue_delay_microseconds > 0
    session = ort.InferenceSession(folder / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    assert {i.name: list(i.dims) for i in config.input} == {i.name: i.shape[1:] for i in session.get_inputs()}
    assert {o.name: list(o.dims) for o in config.output} == {o.name: o.shape[1:] for o in session.get_outputs()}
    assert config.parameters["hilum.release"].string_value == release.digest
    (labelled,) = [output for output in config.output if output.label_filename]
    assert labelled.name == "logits"
    assert tuple((folder / labelled.label_filename).read_text(encoding="utf-8").split("\n")[:-1]) == FINDINGS


def test_a_repository_is_never_overwritten_and_a_precision_that_is_not_there_is_named(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release")
    write_repository(release, "", tmp_path / "triton")
    with pytest.raises(BadRelease, match="already in the repository"):
        write_repository(release, "", tmp_path / "triton")
    with pytest.raises(BadRelease, match="no int8 variant"):
        write_repository(release, "int8", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_damaged_release_is_refused_on_the_command_line(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release")
    (tmp_path / "release" / "model-fp32.onnx").write_bytes(b"another")
    arguments = ["release", "export-triton", str(tmp_path / "release"), str(tmp_path / "triton")]
    answer = CliRunner().invoke(make_app(), arguments)
    assert answer.exit_code == 1
    assert "another sha256" in answer.output
    assert not (tmp_path / "triton").exists()


def test_openvinos_form_gives_the_golden_film_what_the_release_says(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release")
    app, out = make_app(), tmp_path / "openvino"
    answer = CliRunner().invoke(app, ["release", "openvino", str(release.folder), str(out)])
    assert answer.exit_code == 0, answer.output
    assert {file.name for file in out.iterdir()} == {"model-fp32.xml", "model-fp32.bin"}


def test_openvinos_form_is_not_written_where_it_scores_otherwise(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release", golden_shift=0.05)
    answer = CliRunner().invoke(make_app(), ["release", "openvino", str(release.folder), str(tmp_path / "openvino")])
    assert answer.exit_code == 1
    assert "from what the release says" in answer.output
    assert list((tmp_path / "openvino").iterdir()) == []
