"""A site's films as columns, and the streams that are watched in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.drift import quality
from hilum.release.pose import KINDS

Array = npt.NDArray[np.float64]
# A category that fewer of the baseline's films have is no stream of its own; it counts as rare.
COMMON_SHARE = 0.05
# A finding's probability is kept away from 0 and 1 by this, as `training.release.calibrate` does.
TINY = 1e-6
# The frame's megapixels, and its rows over its columns.
SIZES = ("size", "shape")


@dataclass(frozen=True, eq=False)
class Films:
    """N films in the order of their arrival, of K findings, D leading components and the pose's kinds.

    `at` seconds since 1970. `probabilities` (N, K), NaN where a film is out of domain; `domain` (N,) the guard's score
    and `outside` (N,) 1 where it refused, 0 where not; `light` (N, len(quality.NAMES)), `places` (N, D) and `pose`
    (N, len(KINDS)) may be NaN: an older service did not tell them. `size` (N, len(SIZES)): of the whole frame as it
    came. `view` and `device` (maker, bits, coding) are words, "" where no header says them; `strata` (N,) are the times
    that are compared with their like only.
    """

    findings: tuple[str, ...]
    at: Array
    probabilities: Array
    domain: Array
    outside: Array
    light: Array
    places: Array
    pose: Array
    size: Array
    view: npt.NDArray[np.str_]
    device: npt.NDArray[np.str_]
    strata: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: npt.NDArray[np.intp]) -> Films:
        """The films of `rows`, in that order; `at` as in the films themselves."""
        return Films(self.findings, *(getattr(self, name)[rows] for name in COLUMNS))

    def joined(self, later: Films) -> Films:
        """These films, then `later`."""
        return Films(self.findings, *(np.concatenate([getattr(f, name) for f in (self, later)]) for name in COLUMNS))


COLUMNS = ("at", "probabilities", "domain", "outside", "light", "places", "pose", "size", "view", "device", "strata")


def log_odds(probabilities: Array) -> Array:
    """Of probabilities of any shape."""
    held = np.clip(probabilities, TINY, 1 - TINY)
    return np.asarray(np.log(held / (1 - held)))


def streams(films: Films, baseline: int) -> dict[str, Array]:
    """What is watched, kind and part: "score/Effusion", "input/brightness", "features/3", "pose/mirrored" ...

    Which views and devices are common is decided by the first `baseline` films. A column that is all NaN is left out.
    """
    odds = log_odds(films.probabilities)
    found: dict[str, Array] = {f"score/{name}": odds[:, k] for k, name in enumerate(films.findings)}
    if len(films.findings) > 1:
        found["overall/score"] = odds.mean(axis=1)
    found |= {f"input/{name}": films.light[:, k] for k, name in enumerate(quality.NAMES)}
    found |= {f"input/{name}": films.size[:, k] for k, name in enumerate(SIZES)}
    found |= {f"features/{k + 1}": films.places[:, k] for k in range(films.places.shape[1])}
    found |= {f"pose/{name}": films.pose[:, k] for k, name in enumerate(KINDS) if k}
    found["domain/score"] = films.domain
    found["domain/outside"] = films.outside
    found |= _words("view", films.view, baseline) | _words("device", films.device, baseline)
    return {name: values for name, values in found.items() if np.isfinite(values[:baseline]).any()}


def _words(kind: str, words: npt.NDArray[np.str_], baseline: int) -> dict[str, Array]:
    """For each common word 1 where a film has it, and 1 for what is rare; nothing where no header ever spoke."""
    counted = Counter(words[:baseline].tolist())
    if set(counted) <= {""}:
        return {}
    common = [word for word, n in sorted(counted.items()) if n >= COMMON_SHARE * baseline]
    # Of two words one says it all.
    named = common[:-1] if len(common) > 1 and sum(counted[w] for w in common) == baseline else common
    found = {f"{kind}/{word or 'not said'}": (words == word).astype(np.float64) for word in named}
    found[f"{kind}/rare"] = (~np.isin(words, common)).astype(np.float64)
    return found
