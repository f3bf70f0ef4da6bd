"""`python -m bench.domain`: what the guard refuses, per kind of image, with n; writes docs/benchmarks/domain.csv.

Real chest films and films changed on purpose are of validation patients (never locked ones). `--refit` first fits the
guard anew for the release's ONNX file, on training, calibration and validation films, as a release build does.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.machine import describe
from hilum.imaging.preprocess import preprocess
from hilum.release import Interval, read_release
from hilum.release.domain import DomainStatistics, read
from hilum.triage import is_acute
from training.config import CONFIGS, read_recipe
from training.data.manifest import Film, label_matrix, patients_of
from training.data.prepare import prepare
from training.data.store import pixels_of
from training.evaluate.scores import open_session, run, score
from training.release.domain import OUTSIDERS, Domain, Frames, fit_domain

ROOT = Path(__file__).resolve().parent.parent
Frame = npt.NDArray[np.float32]
BATCH = 32


def _squashed(frame: Frame) -> Frame:
    return np.asarray(Image.fromarray(frame).resize((128, 128), Image.Resampling.BILINEAR))


CHANGES: dict[str, Callable[[Frame], Frame]] = {
    "chest film, as it is": lambda frame: frame,
    "turned anticlockwise": lambda frame: np.rot90(frame, 1),
    "upside down": lambda frame: np.rot90(frame, 2),
    "turned clockwise": lambda frame: np.rot90(frame, -1),
    "mirrored": lambda frame: frame[:, ::-1],
    "negative": lambda frame: 1 - frame,
    "left half": lambda frame: _squashed(frame[:, : frame.shape[1] // 2]),
    "right half": lambda frame: _squashed(frame[:, frame.shape[1] // 2 :]),
    "upper half": lambda frame: _squashed(frame[: frame.shape[0] // 2]),
    "middle quarter": lambda frame: _squashed(frame[32:96, 32:96]),
}


def groups_of(films: list[Film], findings: tuple[str, ...]) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks (N,) of the groups whose refusals are bounded apart."""
    acute = np.array([is_acute(name) for name in findings], dtype=bool)
    rows = {
        "positive for an acute finding": (label_matrix(films)[:, acute] == 1).any(axis=1),
        "NIH": [f.source == "nih" for f in films],
        "NIH, AP": [f.source == "nih" and f.view == "AP" for f in films],
        "NIH, under 18": [f.source == "nih" and f.age is not None and f.age < 18 for f in films],
        "Kermany": [f.source == "kermany" for f in films],
    }
    return {name: np.asarray(row, dtype=bool) for name, row in rows.items()}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.domain", description=__doc__)
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--films", type=int, default=150, help="validation films changed on purpose")
    parser.add_argument("--refit", action="store_true", help="fit the guard anew for the release's ONNX file")
    parser.add_argument("--chest-films", action="store_true", help="count refusals of unchanged held-out films too")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "domain.csv")
    chosen = parser.parse_args()

    release = read_release(chosen.release)
    variant, spec = release.manifest.variants[0], release.manifest.input
    session = open_session(release.path(variant), 1)
    recipe = read_recipe(CONFIGS / "default.yaml")
    prepared = prepare(recipe, chosen.data)
    parts, findings = prepared.parts, prepared.manifest.findings
    held = {name: np.asarray(parts[name].frames[:]) for name in ("calibration", "validation")}
    everyone = [*parts["calibration"].films, *parts["validation"].films]
    if chosen.refit:
        training = parts["train"].frames
        sample = np.sort(np.random.default_rng(0).permutation(len(training))[: recipe.evaluation.domain_films])
        domain = fit_domain(
            score(session, training[sample], spec).embeddings,
            np.concatenate([score(session, frames, spec).embeddings for frames in held.values()]),
            patients_of(everyone),
            groups_of(everyone, findings),
            (recipe.evaluation.domain_false_refusal, recipe.evaluation.domain_group_refusal),
            recipe.evaluation.domain_components,
            recipe.evaluation.bootstrap_draws,
            Frames.of(training, list(held.values())),
        )
    else:
        statistics: DomainStatistics = read(BytesIO(release.read(variant.domain.file)))
        domain = Domain(statistics, variant.domain.threshold, Interval(value=0, low=0, high=1))

    def judged(frames: list[Frame]) -> tuple[int, int, str]:
        refused, mirrored, reasons = 0, 0, {}
        for start in range(0, len(frames), BATCH):
            films = [preprocess(np.ascontiguousarray(f), spec) for f in frames[start : start + BATCH]]
            answer = domain.statistics.judge(run(session, films).embeddings, np.stack(films), domain.threshold)
            for each in answer:
                refused, mirrored = refused + (each.kind is not None), mirrored + each.mirrored
                if each.kind is not None:
                    reasons[each.kind] = reasons.get(each.kind, 0) + 1
        return refused, mirrored, "; ".join(f"{k} {n}" for k, n in sorted(reasons.items(), key=lambda i: -i[1]))

    which = f"{release.manifest.name} {release.manifest.version}" + (", guard fitted anew" if chosen.refit else "")
    rows = []
    films = np.random.default_rng(1).permutation(len(held["validation"]))[: chosen.films]
    frames = pixels_of(held["validation"][np.sort(films)])
    for name, change in CHANGES.items():
        rows.append((name, len(frames), *judged([change(frame) for frame in frames])))
        print(*rows[-1], flush=True)  # noqa: T201
    for name, outsiders in OUTSIDERS.items():
        if images := list(outsiders()):
            rows.append((name, len(images), *judged(images)))
            print(*rows[-1], flush=True)  # noqa: T201
    whole = [frame for part in held.values() for frame in pixels_of(part)]
    for name, mask in {"all": np.ones(len(whole), dtype=bool), **groups_of(everyone, findings)}.items():
        rows.append(
            (f"held-out chest films: {name}", int(mask.sum()), *judged([whole[i] for i in np.flatnonzero(mask)]))
        )
        print(*rows[-1], flush=True)  # noqa: T201
    with chosen.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([f"# {which}; threshold {domain.threshold:.4f}; {describe()}"])
        writer.writerow(["images", "n", "refused", "warned: may be mirrored", "reasons given"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
