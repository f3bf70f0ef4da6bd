"""Fit the out-of-domain statistics, choose the threshold, and try it on images that are no chest films."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image

from hilum.imaging.preprocess import Pixels, preprocess
from hilum.release import InputSpec, Interval
from hilum.release.domain import DomainStatistics, fit
from hilum.release.pose import SIDE
from training.evaluate import bootstrap
from training.evaluate.scores import run
from training.release.budget import Budget
from training.release.pose import FRAME_SIDE, LEAST_HELD_OUT, MOST_FRAMES, STEPS, shrunk, train_head, with_limits

Array = npt.NDArray[np.float32]
# The largest shares of all chest films, and of any group, that get the warning "may be mirrored".
WARNED = (0.005, 0.02)
# The pose head's part of the refusals allowed; what hangs wrongly is far beyond its limits, what is no chest less so.
POSE_SHARE = 0.25
# The threshold lies this much above what the held-out films ask for: the least group of them has 86 films, which say
# little about one in fifty. What is no chest film lies well above it (docs/domain.md).
RESERVE = 1.02


@dataclass(frozen=True, eq=False)
class Frames:
    """Chest films for the pose head: `training` (N, FRAME_SIDE, FRAME_SIDE) and `held_out` (M, SIDE, SIDE), 0..1.

    The held-out ones are those whose embeddings choose the threshold, in their order.
    """

    training: Array
    held_out: Array

    @classmethod
    def of(cls, training: Any, held_out: Sequence[Any]) -> Frames:
        """From stored frames (uint16, indexable by integer arrays)."""
        small = [shrunk(frames, SIDE) for frames in held_out]
        return cls(shrunk(training, FRAME_SIDE, MOST_FRAMES), np.concatenate(small))


@dataclass(frozen=True)
class Domain:
    """Fitted statistics, the threshold, and the share of held-out chest films refused."""

    statistics: DomainStatistics
    threshold: float
    false_refusal: Interval

    def refused(self, embeddings: Array, films: Array) -> npt.NDArray[np.bool_]:
        """Which films (N, 1, H, W), with their embeddings (N, E), are refused: (N,)."""
        judged = self.statistics.judge(embeddings, films, self.threshold)
        return np.array([judgement.kind is not None for judgement in judged], dtype=bool)


def fit_domain(
    training: Array,
    held_out: Array,
    patients: npt.NDArray[np.int64],
    groups: Mapping[str, npt.NDArray[np.bool_]],
    limits: tuple[float, float],
    components: int,
    draws: int,
    frames: Frames | None = None,
    steps: int = STEPS,
) -> Domain:
    """Fit on `training` (N, E); put the threshold where few of the `held_out` chest films (M, E) lie above it.

    `limits` are the largest shares refused of all films and of any one of `groups` (masks, (M,)): a threshold for all
    films together refused one child's film in twelve. `patients` (M,) clusters the interval. With `frames`, and at
    least LEAST_HELD_OUT held-out films, a pose head is trained beside the distance and may use POSE_SHARE of that.
    """
    statistics = fit(training, min(components, len(training) - 2))
    budget, given_up = Budget.of(len(held_out), groups, limits), np.zeros(len(held_out), dtype=bool)
    if frames is not None and len(frames.held_out) >= LEAST_HELD_OUT:
        part = replace(budget, everyone=int(budget.everyone * POSE_SHARE))
        warned = Budget.of(len(held_out), groups, WARNED)
        head, given_up = with_limits(train_head(frames.training, steps), frames.held_out, part, warned)
        statistics = replace(statistics, pose=head)
    distances = statistics.distances(held_out)
    # Who is refused for how he hangs is refused already, whatever his distance.
    kept = ~(given_up | budget.without(given_up).spend(np.where(given_up, -np.inf, distances)))
    domain = Domain(statistics, float(distances[kept].max()) * RESERVE, Interval(value=0.0, low=0.0, high=1.0))
    # Without a pose head the films' pixels are not looked at.
    films = np.zeros((len(held_out), 1, 1, 1), np.float32) if frames is None else frames.held_out[:, np.newaxis]
    above = domain.refused(held_out, films).astype(np.float64)
    share = bootstrap.interval(lambda w: w @ above / w.sum(axis=1), patients, draws, 11)
    return replace(domain, false_refusal=share or Interval(value=float(above.mean()), low=0.0, high=1.0))


def _noise() -> Iterator[Pixels]:
    rng = np.random.default_rng(0)
    yield from (rng.random((256, 256), dtype=np.float32) for _ in range(10))
    for _ in range(10):
        coarse = Image.fromarray(rng.random((12, 12), dtype=np.float32))
        yield np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC), dtype=np.float32).clip(0, 1)


def _plain() -> Iterator[Pixels]:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    yield from (np.full((256, 256), value, dtype=np.float32) for value in (0.0, 0.5, 1.0))
    yield np.broadcast_to(ramp, (256, 256))
    yield np.broadcast_to(ramp[:, None], (256, 256))


def _photographs() -> Iterator[Pixels]:
    folders = [resources.files("sklearn.datasets") / "images", resources.files("matplotlib") / "mpl-data/sample_data"]
    for folder in folders:
        for file in sorted(Path(str(folder)).glob("*.[jp][pn]g")):
            with Image.open(file) as image:
                yield np.asarray(image.convert("L"), dtype=np.float32) / 255.0


# Where packages keep their test films; `data_store` is pydicom-data's.
DICOM_FOLDERS = {"data_store": "data", "pydicom": "data/test_files"}


def _dicom(prefixes: tuple[str, ...]) -> Callable[[], Iterator[Pixels]]:
    def films() -> Iterator[Pixels]:
        import pydicom  # noqa: PLC0415

        # The folders of pydicom and pydicom-data themselves: pydicom's own look-up fetches what it does not find.
        packages = [(name, folder) for name, folder in DICOM_FOLDERS.items() if find_spec(name) is not None]
        folders = [resources.files(name) / folder for name, folder in packages]
        for file in sorted(path for folder in folders for path in Path(str(folder)).glob("*.dcm")):
            if not file.name.startswith(prefixes):
                continue
            try:
                dataset = pydicom.dcmread(file)
                pixels = np.asarray(dataset.pixel_array, dtype=np.float32)
            except Exception:  # noqa: S112 - a test file may be broken on purpose or need a codec
                continue
            if pixels.ndim == 2 and np.ptp(pixels) > 0:
                scaled = (pixels - pixels.min()) / np.ptp(pixels)
                yield 1 - scaled if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else scaled

    return films


# Groups of images that are no frontal chest film. pydicom's: RG3 a leg, CT and MR slices.
OUTSIDERS: dict[str, Callable[[], Iterator[Pixels]]] = {
    "noise": _noise,
    "blank or ramp": _plain,
    "photograph": _photographs,
    "leg film": _dicom(("RG3",)),
    "CT slice": _dicom(("CT", "693", "JPEG2000", "rtdose", "emri")),
    "MR slice": _dicom(("MR",)),
}


def try_outsiders(session: ort.InferenceSession, spec: InputSpec, domain: Domain) -> dict[str, dict[str, float | int]]:
    """Per group of `OUTSIDERS`: how many images, how many are refused, and the smallest distance."""
    report: dict[str, dict[str, float | int]] = {}
    for group, films in OUTSIDERS.items():
        inputs = [preprocess(np.ascontiguousarray(film), spec) for film in films()]
        if not inputs:
            continue
        embeddings = run(session, inputs).embeddings
        report[group] = {
            "images": len(inputs),
            "refused": int(domain.refused(embeddings, np.stack(inputs)).sum()),
            "smallest_distance": round(float(domain.statistics.distances(embeddings).min()), 3),
        }
    return report
