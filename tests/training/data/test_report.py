"""Near-duplicates, and the page that shows the data."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.data.made import data, write_csv
from tests.training.films import ROOT, SHARED, small_data, tiny_recipe
from training.config import CONFIGS, Source, read_recipe
from training.data.duplicates import NEAR_BITS, find_duplicates, near_pairs
from training.data.prepare import prepare
from training.data.report import write_report

needs_films = pytest.mark.skipif(not SHARED.exists(), reason="the shared films are not here")
SAMPLES = sorted((ROOT / "samples").glob("nih_0*.jpg"))


def test_every_pair_within_the_limit_is_found_and_none_beyond() -> None:
    rng = np.random.default_rng(1)
    bits = rng.random((400, 255)) < 0.5
    for n in range(100):
        bits[200 + n] = bits[n]
        bits[200 + n, rng.choice(255, NEAR_BITS + n % 2, replace=False)] ^= True
    found = {(i, j): apart for i, j, apart in near_pairs(bits)}
    assert found == {(n, 200 + n): NEAR_BITS for n in range(0, 100, 2)}


def test_a_film_in_another_encoding_size_or_brightness_is_found_across_splits(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = []
    for n, path in enumerate(SAMPLES):
        with Image.open(path) as film:
            grey = film.convert("L")
        changed = (
            Image.open(io.BytesIO(_jpeg(grey, 50))),
            grey.resize((100, 100)),
            grey.point([min(255, int(v * 1.15)) for v in range(256)]),
        )[n % 3]
        shutil.copy(path, tmp_path / "images" / path.name)
        changed.convert("L").save(tmp_path / "images" / f"again{n}.png")
        rows += [(path.name, f"a{n}", n % 2), (f"again{n}.png", f"b{n}", n % 2)]
    write_csv(tmp_path / "labels.csv", ("film", "patient", "Mass"), *rows)
    section = data(Source(kind="table", path="."), findings=("Mass",), minimum_negatives=1, input_size=64)
    recipe = read_recipe(CONFIGS / "tiny.yaml").changed(data=section.model_dump())
    parts = prepare(recipe, tmp_path, tmp_path / "store").parts
    pairs = find_duplicates({n: p.films for n, p in parts.items()}, {n: p.frames for n, p in parts.items()})
    assert {tuple(sorted((p.first.patient[6:], p.second.patient[6:]))) for p in pairs} == {
        (f"a{n}", f"b{n}") for n in range(len(SAMPLES))
    }
    assert pairs[0].leaks
    assert not any(pair.same_patient for pair in pairs)


def _jpeg(film: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    film.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@needs_films
def test_the_page_holds_everything_and_fetches_nothing(tmp_path: Path) -> None:
    folder = small_data(tmp_path / "data", films=160)
    recipe = tiny_recipe(folder)
    prepared = prepare(recipe, folder, tmp_path / "store")
    write_report(prepared, recipe, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for url in re.findall(r"""(?:src|href|url\()\s*=?\s*["']?([^"'\s)>]+)""", page):
        assert url.startswith("data:image/png;base64,"), url[:80]
    assert "<script" not in page
    for finding in prepared.manifest.findings:
        assert f"<td>{finding}</td>" in page
    assert prepared.manifest.digest in page
    for heading in ("Films per split", "What comes together", "Near-duplicates", "Left out", "gives a finding away"):
        assert heading in page
    assert page.count("<figure>") >= 3 * len(prepared.manifest.findings)
