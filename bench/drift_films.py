"""Real held-out films, changed on purpose, as the release sees them: computed once and kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hilum.drift.films import COLUMNS, SIZES, Films
from hilum.drift.quality import NAMES, quality
from hilum.imaging.preprocess import preprocess
from hilum.release import Release
from hilum.release.domain import read
from training.config import CONFIGS, read_recipe
from training.data.manifest import label_matrix
from training.data.prepare import prepare
from training.data.store import pixels_of
from training.evaluate.scores import open_session, run

Frame = npt.NDArray[np.float32]
BATCH = 32
COMPONENTS = 16


def _resized(frame: Frame, side: int) -> Frame:
    return np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize((side, side), Image.Resampling.BILINEAR))


def _bordered(frame: Frame, rows: int) -> Frame:
    wide = np.zeros_like(frame)
    wide[rows:-rows, rows:-rows] = _resized(frame, frame.shape[0] - 2 * rows)
    return wide


CHANGES: dict[str, Callable[[Frame], Frame]] = {
    "as it is": lambda frame: frame,
    "gamma 0.8": lambda frame: np.asarray(frame**0.8),
    "gamma 1.25": lambda frame: np.asarray(frame**1.25),
    "contrast 0.8": lambda frame: np.asarray(0.5 + 0.8 * (frame - 0.5), dtype=np.float32),
    "contrast 1.2, cut off": lambda frame: np.clip(0.5 + 1.2 * (frame - 0.5), 0, 1).astype(np.float32),
    "resolution 3/4": lambda frame: _resized(_resized(frame, 96), 128),
    "resolution 1/2": lambda frame: _resized(_resized(frame, 64), 128),
    "border of 3 %": lambda frame: _bordered(frame, 4),
    "border of 6 %": lambda frame: _bordered(frame, 8),
    "inverted": lambda frame: 1 - frame,
    "mirrored": lambda frame: frame[:, ::-1],
}


@dataclass(frozen=True, eq=False)
class Pool:
    """`films` by change; labels (N, K) of the unchanged ones; `children`: another hospital's films of children."""

    films: dict[str, Films]
    labels: npt.NDArray[np.int8]
    children: Films


def pool_of(release: Release, data: Path, count: int, cache: Path) -> Pool:
    """`count` calibration and validation films (NIH), each change of them, and Kermany's; locked ones are not used."""
    if cache.is_file():
        return _read(cache)
    prepared = prepare(read_recipe(CONFIGS / "default.yaml"), data)
    parts = [prepared.parts[name] for name in ("calibration", "validation")]
    films = [film for part in parts for film in part.films]
    frames = [frame for part in parts for frame in pixels_of(np.asarray(part.frames[:]))]
    chance = np.random.default_rng(3)
    adults = np.array([k for k, film in enumerate(films) if film.source == "nih"])
    chosen = np.sort(chance.permutation(adults)[:count])
    others = np.array([k for k, film in enumerate(films) if film.source == "kermany"])
    see = _Seer(release)
    views = np.array([films[k].view or "" for k in chosen])
    changed = {
        name: see([np.ascontiguousarray(change(frames[k])) for k in chosen], views) for name, change in CHANGES.items()
    }
    children = see([frames[k] for k in others], np.full(len(others), "AP"))
    pool = Pool(changed, label_matrix([films[k] for k in chosen]), children)
    _write(pool, cache)
    return pool


class _Seer:
    """A release's whole answer to frames."""

    def __init__(self, release: Release) -> None:
        self.variant, self.spec = release.manifest.variants[0], release.manifest.input
        self.session = open_session(release.path(self.variant), 1)
        self.domain = read(BytesIO(release.read(self.variant.domain.file)))

    def __call__(self, frames: list[Frame], views: npt.NDArray[np.str_]) -> Films:
        logits, places, pose, scores, outside = [], [], [], [], []
        for start in range(0, len(frames), BATCH):
            films = np.stack([preprocess(frame, self.spec) for frame in frames[start : start + BATCH]])
            answer = run(self.session, list(films))
            logits.append(answer.logits)
            places.append(self.domain.places(answer.embeddings, COMPONENTS))
            judged = self.domain.judge(answer.embeddings, films, self.variant.domain.threshold)
            scores += [each.score for each in judged]
            outside += [each.kind is not None for each in judged]
            if self.domain.pose is not None:
                pose.append(self.domain.pose.log_odds(films))
        slope = np.array([spec.calibration.slope for spec in self.variant.findings])
        intercept = np.array([spec.calibration.intercept for spec in self.variant.findings])
        chances = 1 / (1 + np.exp(-(np.concatenate(logits) * slope + intercept)))
        refused = np.array(outside)
        chances[refused] = np.nan
        light = [quality(frame) for frame in frames]
        return Films(
            tuple(spec.name for spec in self.variant.findings),
            np.arange(len(frames), dtype=np.float64),
            chances.astype(np.float64),
            np.array(scores, dtype=np.float64),
            refused.astype(np.float64),
            np.array([[each[name] for name in NAMES] for each in light]),
            np.concatenate(places).astype(np.float64),
            np.concatenate(pose).astype(np.float64),
            # The films are kept at 128 px: how large they once were is not known, so nobody bets on it.
            np.full((len(frames), len(SIZES)), np.nan),
            views.astype(np.str_),
            np.full(len(frames), "", dtype=np.str_),
            np.zeros(len(frames), dtype=np.int64),
        )


def _write(pool: Pool, path: Path) -> None:
    arrays = {
        f"{name}|{column}": getattr(films, column)
        for name, films in {**pool.films, "children": pool.children}.items()
        for column in COLUMNS
    }
    findings = np.array(pool.children.findings)
    np.savez_compressed(path, labels=pool.labels, findings=findings, **arrays)  # type: ignore[arg-type]


def _read(path: Path) -> Pool:
    with np.load(path, allow_pickle=False) as arrays:
        findings = tuple(str(name) for name in arrays["findings"])
        sets = {
            name: Films(findings, *(arrays[f"{name}|{column}"] for column in COLUMNS))
            for name in (*CHANGES, "children")
        }
        return Pool({name: sets[name] for name in CHANGES}, arrays["labels"], sets["children"])
