"""`python -m bench.drift`: how soon `hilum drift` sees a change, how often it cries wolf; docs/benchmarks/drift.csv.

Real NIH films of calibration and validation patients, drawn with replacement: so many for the baseline, then a change.
A film's header says AP or PA except where the row says that it is silent.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.drift_films import CHANGES, Pool, pool_of
from bench.drift_plot import draw
from bench.machine import describe
from hilum.drift.films import Films, streams
from hilum.drift.sequential import Watched, watch
from hilum.drift.site import MARGIN
from hilum.release import read_release

ROOT = Path(__file__).resolve().parent.parent
MONTH = 30 * 740
# As the service has it by default: a month between alarms is what is wanted, and the margin is what shows it.
THRESHOLD = int(MARGIN * MONTH)
BASELINE, AFTER, WITHIN = 2220, 3000, 300
HEAD = (
    "change",
    "runs",
    "median films to the alarm",
    "90 % within",
    "found in 300",
    "least by perfect labels",
    "what paid",
)
Draw = Callable[[np.random.Generator, int], Films]


def drawn(films: Films, weights: npt.NDArray[np.float64] | None = None) -> Draw:
    """Films drawn with replacement, evenly or by `weights` (N,)."""
    shares = None if weights is None else weights / weights.sum()
    return lambda chance, n: films.take(chance.choice(len(films), n, p=shares))


def mixed(films: Films, others: Films, share: float) -> Draw:
    """`share` of them from another population, in chance's order."""

    def draw(chance: np.random.Generator, n: int) -> Films:
        other = chance.random(n) < share
        both = films.joined(others)
        rows = chance.integers(len(films), size=n)
        rows[other] = len(films) + chance.integers(len(others), size=int(other.sum()))
        return both.take(rows)

    return draw


def raised(mask: npt.NDArray[np.bool_], times: float) -> npt.NDArray[np.float64]:
    """Weights that make the share of `mask` (N,) `times` as large."""
    share = mask.mean()
    return np.where(mask, times, (1 - times * share) / (1 - share)).astype(np.float64)


def silent(films: Films) -> Films:
    """The same without a view in the header."""
    return replace(films, view=np.full(len(films), "", dtype=np.str_))


def least(before: float, after: float) -> int:
    """Films that the best detector of all needs on average (Lorden 1971) if it is told of each film, without error,
    whether it is of the kind whose share goes from `before` to `after`: log(time between alarms) / divergence.
    """
    parts = ((after, before), (1 - after, 1 - before))
    return round(float(np.log(MONTH) / sum(q * np.log(q / p) for q, p in parts)))


def scenarios(pool: Pool) -> dict[str, tuple[Films, Draw, int | None]]:
    """Change -> the films before it, how those after it are drawn, and `least` where a share is what changes."""
    before = pool.films["as it is"]
    found: dict[str, tuple[Films, Draw, int | None]] = {
        name: (before, drawn(pool.films[name]), None) for name in CHANGES if name != "as it is"
    }
    frontal = before.view == "AP"
    share = frontal.mean()
    for times in (1.5, 2.0):
        weights = raised(frontal, times)
        name = f"AP views {share:.0%} to {times * share:.0%}"
        bound = least(share, times * share)
        found[name] = (before, drawn(before, weights), bound)
        found[f"{name}, header silent"] = (silent(before), drawn(silent(before), weights), bound)
    for part in (0.1, 0.25, 0.5):
        found[f"children, {part:.0%} of films"] = (
            silent(before),
            mixed(silent(before), silent(pool.children), part),
            None,
        )
    positive = pool.labels == 1
    for name in ("Effusion", "Pneumothorax"):
        mask = positive[:, before.findings.index(name)]
        found[f"{name} {mask.mean():.1%} to {2 * mask.mean():.1%}"] = (
            before,
            drawn(before, raised(mask, 2.0)),
            least(mask.mean(), 2 * mask.mean()),
        )
    some = positive.any(axis=1)
    top = min(2.0, 0.95 / some.mean())
    found[f"any finding {some.mean():.0%} to {top * some.mean():.0%}"] = (
        before,
        drawn(before, raised(some, top)),
        least(some.mean(), top * some.mean()),
    )
    return found


def one_run(before: Draw, after: Draw, seed: int, threshold: float, length: int) -> Watched:
    """A baseline, then the change, until the first alarm."""
    chance = np.random.default_rng(seed)
    films = before(chance, BASELINE).joined(after(chance, length))
    return watch(streams(films, BASELINE), films.strata, BASELINE, threshold, seed=seed, stop=True)


def _delays(before: Draw, after: Draw, runs: int) -> tuple[list[int], dict[str, float]]:
    delays: list[int] = []
    shares: dict[str, float] = {}
    for seed in range(runs):
        seen = one_run(before, after, seed, THRESHOLD, AFTER)
        delays.append(AFTER + 1 if seen.alarm_at is None else seen.alarm_at + 1)
        for name, part in seen.shares.items():
            shares[name] = shares.get(name, 0.0) + part / runs
    return delays, shares


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description=__doc__)
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--films", type=int, default=1000, help="real films behind the simulation")
    parser.add_argument("--runs", type=int, default=20, help="runs of each change")
    parser.add_argument("--only", choices=("changes", "months"), help="one of the two alone, its own file")
    parser.add_argument("--months", type=int, default=40, help="months of 22,200 films without a change")
    parser.add_argument("--cache", type=Path, default=ROOT / "data" / "drift-films.npz", help="scores, computed once")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "drift.csv")
    chosen = parser.parse_args()
    chosen.cache.parent.mkdir(parents=True, exist_ok=True)
    release = read_release(chosen.release)
    pool = pool_of(release, chosen.data, chosen.films, chosen.cache)
    which = f"{release.manifest.name} {release.manifest.version}; {chosen.films} films; threshold {THRESHOLD} films"
    if chosen.only != "months":
        rows = _changes(pool, chosen.runs)
        _keep(chosen.out, which, HEAD, rows)
        draw(chosen.out, chosen.out.parent.parent / "images" / "drift-delays.png", WITHIN, AFTER)
    if chosen.only != "changes":
        steady = drawn(pool.films["as it is"])
        seen = [one_run(steady, steady, 1000 + k, THRESHOLD, MONTH) for k in range(chosen.months)]
        months = [(k, "" if each.alarm_at is None else each.alarm_at + 1) for k, each in enumerate(seen)]
        print(sum(1 for _, film in months if film), "of", len(months), "months with an alarm")  # noqa: T201
        _keep(chosen.out.with_name("drift-false-alarms.csv"), which, ("month", "film of the false alarm"), months)


def _changes(pool: Pool, runs: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, (before, after, bound) in scenarios(pool).items():
        delays, shares = _delays(drawn(before), after, runs)
        within = float(np.mean(np.array(delays) <= WITHIN))
        middle, late = (int(np.quantile(delays, q, method="higher")) for q in (0.5, 0.9))
        led = sorted(shares.items(), key=lambda item: -item[1])[:3]
        plain = [f"over {AFTER}" if n > AFTER else n for n in (middle, late)]
        rows.append((name, runs, *plain, round(within, 3), bound, "; ".join(f"{k} {v:.0%}" for k, v in led)))
        print(*rows[-1], sep=" | ", flush=True)  # noqa: T201
    return rows


def _keep(path: Path, which: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([f"# {which}; {describe()}"])
        writer.writerow(head)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
