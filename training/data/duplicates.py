"""Films that are all but the same: another encoding, size or brightness of one exposure, found by a perceptual hash.

The hash says which of the 255 lowest frequencies of a 32 x 32 thumbnail's cosine transform lie above their median
(Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010). On 300 films of the shared data
the same film as JPEG of quality 50, at 100 px, 15 % brighter, or under gamma 0.8 was at most 20 bits away; no two of
its 15,600 films were nearer than 30. Films that were cropped or turned are not found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.manifest import Film
from training.data.store import Frames, pixels_of

THUMB = 32
FREQUENCIES = 16
NEAR_BITS = 20
# Two hashes at most NEAR_BITS apart agree in one of NEAR_BITS + 1 bands: only films that share a band are compared.
BANDS = NEAR_BITS + 1
BATCH = 512
# Of a thousand copies of one blank film half a million pairs can be told; this many say enough.
MOST_PAIRS = 20_000
Hashes = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NearPair:
    """Two films that are all but the same, `bits` of 255 apart. `splits` are theirs; equal where both are in one."""

    first: Film
    second: Film
    bits: int
    splits: tuple[str, str]

    @property
    def same_patient(self) -> bool:
        """Whether it is one person's film twice: odd, but no leak between splits."""
        return self.first.patient == self.second.patient

    @property
    def leaks(self) -> bool:
        """Whether the two stand in different splits."""
        return self.splits[0] != self.splits[1]


def hashes_of(frames: Frames) -> Hashes:
    """Perceptual hashes of frames (N, H, W), as bits (N, 255)."""
    from scipy.fft import dctn  # noqa: PLC0415 - slow to load

    bits = np.empty((len(frames), FREQUENCIES**2 - 1), dtype=np.bool_)
    for start in range(0, len(frames), BATCH):
        thumbs = _thumbs(pixels_of(frames[start : start + BATCH]))
        low = dctn(thumbs, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES].reshape(len(thumbs), -1)[:, 1:]
        bits[start : start + BATCH] = low > np.median(low, axis=1, keepdims=True)
    return bits


def near_pairs(bits: Hashes) -> list[tuple[int, int, int]]:
    """Pairs of rows at most NEAR_BITS apart with their distance, the nearest first; at most MOST_PAIRS."""
    packed = np.packbits(np.pad(bits, ((0, 0), (0, 1))), axis=1).view(np.uint64)
    found: dict[tuple[int, int], int] = {}
    for band in np.array_split(np.arange(bits.shape[1]), BANDS):
        codes = bits[:, band] @ (1 << np.arange(len(band)))
        order = np.argsort(codes, kind="stable")
        cuts = np.flatnonzero(np.diff(codes[order])) + 1
        for bucket in np.split(order, cuts):
            _compare(bucket, packed, found)
            if len(found) >= MOST_PAIRS:
                break
    pairs = sorted((bits_apart, i, j) for (i, j), bits_apart in found.items())
    return [(i, j, bits_apart) for bits_apart, i, j in pairs[:MOST_PAIRS]]


def find_duplicates(parts: Mapping[str, Sequence[Film]], frames: Mapping[str, Frames]) -> list[NearPair]:
    """Near-duplicates within and across the splits; those across splits and patients first."""
    films = [(film, split) for split, members in parts.items() for film in members]
    bits = np.concatenate([hashes_of(frames[split]) for split in parts])
    pairs = [NearPair(films[i][0], films[j][0], apart, (films[i][1], films[j][1])) for i, j, apart in near_pairs(bits)]
    return sorted(pairs, key=lambda pair: (not pair.leaks, pair.same_patient, pair.bits))


def _compare(bucket: npt.NDArray[np.intp], packed: npt.NDArray[np.uint64], found: dict[tuple[int, int], int]) -> None:
    for start in range(0, len(bucket) - 1, BATCH):
        rows = bucket[start : start + BATCH]
        others = bucket[start:]
        apart = np.bitwise_count(packed[rows][:, None] ^ packed[others][None]).sum(axis=2)
        near_i, near_j = np.nonzero(apart <= NEAR_BITS)
        for i, j in zip(near_i.tolist(), near_j.tolist(), strict=True):
            if i < j:
                first, second = sorted((int(rows[i]), int(others[j])))
                found[first, second] = int(apart[i, j])
        if len(found) >= MOST_PAIRS:
            return


def _thumbs(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Means of the blocks of frames (n, H, W), as (n, 32, 32)."""
    rows, columns = (np.linspace(0, side, THUMB, endpoint=False).astype(np.intp) for side in pixels.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=1), columns, axis=2)
    counts = np.diff(np.r_[rows, pixels.shape[1]])[:, None] * np.diff(np.r_[columns, pixels.shape[2]])[None]
    return np.asarray(sums / counts, dtype=np.float32)
