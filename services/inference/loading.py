"""From a folder to a scorer that has proven itself on the release's golden film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from hilum.imaging import BadFilm, decode
from hilum.release import BadRelease, read_release
from hilum.release.signing import BadSignature, read_trusted
from services.inference.batching import Batching
from services.inference.cost import measure
from services.inference.providers import Wish
from services.inference.scorer import NotScorable, Scorer, open_scorer, worst_difference
from services.inference.settings import InferenceSettings

# Another processor or another version of ONNX Runtime moves a probability by less; another model by more.
GOLDEN_TOLERANCE = 1e-3

log = structlog.get_logger("hilum.inference")


def check_golden(scorer: Scorer) -> None:
    """Score the built-in film, which also warms the model up; raises BadRelease where it comes out otherwise."""
    try:
        film = decode(scorer.release.read(scorer.manifest.golden_film))
        score = scorer.score(film.pixels)
    except (BadFilm, NotScorable) as error:
        raise BadRelease(f"the golden film can't be scored: {error}") from error
    if not score.domain.in_domain:
        raise BadRelease(f"the release refuses its own golden film: {score.domain.reason}")
    given = {f.spec.name: f.probability for f in score.findings}
    name, difference = worst_difference(given, scorer.variant.golden)
    if difference > GOLDEN_TOLERANCE:
        raise BadRelease(
            f"the golden film's {name} comes out {difference:.4f} from what the release says (at most "
            f"{GOLDEN_TOLERANCE} is allowed)"
        )


def load(settings: InferenceSettings, observe: Callable[[int], object] = lambda _: None) -> Scorer:
    """Read, verify, open and try the release that `settings` name; raises BadRelease.

    `observe` is told how many films each call of the model holds.
    """
    try:
        trusted = read_trusted(Path(settings.trusted_keys)) if settings.trusted_keys else None
    except BadSignature as error:
        raise BadRelease(str(error)) from error
    release = read_release(settings.release, trusted)
    wish = Wish(settings.provider, settings.threads, settings.lanes or settings.workers, settings.engine_cache)
    scorer = open_scorer(release, settings.precision, wish)
    check_golden(scorer)
    return _combining(scorer, settings, observe)


def _combining(scorer: Scorer, settings: InferenceSettings, observe: Callable[[int], object]) -> Scorer:
    """The same scorer, whose callers share calls of the model where its measured cost says that it pays."""
    spec = scorer.manifest.input
    films = np.zeros((settings.max_batch_size, 1, spec.height, spec.width), dtype=np.float32)
    cost = measure(lambda n: scorer.run(films[:n]), largest=settings.max_batch_size)
    # A processor runs one call per worker; a device runs one call at a time, and gathers the next one meanwhile.
    on_processor = scorer.session.provider in {"cpu", "openvino"}
    lanes = settings.lanes or (settings.workers if on_processor else 1)
    session = Batching(scorer.session, cost, lanes=lanes, largest=settings.max_batch_size, observe=observe)
    log.info(
        "model opened",
        provider=session.provider,
        why=scorer.opened.why,
        runtime=f"{scorer.opened.runtime} {scorer.opened.version}",
        precision=scorer.variant.precision,
        lanes=lanes,
        milliseconds_per_film=round(cost.per_film * 1e3, 3),
        milliseconds_per_call=round(cost.per_call * 1e3, 3),
        films_per_call=session.limit,
    )
    return replace(scorer, session=session)
