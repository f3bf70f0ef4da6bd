"""The Dockerfiles: clean by hadolint, without a root user, from locks that say the same versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("training/Dockerfile"), *ROOT.glob("k8s/*/Dockerfile")])


def test_every_service_has_an_image() -> None:
    assert {"inference", "web", "feedback", "promoter"} <= {path.parent.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.parent.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    assert program.exists(), "make test installs requirements/tools.txt"
    done = subprocess.run([program, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.parent.name)
def test_an_image_runs_as_nobody_and_holds_no_release(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["65532:65532"]
    assert "models" not in text
    assert "sbom.cdx.json" in text


@pytest.mark.parametrize("part", ["inference", "web", "feedback", "promoter"])
def test_an_images_packages_are_those_that_all_tests_ran_with(part: str) -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE))

    whole, own = pins("serve"), pins(f"serve-{part}")
    assert own
    assert {name: whole.get(name) for name in own} == own


def test_nothing_in_training_needs_the_compiler_that_its_image_leaves_out() -> None:
    assert "/^triton==/d" in (ROOT / "training/Dockerfile").read_text(encoding="utf-8")
    code = [*ROOT.glob("training/**/*.py"), *ROOT.glob("hilum/**/*.py")]
    assert code
    assert [path for path in code if re.search(r"torch\.compile|import triton", path.read_text(encoding="utf-8"))] == []


def test_the_labels_of_version_and_commit_are_given_by_option_so_that_no_cached_layer_brings_anothers() -> None:
    script = (ROOT / "k8s/images.sh").read_text(encoding="utf-8")
    for name in ("version", "revision"):
        assert f'--label "org.opencontainers.image.{name}=$' in script


def test_a_push_that_fails_is_the_end_and_writes_no_digest(tmp_path: Path) -> None:
    """The build goes well and the registry does not answer, as where it has no TLS."""
    tree = tmp_path / "tree"
    (tree / "hilum").mkdir(parents=True)
    (tree / "k8s").mkdir()
    shutil.copy(ROOT / "k8s/images.sh", tree / "k8s")
    (tree / "hilum/__init__.py").write_text('__version__ = "0.0.1"\n')
    (tree / "services/web").mkdir(parents=True)
    (tree / "services/web/Dockerfile").touch()
    for command in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@test", "commit", "-qm", "t"),
    ):
        subprocess.run(["git", *command], cwd=tree, check=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "buildah").write_text('#!/bin/sh\n[ "$1" = build ]\n')
    (tools / "buildah").chmod(0o755)
    given = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "IMAGES": "web", "PUSH": "localhost:1/hilum"}
    ended = subprocess.run([tree / "k8s/images.sh"], env=given, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "hilum/web@" not in ended.stdout
    assert not (tree / "build/images.json").exists()
