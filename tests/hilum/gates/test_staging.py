"""The staging gate as it runs: two served releases, a labelled set in a store, a record and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.gates.film_set import BadSet, LabelledFilm, load_set, write_set
from hilum.gates.keep import kept, key_of
from hilum.gates.staging import main
from hilum.storage.files import FileBlobs
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.releases import FINDINGS, make_tiny_release, pattern, png
from tests.servers import serve

PLAN = """
[staging]
min_films = 20
min_patients = 10
gated_positives = 5
draws = 200
requests = 110
sensitivity = {margin = 0.4}
specificity = {margin = 0.4}
auroc = {margin = 0.3}
latency = {tolerance = 3.0, margin = 9.0}
p99_ratio = 20.0
throughput_ratio = 0.1
# The services live in the process of the tests, which may have begun long ago.
start_seconds = 86400
"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A release as a real service."""
    settings = InferenceSettings.model_validate({"release": folder, "trusted_keys": ""})
    with serve(create_app(settings)) as server:
        yield server.url


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a labelled set of 55 films of tiny findings, and the plan."""
    folder = tmp_path_factory.mktemp("staging")
    rng = np.random.default_rng(2)
    films = []
    for n in range(55):
        k = n % 11
        pixels = np.clip(pattern(k % len(FINDINGS)).astype(float) + rng.normal(0, 2, (256, 256)), 0, 255)
        labels = {name: int(at == k % len(FINDINGS)) for at, name in enumerate(FINDINGS)}
        film = LabelledFilm(f"films/{n:03}.png", f"p{n // 2}", labels, {"site": "north" if n % 2 else "south"})
        films.append((film, png(pixels.astype(np.uint8))))
    write_set(FileBlobs(folder / "set"), films)
    (folder / "plan.toml").write_text(PLAN)
    return folder


def run(places: Path, active: str, candidate: str, attempt: int, *more: str) -> int:
    """The command's exit code."""
    return main(
        ["--active", active, "--candidate", candidate, "--set", f"file://{places}/set", "--out", f"file://{places}/out",
         "--plan", str(places / "plan.toml"), "--attempt", str(attempt), *more]
    )  # fmt: skip


def test_a_good_release_passes_a_shuffled_one_fails_and_both_leave_a_record(places: Path, capsys: Any) -> None:
    good = make_tiny_release(places / "good", version="1.1.0")
    shuffled = make_tiny_release(places / "shuffled", FINDINGS[::-1], version="1.2.0")
    store = FileBlobs(places / "out")
    with served(make_tiny_release(places / "active").folder) as active, served(good.folder) as candidate:
        assert run(places, active, candidate, 1, "--release", good.digest) == 0, capsys.readouterr().out
        assert run(places, active, candidate, 2, "--release", "f" * 64) == 1
        with served(shuffled.folder) as bad:
            assert run(places, active, bad, 1) == 1
    record = kept(store, good.digest, "staging", 1)
    assert record.verdict == "pass"
    names = {c.name for c in record.checks}
    assert {"golden film", "label order", "bad input: text", "errors", "latency", "sensitivity", "mean AUROC"} <= names
    html = store.get(key_of(good.digest, "staging", 1, "html")).decode()
    assert "<svg" in html
    assert "replay of the labelled films" in html
    assert "http://" not in html.replace(active, "").replace(candidate, "")
    wrong = kept(store, "f" * 64, "staging", 2)
    assert [c.name for c in wrong.checks if c.verdict == "fail"] == ["release"]
    failed = {c.name for c in kept(store, shuffled.digest, "staging", 1).checks if c.verdict == "fail"}
    assert "sensitivity" in failed or "AUROC" in failed


def test_a_candidate_that_cannot_be_reached_is_an_error_and_no_rejection(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.gates.staging.READY_SECONDS", 1.0)
    assert run(places, "http://127.0.0.1:9", "http://127.0.0.1:9", 1, "--release", "e" * 64) == 3
    assert kept(FileBlobs(places / "out"), "e" * 64, "staging", 1).verdict == "error"


def test_a_damaged_set_is_an_error_that_names_the_line(tmp_path: Path, capsys: Any) -> None:
    blobs = FileBlobs(tmp_path / "set")
    with pytest.raises(BadSet, match="not a labelled set"):
        load_set(blobs)
    blobs.put("films.jsonl", b'{"file": "a.png", "patient": "p", "labels": {"Mass": 2}}\n')
    with pytest.raises(BadSet, match="line 1"):
        load_set(blobs)
    where = ["--set", f"file://{tmp_path}/set", "--out", f"file://{tmp_path}/out"]
    assert main(["--active", "http://127.0.0.1:9", "--candidate", "http://127.0.0.1:9", *where]) == 3
    assert "line 1" in capsys.readouterr().err
    blobs.put("films.jsonl", b'{"file": "a.png", "patient": "p", "labels": {"Mass": 1}}\n')
    with pytest.raises(BadSet, match="not there"):
        list(load_set(blobs).bytes_of())
