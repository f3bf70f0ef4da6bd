"""How a film hangs: upright, turned, mirrored, negative or only a part of a chest; from its pixels alone.

The out-of-domain distance is blind to place (it reads means and spreads of features), so a third of the films that hung
upside down or were inverted passed it. This head sees a thumbnail of the film: three convolutions and two dense layers
in plain numpy, a third of a millisecond, trained while a release is built (`training.release.pose`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.float32]
SIDE = 32
UPRIGHT, MIRRORED = "upright", "mirrored"
# How the film lies relative to an upright one: "turned left" was turned by 90 degrees anticlockwise.
KINDS = (UPRIGHT, "turned left", "upside down", "turned right", MIRRORED, "negative", "part")
# A mirrored film is scored, with a warning: it may be right (docs/domain.md).
REFUSED = tuple(kind for kind in KINDS if kind not in {UPRIGHT, MIRRORED})
PREFIX = "pose_"


def thumbnails(films: npt.NDArray[np.floating]) -> Array:
    """Films (N, 1, H, W) of any range as (N, SIDE, SIDE) of mean 0 and standard deviation 1; flat ones are all 0."""
    small = np.stack([_shrunk(np.asarray(film[0], dtype=np.float32)) for film in films])
    centred = small - small.mean(axis=(1, 2), keepdims=True)
    spread = centred.std(axis=(1, 2), keepdims=True)
    return np.asarray(centred / np.maximum(spread, 1e-6), dtype=np.float32)


def _shrunk(film: Array) -> Array:
    rows, columns = film.shape[0] // SIDE, film.shape[1] // SIDE
    if film.shape == (rows * SIDE, columns * SIDE):
        return np.asarray(film.reshape(SIDE, rows, SIDE, columns).mean(axis=(1, 3)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(film)).resize((SIDE, SIDE), Image.Resampling.BOX))


@dataclass(frozen=True, eq=False)
class PoseHead:
    """Weights and limits.

    `convolutions`: pairs of weight (O, I, k, k) and bias (O,), each of stride 2, padded by k // 2, then rectified.
    `dense`: pairs of weight (O, I) and bias (O,), rectified between. The last gives one logit per entry of KINDS.
    `limits` (len(KINDS),): log odds of a kind against upright above which a film is taken to be of it; the first is
    not used. All positive.
    """

    convolutions: tuple[tuple[Array, Array], ...]
    dense: tuple[tuple[Array, Array], ...]
    limits: Array

    def log_odds(self, films: npt.NDArray[np.floating]) -> Array:
        """Log odds (N, len(KINDS)) of each kind against upright, of films (N, 1, H, W); the first column is 0.

        A kind that is refused is weighed against "upright or mirrored", since both of these are scored.
        """
        return self.log_odds_of_thumbnails(thumbnails(films))

    def log_odds_of_thumbnails(self, small: Array) -> Array:
        """`log_odds` of what `thumbnails` gave, (N, SIDE, SIDE)."""
        values = small[:, np.newaxis]
        for weight, bias in self.convolutions:
            values = np.maximum(_convolved(values, weight) + bias[:, None, None], 0.0)
        flat = values.reshape(len(values), -1)
        for weight, bias in self.dense[:-1]:
            flat = np.maximum(flat @ weight.T + bias, 0.0)
        weight, bias = self.dense[-1]
        logits = flat @ weight.T + bias
        upright, mirrored = logits[:, KINDS.index(UPRIGHT)], logits[:, KINDS.index(MIRRORED)]
        odds = logits - np.logaddexp(upright, mirrored)[:, None]
        odds[:, KINDS.index(MIRRORED)] = mirrored - upright
        odds[:, KINDS.index(UPRIGHT)] = 0.0
        return np.asarray(odds, dtype=np.float32)

    def excess(self, odds: Array) -> tuple[Array, npt.NDArray[np.intp]]:
        """Per film how far the worst refused kind is on the way to its limit, (N,), 1 at the limit, and which it is.

        softplus(log odds) / softplus(limit): never negative, and near 0 for a film that hangs as it should.
        """
        columns = [KINDS.index(kind) for kind in REFUSED]
        ratios = np.logaddexp(0.0, odds[:, columns]) / np.logaddexp(0.0, self.limits[columns])
        worst = ratios.argmax(axis=1)
        return np.asarray(ratios.max(axis=1), dtype=np.float32), np.asarray(columns, dtype=np.intp)[worst]

    def mirrored(self, odds: Array) -> npt.NDArray[np.bool_]:
        """Which films seem to be mirrored, (N,)."""
        column = KINDS.index(MIRRORED)
        return np.asarray(odds[:, column] > self.limits[column])

    def arrays(self) -> dict[str, Array]:
        """The head as named arrays, for the file of the domain's statistics."""
        named = {f"{PREFIX}limits": self.limits}
        for kind, layers in (("convolution", self.convolutions), ("dense", self.dense)):
            for k, (weight, bias) in enumerate(layers):
                named[f"{PREFIX}{kind}_{k}_weight"], named[f"{PREFIX}{kind}_{k}_bias"] = weight, bias
        return named


def _convolved(values: Array, weight: Array) -> Array:
    """(N, I, H, W) with weight (O, I, k, k) to (N, O, ceil(H / 2), ceil(W / 2)): stride 2, zeros around."""
    size = weight.shape[-1]
    margin = size // 2
    padded = np.pad(values, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::2, ::2]
    return np.moveaxis(np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))), 3, 1)


def head_of(arrays: Mapping[str, npt.NDArray[np.float32]]) -> PoseHead | None:
    """The head among `arrays` as `PoseHead.arrays` named them; None where there is none.

    Raises KeyError for a layer with one of its two arrays, ValueError for shapes that do not fit one another.
    """
    if f"{PREFIX}limits" not in arrays:
        return None

    def layers(kind: str) -> tuple[tuple[Array, Array], ...]:
        names = [f"{PREFIX}{kind}_{k}" for k in range(8) if f"{PREFIX}{kind}_{k}_weight" in arrays]
        return tuple((arrays[f"{name}_weight"], arrays[f"{name}_bias"]) for name in names)

    head = PoseHead(layers("convolution"), layers("dense"), arrays[f"{PREFIX}limits"])
    if not head.dense or head.limits.shape != (len(KINDS),) or not (head.limits[1:] > 0).all():
        raise ValueError("the pose head's arrays do not fit one another")
    if not all(np.isfinite(array).all() for array in head.arrays().values()):
        raise ValueError("the pose head's arrays hold a number that is not finite")
    # One film through it finds every other disagreement of shapes.
    try:
        odds = head.log_odds_of_thumbnails(np.zeros((1, SIDE, SIDE), dtype=np.float32))
    except (IndexError, ValueError) as error:
        raise ValueError("the pose head's arrays do not fit one another") from error
    if odds.shape != (1, len(KINDS)):
        raise ValueError("the pose head's arrays do not fit one another")
    return head
