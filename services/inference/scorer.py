"""The core: a verified release and a film in, calibrated probabilities out. Knows nothing of HTTP."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from hilum.drift.quality import quality
from hilum.imaging.preprocess import preprocess, squash
from hilum.release import BadRelease, FindingSpec, InputSpec, Manifest, Release, Variant
from hilum.release.bundle import OUTPUTS
from hilum.release.domain import MAYBE_MIRRORED, DomainStatistics, Judgement, read
from hilum.triage import is_acute, margin
from services.inference.providers import Opened, Wish, open_variant
from services.inference.sessions import Session

Array = npt.NDArray[np.float32]
# A distance that is not a number, or beyond this, is this: out of every release's domain, and JSON can say it.
FAR = 1e9


class ModelFailed(RuntimeError):
    """What runs the model could not run it now (a device without memory, a lost driver); another try may work."""


class NotScorable(ValueError):
    """The film can't be scored by this release; the text says why."""


@dataclass(frozen=True)
class Domain:
    """Whether a film looks like those the release was trained on. `distance` is about 1 for a typical film.

    `warning` is for the reader of a film that is scored all the same: it may be mirrored.
    """

    in_domain: bool
    distance: float
    threshold: float
    reason: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class FindingScore:
    """One finding's calibrated probability, with how it is read."""

    spec: FindingSpec
    probability: float

    @property
    def present(self) -> bool:
        """At or above the alert point; never for a finding that is not established."""
        return self.spec.established and self.probability >= self.spec.alert.threshold


# How many of the leading components of the domain's statistics are told; `reference.npz` holds as many.
PLACES = 16


@dataclass(frozen=True)
class Features:
    """What drift is judged by, as `hilum.wire.FilmFeatures` has it."""

    quality: dict[str, float]
    places: tuple[float, ...]
    pose: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """What the release says of one film: `findings` in the release's order, empty where the film is out of domain."""

    findings: tuple[FindingScore, ...]
    domain: Domain
    acute_margin: float | None
    preprocess_seconds: float
    infer_seconds: float
    features: Features | None = None


@dataclass(frozen=True, eq=False)
class Outputs:
    """Raw outputs for a batch of N films: `logits` (N, K), `activation` (N, K, h, w), `embedding` (N, E)."""

    logits: Array
    activation: Array
    embedding: Array


@dataclass(frozen=True, eq=False)
class Scorer:
    """One precision of one release, opened. Safe to call from several threads."""

    release: Release
    variant: Variant
    opened: Opened
    session: Session
    domain: DomainStatistics

    @property
    def manifest(self) -> Manifest:
        """The release's manifest."""
        return self.release.manifest

    def run(self, batch: Array) -> Outputs:
        """Run the model on preprocessed films (N, 1, height, width).

        Raises NotScorable for a result that is not finite, ModelFailed where the runtime gives none.
        """
        try:
            outputs = Outputs(*self.session.run(OUTPUTS, batch))
        except Exception as error:
            # The runtimes' own errors have no common class; the batch was checked before.
            raise ModelFailed(f"{self.session.provider}: {type(error).__name__}") from error
        if not (np.isfinite(outputs.logits).all() and np.isfinite(outputs.embedding).all()):
            raise NotScorable("The model gave no finite number for this film.")
        return outputs

    def probabilities(self, logits: Array) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (N, K) by Platt's scaling of `logits` (N, K)."""
        slopes = np.array([spec.calibration.slope for spec in self.variant.findings])
        intercepts = np.array([spec.calibration.intercept for spec in self.variant.findings])
        scaled = np.clip(logits * slopes + intercepts, -500.0, 500.0)
        return np.asarray(1.0 / (1.0 + np.exp(-scaled)))

    def judge(self, embedding: Array, films: Array) -> list[Judgement]:
        """Whether each of `films` (N, 1, height, width) with its `embedding` (N, E) may be scored, and why not."""
        return self.domain.judge(embedding, films, self.variant.domain.threshold)

    def distances(self, embedding: Array, films: Array) -> Array:
        """Out-of-domain scores (N,) of films, as `judge`; always a number: one beyond all bounds is FAR."""
        return np.array([min(each.score, FAR) for each in self.judge(embedding, films)], dtype=np.float32)

    def features(self, frame: Array, film: Array, embedding: Array) -> Features:
        """Of a squashed frame (H, W), the film (1, H, W) made of it, and its `embedding` (1, E)."""
        head = self.domain.pose
        odds = () if head is None else tuple(map(float, head.log_odds(film[np.newaxis])[0]))
        return Features(quality(frame), tuple(map(float, self.domain.places(embedding, PLACES)[0])), odds)

    def score(self, pixels: Array, *, features: bool = False) -> Score:
        """Score a decoded film: `pixels` (H, W), float32 in 0..1, with its features on wish. Raises NotScorable."""
        began = time.perf_counter()
        spec = self.manifest.input
        frame = squash(pixels, spec.height, spec.width)
        film = preprocess(frame, spec)
        prepared = time.perf_counter()
        outputs = self.run(film[np.newaxis])
        probabilities = self.probabilities(outputs.logits)[0]
        domain = self._domain(film, self.judge(outputs.embedding, film[np.newaxis])[0])
        done = time.perf_counter()
        findings: tuple[FindingScore, ...] = ()
        if domain.in_domain:
            findings = tuple(
                FindingScore(spec, float(p)) for spec, p in zip(self.variant.findings, probabilities, strict=True)
            )
        told = self.features(frame, film, outputs.embedding) if features else None
        return Score(findings, domain, acute_margin(findings), prepared - began, done - prepared, told)

    def _domain(self, film: Array, judged: Judgement) -> Domain:
        distance, threshold = min(judged.score, FAR), self.variant.domain.threshold
        if is_flat(film, self.manifest.input):
            return Domain(False, distance, threshold, "The film is blank or has almost no contrast.")
        warning = MAYBE_MIRRORED if judged.mirrored else None
        return Domain(judged.kind is None, distance, threshold, judged.reason, warning)


