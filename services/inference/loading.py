"""From a folder to a scorer that has proven itself on the release's golden film."""

from __future__ import annotations

from pathlib import Path

import structlog

from hilum.imaging import BadFilm, decode
from hilum.release import BadRelease, read_release
from hilum.release.signing import BadSignature, read_trusted
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


def load(settings: InferenceSettings) -> Scorer:
    """Read, verify, open and try the release that `settings` name; raises BadRelease."""
    try:
        trusted = read_trusted(Path(settings.trusted_keys)) if settings.trusted_keys else None
    except BadSignature as error:
        raise BadRelease(str(error)) from error
    scorer = open_scorer(read_release(settings.release, trusted), settings.precision, settings.threads)
    check_golden(scorer)
    return scorer
