"""One site under one release: all looks together, or why there are not enough data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hilum.drift import compare
from hilum.drift.films import Films, log_odds, streams
from hilum.drift.labels import Prevalence, prevalence
from hilum.drift.quality import NAMES
from hilum.drift.reads import Calibration
from hilum.drift.sequential import watch
from hilum.release.reference import LEVEL_EDGES, SCORE_EDGES, SPREAD_EDGES, count
from hilum.wire import PopulationOut, ReferenceOut

State = Literal["steady", "drift", "not enough data"]
Array = npt.NDArray[np.float64]
DAY_SECONDS = 86_400.0
# What the window's films are compared with the baseline's: a day or two of a hospital.
WINDOW = 1000
# Fewer films than this after the baseline show nothing of their distribution.
FEWEST_WINDOW = 50
CURVE_POINTS = 200
# The promise is exact for one number of a film. All together gave a false alarm per 17,900 films at a threshold of
# 22,200 (95 %: 10,900 to 32,000; docs/drift.md), so the threshold is twice what is promised.
MARGIN = 2.0


@dataclass(frozen=True)
class Rules:
    """`baseline`: so many of the first films are what later ones are compared with. `days`: mean time between false
    alarms. A site with fewer than `fewest_a_day` films has no alarm: a month of its films shows nothing.
    """

    baseline: int = 1000
    days: float = 30.0
    fewest_a_day: float = 10.0


@dataclass(frozen=True)
class SiteReport:
    """What is known of one site. `threshold` in films; `led_by`: the numbers behind the evidence and their parts.

    `alarm_at` and `began_at` in seconds since 1970; `examples` are rows of the films that speak most for the change.
    `curve`: (seconds, evidence / threshold). `population`: that of the release which the site is nearest to.
    """

    state: State
    reason: str
    films: int
    films_a_day: float
    baseline: int
    threshold: float
    evidence: float
    alarm_at: float | None = None
    began_at: float | None = None
    led_by: dict[str, float] = field(default_factory=dict)
    curve: tuple[tuple[float, float], ...] = ()
    window: tuple[compare.Shift, ...] = ()
    population: str = ""
    release: tuple[compare.Shift, ...] = ()
    labels: tuple[Prevalence, ...] = ()
    labels_before: tuple[Prevalence, ...] = ()
    outside_share: float | None = None
    calibration: tuple[Calibration, ...] = ()
    examples: tuple[int, ...] = ()


def films_a_day(at: Array) -> float:
    """The median over the days that had any film: a clock that jumped, or a holiday, moves it little."""
    if not len(at):
        return 0.0
    _, counts = np.unique(np.floor(at / DAY_SECONDS), return_counts=True)
    # The first and the last day are parts of days.
    return float(np.median(counts[1:-1])) if len(counts) > 2 else float(len(at) / len(counts))


def judge(
    films: Films, reference: ReferenceOut | None, rules: Rules, calibrations: tuple[Calibration, ...] = ()
) -> SiteReport:
    """Judge `films` in the order of arrival. `reference` None: the release has no statistics; the rest is told."""
    rate = films_a_day(films.at)
    reason = _too_few(films, rate, rules)
    threshold = max(MARGIN * rules.days * rate, 1.0)
    outside = float(np.nanmean(films.outside)) if len(films) else None
    base: dict[str, Any] = {
        "films": len(films),
        "films_a_day": round(rate, 1),
        "baseline": min(rules.baseline, len(films)),
        "threshold": threshold,
        "outside_share": outside,
        "calibration": calibrations,
    }
    late = films.take(np.arange(len(films))[-WINDOW:])
    if reference is not None and reference.findings == list(films.findings) and len(late) >= FEWEST_WINDOW:
        population, against = _against_release(late, reference)
        base |= {"population": population, "release": against, "labels": _labels(late, reference)}
        if len(films) > rules.baseline:
            base["labels_before"] = _labels(films.take(np.arange(rules.baseline)), reference)
    if reason:
        return SiteReport("not enough data", reason, evidence=0.0, **base)
    seen = watch(streams(films, rules.baseline), films.strata, rules.baseline, threshold)
    after = films.at[rules.baseline :]
    alarm = None if seen.alarm_at is None else float(after[seen.alarm_at])
    began = None if seen.began_at is None else float(after[seen.began_at])
    led = dict(sorted(seen.shares.items(), key=lambda item: -item[1])[:8])
    first = films.take(np.arange(rules.baseline))
    window = films.take(np.arange(rules.baseline, len(films))[-WINDOW:])
    return SiteReport(
        "steady" if alarm is None else "drift",
        "" if alarm is None else _words(led),
        evidence=float(seen.evidence[-1]),
        alarm_at=alarm,
        began_at=began,
        led_by=led,
        curve=_curve(after, seen.evidence / threshold),
        window=_against_baseline(first, window),
        examples=_examples(films, rules.baseline, led) if alarm is not None else (),
        **base,
    )


def _too_few(films: Films, rate: float, rules: Rules) -> str:
    wanted = rules.baseline + FEWEST_WINDOW
    if len(films) < wanted:
        return f"{len(films)} of the {wanted} films that a baseline and a first look need"
    if rate < rules.fewest_a_day:
        return f"{rate:.0f} films a day; under {rules.fewest_a_day:g} an alarm a month could mean nothing"
    if not np.isfinite(films.probabilities).any():
        return "no film of this period has a score that is a number"
    return ""


def _words(led: dict[str, float]) -> str:
    named = [f"{name} ({part:.0%})" for name, part in led.items() if part >= 0.05][:3]
    return f"changed: {', '.join(named)}"


def _curve(at: Array, evidence: Array) -> tuple[tuple[float, float], ...]:
    """At most CURVE_POINTS points, each the greatest of its stretch: an alarm is never thinned out."""
    parts = np.array_split(np.arange(len(at)), min(CURVE_POINTS, len(at)))
    return tuple((float(at[p[-1]]), float(min(evidence[p].max(), 1e12))) for p in parts)


def _counts(films: Films, k: int) -> npt.NDArray[np.int64]:
    odds = log_odds(films.probabilities[:, k])
    return count(odds[np.isfinite(odds)], SCORE_EDGES)


def _rows(scores: list[Array], light: list[Array], films: Films) -> list[tuple[str, str, float | None, float]]:
    rows: list[tuple[str, str, float | None, float]] = []
    for k, name in enumerate(films.findings):
        mine = _counts(films, k).astype(np.float64)
        if mine.sum():
            rows.append(("score", name, compare.psi(scores[k], mine), compare.ks(scores[k], mine)))
    for k, (name, edges) in enumerate((("brightness", LEVEL_EDGES), ("contrast", SPREAD_EDGES))):
        column = films.light[:, NAMES.index(name)]
        mine = count(column[np.isfinite(column)], edges).astype(np.float64)
        if mine.sum():
            rows.append(("input", name, compare.psi(light[k], mine), compare.ks(light[k], mine)))
    return rows


def _population(films: Films, reference: ReferenceOut) -> PopulationOut:
    """The release's population that the scores are nearest to: a children's hospital is not held against adults."""

    def distance(population: PopulationOut) -> float:
        pairs = ((np.array(population.scores[k], float), _counts(films, k)) for k in range(len(films.findings)))
        return sum(compare.psi(expected, seen.astype(np.float64)) for expected, seen in pairs)

    return min(reference.populations, key=distance)


def _against_release(films: Films, reference: ReferenceOut) -> tuple[str, tuple[compare.Shift, ...]]:
    if not reference.populations:
        return "", ()
    near = _population(films, reference)
    scores = [np.array(row, dtype=np.float64) for row in near.scores]
    light = [np.array(near.brightness, dtype=np.float64), np.array(near.contrast, dtype=np.float64)]
    rows = _rows(scores, light, films)
    mean, covariance = np.array(near.features_mean), np.array(near.features_covariance)
    if films.places.shape[1] == len(mean) and np.isfinite(films.places).any():
        rows.append(("features", "mean", None, compare.mean_shift(mean, covariance, near.films, films.places)))
    return near.name, compare.holm(rows)


def _against_baseline(first: Films, late: Films) -> tuple[compare.Shift, ...]:
    scores = [_counts(first, k).astype(np.float64) for k in range(len(first.findings))]
    light = []
    for name, edges in (("brightness", LEVEL_EDGES), ("contrast", SPREAD_EDGES)):
        column = first.light[:, NAMES.index(name)]
        light.append(count(column[np.isfinite(column)], edges).astype(np.float64))
    rows = [*_rows(scores, light, late), *_others(first, late)]
    if first.places.shape[1]:
        rows.append(("features", "mmd", None, compare.mmd(first.places, late.places)[1]))
    return compare.holm(rows)


def _others(first: Films, late: Films) -> list[tuple[str, str, float | None, float]]:
    """Whatever else of a frame, its header and its domain is a number or a word: in tenths of the first films."""
    both = streams(first.joined(late), len(first))
    rows: list[tuple[str, str, float | None, float]] = []
    for name, values in both.items():
        kind, _, part = name.partition("/")
        if kind not in {"input", "view", "device", "domain", "pose"} or part in {"brightness", "contrast"}:
            continue
        before, after = (each[np.isfinite(each)] for each in (values[: len(first)], values[len(first) :]))
        if not len(before) or not len(after):
            continue
        # A value that many films share is a bin of its own: a word has two.
        edges = np.unique(np.quantile(before, np.linspace(0.05, 0.95, 19)))
        old, new = (
            np.bincount(
                np.searchsorted(edges, each) + np.searchsorted(edges, each, "right"), minlength=2 * len(edges) + 1
            )
            for each in (before, after)
        )
        rows.append(
            (
                kind,
                part,
                compare.psi(old.astype(float), new.astype(float)),
                compare.ks(old.astype(float), new.astype(float)),
            )
        )
    return rows


def _labels(films: Films, reference: ReferenceOut) -> tuple[Prevalence, ...]:
    found = []
    for k, name in enumerate(films.findings):
        mine = films.probabilities[:, k]
        good = mine[np.isfinite(mine)]
        calls = int((good >= reference.alerts[k]).sum())
        one = prevalence(name, calls, len(good), reference.sensitivity[k], reference.specificity[k])
        if one is not None:
            found.append(one)
    return tuple(found)


def _examples(films: Films, baseline: int, led: dict[str, float], most: int = 6) -> tuple[int, ...]:
    """Rows of the latest films that lie farthest from the baseline in the leading numbers."""
    found = streams(films, baseline)
    late = np.arange(baseline, len(films))[-300:]
    away = np.zeros(len(late))
    for name, part in led.items():
        values, before = found[name], found[name][:baseline]
        middle, spread = np.nanmean(before), np.nanstd(before) or 1.0
        away += part * np.nan_to_num(np.abs(values[late] - middle) / spread)
    return tuple(int(row) for row in late[np.argsort(-away)[:most]])
