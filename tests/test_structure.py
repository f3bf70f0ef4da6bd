"""The rules of the layout: who may import whom, what serving may not need, and what no file may say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVICES = sorted(p.name for p in (ROOT / "services").iterdir() if (p / "app.py").exists())
# The one-process application and the command line put the services together; nothing imports them.
COMPOSERS = {"laptop", "commands"}


def _python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def _tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True).stdout
    if not listed:
        pytest.skip("not a git checkout: no list of tracked files")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", _python_files("hilum"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_imports_neither_services_nor_training(path: Path) -> None:
    assert not {name for name in _imports(path) if name.split(".")[0] in {"services", "training"}}


@pytest.mark.parametrize("service", [name for name in SERVICES if name not in COMPOSERS])
def test_a_service_imports_no_other_service_and_no_training(service: str) -> None:
    for path in _python_files(f"services/{service}"):
        for name in _imports(path):
            parts = name.split(".")
            assert parts[0] != "training", f"{path.name} imports {name}"
            assert parts[0] != "services" or len(parts) == 1 or parts[1] == service, f"{path.name} imports {name}"


def test_training_imports_no_service() -> None:
    for path in _python_files("training"):
        assert not {name for name in _imports(path) if name.split(".")[0] == "services"}, path.name


def test_serving_needs_no_torch() -> None:
    code = (
        "import sys; import services.laptop.app, services.inference.app, services.feedback.app, services.web.app; "
        "heavy = {'torch', 'timm', 'pandas', 'mlflow'} & set(sys.modules); sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    serve = (ROOT / "requirements/serve.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(torch|timm|torchvision|pandas)==", serve, re.MULTILINE)


LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_and_names_no_index(name: str) -> None:
    lines = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", pin) for pin in pins), pins
    assert not [line for line in lines if "://" in line or line.startswith("-")]


def test_a_set_of_requirements_agrees_with_the_one_it_builds_on() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE))

    for small, large in (("serve", "train"), ("train", "test"), ("test", "dev")):
        wide = pins(large)
        assert {name: wide.get(name) for name in pins(small)} == pins(small)


def test_no_file_holds_a_list_of_findings_but_the_dictionary() -> None:
    """A second list is how predecessors came to show findings under wrong names."""
    names = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule")
    for path in _python_files("hilum", "services", "training"):
        text = path.read_text(encoding="utf-8")
        found = [name for name in names if re.search(rf"[\"']{name}[\"']", text)]
        assert len(found) < 3, f"{path.relative_to(ROOT)} lists {found}"


def test_every_make_target_is_in_the_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = " ".join(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)).split()
    assert len(phony) > 10
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in phony:
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE), target


def test_no_tracked_file_holds_a_private_key_or_a_stray_film() -> None:
    for path in _tracked_files():
        relative = path.relative_to(ROOT).as_posix()
        film = re.search(r"\.(dcm|dicom)$|[0-9]{8}_[0-9]{3}\.(png|jpe?g)$", relative)
        assert not film or relative.startswith("samples/"), relative
        if path.stat().st_size < 1_000_000 and relative not in {".pre-commit-config.yaml"}:
            key = b"-----BEGIN " + b"PRIVATE KEY"
            assert key not in path.read_bytes(), relative


def test_the_settings_page_is_what_the_settings_say() -> None:
    from services.commands.settings import markdown

    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert page == markdown(), "run: .venv/bin/hilum settings > docs/settings.md"
