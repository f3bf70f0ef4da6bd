"""The browser's modules: they parse, their imports exist, their pure parts do what they say, in Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.web.pages import words
from services.web.pages.assets import FOLDER
from services.web.pages.labels import in_words
from tests.fixtures.real import cannot_start

HERE = Path(__file__).parent
MODULES = sorted(FOLDER.glob("*.js"))
# The first Node that takes a .js file with imports for a module without being told.
OLDEST_NODE = (20, 19)


@pytest.fixture(scope="module")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        cannot_start("Node", FileNotFoundError("no node on the path"))
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in said.lstrip("v").split(".")[:2])
    if version < OLDEST_NODE:
        cannot_start("Node", RuntimeError(f"{said.strip()} is too old"))
    return path


def test_the_modules_pass_their_own_tests(node: str) -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files
    done = subprocess.run(
        [node, "--test", *files],
        env={**os.environ, "HILUM_STATIC": FOLDER.as_uri()},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_parses_and_imports_only_what_is_there(path: Path, node: str) -> None:
    done = subprocess.run([node, "--check", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r'from "([^"]+)"', text):
        assert name.startswith("./"), f"{path.name} imports {name}"
        assert (FOLDER / name).exists(), f"{path.name} imports {name}"
    # The page's policy forbids evaluated text, and text made into markup is how a file's name becomes a script.
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)


def test_server_and_browser_say_times_and_numbers_alike(node: str) -> None:
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    seconds = [-200_000, -172_800, -7_260, -3_600, -61, -59, 0, 1, 60, 3_599, 3_660, 86_400, 172_799, 900_000]
    times = [now + timedelta(seconds=s) for s in seconds]
    sizes = [0, 999, 1_000, 9_999, 10_000, 123_456, 999_999, 1_000_000, 9_999_999, 64_000_000]
    labels: list[dict[str, int | None]] = [{"Mass": 1, "Edema": 0, "Nodule": -1, "Hernia": None}, {"Mass": 0}]
    script = f"""
      import {{ ago, bytes, clock, due }} from "{(FOLDER / "format.js").as_uri()}";
      import {{ inWords }} from "{(FOLDER / "labels.js").as_uri()}";
      const now = new Date("{now.isoformat()}");
      const times = {json.dumps([t.isoformat() for t in times])}.map((text) => new Date(text));
      console.log(JSON.stringify([
        times.map((t) => due(t, now)), times.map((t) => ago(t, now)), times.map((t) => clock(t, now)),
        {sizes}.map(bytes), {json.dumps(labels)}.map(inWords),
      ]));
    """
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        [words.due(t, now) for t in times],
        [words.ago(t, now) for t in times],
        [words.clock(t, now) for t in times],
        [words.byte_count(size) for size in sizes],
        [in_words(item) for item in labels],
    ]