def is_flat(film: Array, spec: InputSpec) -> bool:
    """Whether a preprocessed film's standard deviation was below `spec.min_std` before it was normalised."""
    deviation = float(film.std(dtype=np.float64))
    return deviation < 0.999 if spec.normalisation == "film" else deviation * spec.std < spec.min_std


def acute_margin(findings: tuple[FindingScore, ...]) -> float | None:
    """By how many logits the highest acute, established finding with a say exceeds its alert point; None: none has."""
    margins = [
        margin(f.probability, f.spec.alert.threshold, f.spec.weight)
        for f in findings
        if f.spec.established and f.spec.weight > 0 and is_acute(f.spec.name)
    ]
    return max(margins, default=None)


def open_scorer(release: Release, precision: str = "", wish: Wish | None = None) -> Scorer:
    """Open `precision` of `release` (empty: its default) as `wish` says and check the model against the manifest.

    The model's bytes are those whose hash was checked. Raises BadRelease.
    """
    try:
        variant = release.manifest.variant(precision or release.manifest.default_precision)
    except KeyError as error:
        raise BadRelease(str(error.args[0])) from None
    opened = open_variant(release, variant, wish or Wish())
    try:
        domain = read(BytesIO(release.read(variant.domain.file)))
    except ValueError as error:
        raise BadRelease(f"{variant.domain.file}: {error}") from error
    spec = release.manifest.input
    # One blank film says how wide the embedding is, by whatever provider, and warms it up.
    blank = np.zeros((1, 1, spec.height, spec.width), dtype=np.float32)
    (embedding,) = opened.session.run(("embedding",), blank)
    if domain.mean.shape != embedding.shape[1:]:
        width = embedding.shape[1]
        raise BadRelease(
            f"{variant.domain.file} is for embeddings of {domain.mean.size} values, the model gives {width}"
        )
    return Scorer(release, variant, opened, opened.session, domain)


def worst_difference(given: dict[str, float], expected: dict[str, float]) -> tuple[str, float]:
    """The finding whose probabilities differ most, and by how much; a number that is not finite differs without end."""
    differences = {name: abs(given.get(name, math.nan) - value) for name, value in expected.items()}
    unfit = {name: d if math.isfinite(d) else math.inf for name, d in differences.items()}
    name = max(unfit, key=lambda key: unfit[key])
    return name, unfit[name]
