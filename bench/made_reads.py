"""Made-up reads of real films, for trying `hilum retrain` without a reading room: `python -m bench.made_reads FOLDER`.

Writes `films/` (copies of NIH films of training patients) and `reads.jsonl` (as feedback's `GET /v1/reads` tells them):
two readers a film, blind for every other film, who say what NIH's labels say but for one judgement in twenty. They are
no reads of a radiologist, and what comes of a retraining with them says nothing of any model.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from hilum.wire import ReadOut
from training.config import CONFIGS, Recipe, read_recipe
from training.data.read import read_sources
from training.data.split import split_of

WRONG = 0.05


def make_reads(data: Path, recipe: Recipe, films: int, folder: Path) -> int:
    """Write `films` films and twice as many reads into `folder`; returns how many reads. Raises BadData."""
    manifest = read_sources(recipe.data, data)
    able = [film for film in manifest.films if film.source == "nih" and split_of(film.patient, recipe.split) == "train"]
    rng = np.random.default_rng(1)
    chosen = [able[n] for n in rng.permutation(len(able))[:films].tolist()]
    (folder / "films").mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    reads: list[ReadOut] = []
    for number, film in enumerate(chosen):
        # Bytes after a JPEG's end change nothing to be seen; the same bytes twice would be taken for one film.
        (folder / "films" / f"read-{film.name}.jpg").write_bytes(film.path.read_bytes() + b"read")
        for reader in ("ann", "bob"):
            known = {n: v == 1 for n, v in zip(manifest.findings, film.labels, strict=True) if v in (0, 1)}
            wrong = rng.random(len(known)) < WRONG
            reads.append(
                ReadOut(
                    id=f"made-{len(reads)}",
                    sequence=len(reads) + 1,
                    hash="0" * 64,
                    study_uid=f"2.25.{len(reads) // 2 + 1}",
                    film_uids=[f"read-{film.name}"],
                    answer_version=1,
                    release_digest=None,
                    blind=number % 2 == 0,
                    reader=reader,
                    read_at=now,
                    received_at=now,
                    findings=list(manifest.findings),
                    labels={n: 1 if v != w else 0 for (n, v), w in zip(known.items(), wrong, strict=True)},
                )
            )
    lines = "".join(read.model_dump_json() + "\n" for read in reads)
    (folder / "reads.jsonl").write_text(lines, encoding="utf-8")
    return len(reads)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_TRAINING_DATA", "../shared/data")))
    parser.add_argument("--films", type=int, default=200)
    asked = parser.parse_args()
    count = make_reads(asked.data, read_recipe(CONFIGS / "tiny.yaml"), asked.films, asked.folder)
    Console().print(f"{count} made-up reads of {asked.films} films in {asked.folder}", highlight=False)


if __name__ == "__main__":
    main()
