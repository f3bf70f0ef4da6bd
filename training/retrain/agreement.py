"""Several readers, one label: each vote counts by how often its reader agrees with the others.

A reader who is right with chance r moves the log-odds of "present" by log(r / (1 - r)): the best weighting of
independent votes (Nitzan & Paroush, International Economic Review 1982). r is estimated from agreement with the other
readers of the same films, drawn towards PRIOR while there is little to go by; blind and shown reads apart, for a reader
who saw the answer agrees with everybody else who saw it. An adjudication is no vote: what it judged is decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

from training.retrain.reads import FilmRead

# Agreement between readers of chest films is about 0.8 for most findings; it counts as much as PRIOR_READS judgements.
PRIOR, PRIOR_READS = 0.8, 10.0
LEAST, MOST = 0.55, 0.97
# Below this share of certainty in either direction the readers contradict each other: the label is uncertain.
CERTAIN = 0.25

Way = tuple[str, bool]
Judgements = dict[tuple[str, str], list[tuple[Way, int]]]


@dataclass(frozen=True)
class Label:
    """One finding of one film. `value` 1, 0 or -1 (the readers contradict each other, or are uncertain).

    `weight` 0..1 is how certain the votes are together, |2p - 1|; `blind`: only blind reads are in it.
    """

    value: int
    weight: float
    reads: int
    blind: bool


def judgements(reads: Iterable[FilmRead]) -> Judgements:
    """Votes by (film, finding): who, whether blind, and 1, 0 or -1. Adjudications are none."""
    held: Judgements = defaultdict(list)
    for read in reads:
        if read.decides:
            continue
        for name, value in read.labels.items():
            held[(read.film, name)].append(((read.reader, read.blind), value))
    return held


def decisions(reads: Iterable[FilmRead]) -> dict[tuple[str, str], Label]:
    """What adjudications settled, by (film, finding): certain, whatever the votes said. Blanks settle nothing."""
    return {
        (read.film, name): Label(value, 1.0, 1, read.blind)
        for read in reads
        if read.decides
        for name, value in read.labels.items()
    }


def reliability(held: Judgements) -> dict[Way, float]:
    """r of every (reader, blind), LEAST..MOST: agreement with the majority of the others, on what both were sure of."""
    asked: dict[Way, int] = defaultdict(int)
    agreed: dict[Way, float] = defaultdict(float)
    for votes in held.values():
        sure = [(way, value) for way, value in votes if value in (0, 1)]
        for way, value in sure:
            others = [other for (reader, _), other in sure if reader != way[0]]
            if others:
                share = sum(other == value for other in others) / len(others)
                asked[way] += 1
                agreed[way] += 0.5 if share == 0.5 else float(share > 0.5)
    ways = {way for votes in held.values() for way, _ in votes}
    return {
        way: min(MOST, max(LEAST, (agreed[way] + PRIOR * PRIOR_READS) / (asked[way] + PRIOR_READS))) for way in ways
    }


def combine(votes: Sequence[tuple[Way, int]], trust: dict[Way, float]) -> Label:
    """One label from the votes on one finding of one film."""
    odds = sum((2 * value - 1) * log(trust[way] / (1 - trust[way])) for way, value in votes if value in (0, 1))
    unsure = sum(value == -1 for _, value in votes)
    certainty = abs(2 / (1 + exp(-odds)) - 1)
    blind = all(way[1] for way, _ in votes)
    if certainty < CERTAIN or unsure > len(votes) - unsure:
        return Label(-1, 1.0 if unsure else certainty, len(votes), blind)
    return Label(int(odds > 0), certainty, len(votes), blind)


def agreement_of(held: Judgements) -> dict[str, dict[str, float | int]]:
    """Share of pairs of readers who say the same, among blind reads and among shown ones; never mixed."""
    found: dict[str, dict[str, float | int]] = {}
    for name, blind in (("blind", True), ("shown", False)):
        pairs = same = 0
        for votes in held.values():
            values = [value for (_, b), value in votes if b is blind and value in (0, 1)]
            for place, value in enumerate(values):
                pairs += len(values) - place - 1
                same += sum(other == value for other in values[place + 1 :])
        found[name] = {"pairs": pairs, "agreement": round(same / pairs, 4) if pairs else 0.0}
    return found
