"""The other sets of requirements follow serve.in."""

from __future__ import annotations

from hilum.settings import REPOSITORY


def wanted(name: str) -> list[str]:
    lines = (REPOSITORY / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-c"))]


def test_the_set_for_a_gpu_is_the_plain_one_with_another_onnx_runtime() -> None:
    gpu = [line.replace("onnxruntime-gpu[cuda,cudnn]", "onnxruntime") for line in wanted("serve-gpu")]
    assert gpu == wanted("serve")


def test_openvino_comes_beside_the_plain_set() -> None:
    assert wanted("serve-openvino") == ["-r serve.in", "openvino"]
