"""`hilum`: help, version, and what a release says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum import __version__
from hilum.release.signing import new_key
from services.cli import make_app
from tests.releases import FINDINGS, make_tiny_release, trust


def hilum(*words: str, **env: str) -> tuple[int, str]:
    result = CliRunner().invoke(make_app(), list(words), env={"COLUMNS": "160", "HILUM_TRUSTED_KEYS": "", **env})
    return result.exit_code, result.output


def test_the_version_is_told() -> None:
    assert hilum("version") == (0, f"hilum {__version__}\n")


@pytest.mark.parametrize("command", ["run", "score", "release", "version"])
def test_help_lists_every_command(command: str) -> None:
    status, text = hilum("--help")
    assert status == 0
    assert command in text


@pytest.mark.parametrize("words", [("score",), ("release", "verify"), ("release", "show"), ("run",)])
def test_the_help_of_a_command_has_an_example_that_names_it(words: tuple[str, ...]) -> None:
    status, text = hilum(*words, "--help")
    assert status == 0
    assert f"hilum {' '.join(words)}" in text.partition("Example")[2]


def test_help_loads_no_model_library_and_no_web_framework() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from services.cli import make_app; "
        "assert CliRunner().invoke(make_app(), ['--help']).exit_code == 0; "
        "sys.exit(', '.join({'onnxruntime', 'fastapi', 'numpy', 'sqlalchemy', 'pydicom'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_sound_release_is_verified_by_its_signature(tmp_path: Path) -> None:
    key = new_key()
    release = make_tiny_release(tmp_path / "release", key=key)
    keys = str(trust(tmp_path / "keys.txt", key))
    status, text = hilum("release", "verify", str(release.folder), "--keys", keys)
    assert status == 0
    assert release.digest in text
    assert "signed by" in text
    status, text = hilum("release", "verify", str(release.folder), "--keys", "")
    assert status == 0
    assert "signature not checked" in text


def test_a_release_that_must_not_be_served_is_refused(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release", onnx_findings=FINDINGS[::-1])
    status, text = hilum("release", "verify", str(release.folder))
    assert status == 1
    assert "refused: the ONNX file's findings differ" in text
    stranger = str(trust(tmp_path / "keys.txt", new_key()))
    status, text = hilum("release", "verify", str(release.folder), HILUM_TRUSTED_KEYS=stranger)
    assert (status, "not trusted" in text) == (1, True)


def test_a_release_shows_its_findings_in_order(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release")
    status, text = hilum("release", "show", str(release.folder))
    assert status == 0
    assert release.digest in text
    places = [text.index(name) for name in FINDINGS]
    assert places == sorted(places)
    assert hilum("release", "show", str(tmp_path))[0] == 1
