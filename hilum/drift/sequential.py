"""Film by film: has something changed? With a stated rate of false alarms.

An e-detector (Shin, Ramdas and Rinaldo, "E-detectors", 2023): for every stream and bet a Shiryaev-Roberts sum
R = (R + 1) x what the bet paid. While nothing changes the mean of R grows by 1 a film, so that a weighed mean over all
streams and bets passes a threshold c after c films or more, on average: c films is the mean time between false alarms,
whatever the streams' distributions. It is exact for one stream; that the streams together keep it is shown by
simulation (docs/drift.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.drift import bets
from hilum.drift.ranks import ranks

Array = npt.NDArray[np.float64]
# Beyond this nothing is learnt, and products stay finite.
MOST = 1e200
CHUNK = 512


@dataclass(frozen=True)
class Watched:
    """What was seen after the baseline.

    `evidence` (T,): the weighed mean of all sums after each film; an alarm is where it reaches `threshold`.
    `alarm_at`: the place of the first such film in the stream, None without. `shares`: each stream's part in the
    evidence at the alarm (at the end without one), 0..1. `began_at`: from which film on the leading bet paid, roughly
    when it began.
    """

    evidence: Array
    threshold: float
    alarm_at: int | None
    shares: dict[str, float]
    began_at: int | None


def watch(
    streams: Mapping[str, Array],
    strata: npt.NDArray[np.int64],
    baseline: int,
    threshold: float,
    *,
    seed: int = 7,
    stop: bool = False,
) -> Watched:
    """Watch films (N) in their order; the first `baseline` are only compared with. `stop`: at the first alarm.

    `streams` name -> values (N,), NaN where a film has none; `strata` (N,): films are ranked among their like (hours of
    work, nights), so that a change of day is none of the films.
    """
    names = list(streams)
    if not names:
        return Watched(np.zeros(0), threshold, None, {}, None)
    places = np.column_stack([ranks(streams[name], strata, seed + k, baseline) for k, name in enumerate(names)])
    return _bet(names, places, threshold, stop=stop)


def _bet(names: list[str], places: Array, threshold: float, *, stop: bool) -> Watched:
    sums = np.zeros((len(names), bets.COUNT))
    say = _say(names)
    evidence = np.zeros(len(places))
    alarm, shares, began = None, None, None
    for start in range(0, len(places), CHUNK):
        paid = bets.outcomes(places[start : start + CHUNK])
        held = np.isnan(paid)
        for offset in range(len(paid)):
            t = start + offset
            sums = np.where(held[offset], sums, np.minimum((sums + 1.0) * paid[offset], MOST))
            evidence[t] = say @ sums.mean(axis=1)
            if alarm is None and evidence[t] >= threshold:
                alarm, shares, began = t, _shares(names, sums, say), _beginning(places[: t + 1], sums)
                if stop:
                    return Watched(evidence[: t + 1], threshold, alarm, shares, began)
    return Watched(evidence, threshold, alarm, shares or _shares(names, sums, say), began)


def _beginning(places: Array, sums: Array) -> int:
    """Where the leading bet's winnings were lowest before they only rose (Page's CUSUM)."""
    stream, bet = np.unravel_index(int(sums.argmax()), sums.shape)
    paid = np.nan_to_num(bets.outcomes(places[:, [stream]])[:, 0, bet], nan=1.0)
    return int(np.argmin(np.concatenate([[0.0], np.cumsum(np.log(paid))[:-1]])))


def _say(names: list[str]) -> Array:
    """What each stream has to say, (S,), 1 in all: every kind ("kind/part") the same, the streams of a kind the same.

    Chosen before any film is seen, so that the promise holds; one view is not drowned by sixteen features.
    """
    kinds = [name.partition("/")[0] for name in names]
    counts = Counter(kinds)
    return np.array([1 / (len(counts) * counts[kind]) for kind in kinds])


def _shares(names: list[str], sums: Array, say: Array) -> dict[str, float]:
    weighed = say * sums.mean(axis=1)
    whole = weighed.sum()
    parts = weighed / whole if whole > 0 else np.zeros(len(names))
    return {name: float(part) for name, part in zip(names, parts, strict=True)}
