"""The paired figures: agreement, shift, band moves, and both releases against what readers said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.evidence.columns import NOT_JUDGED, Labels, Pairs, Reading
from hilum.evidence.resample import Area, Array, Figure, Ratio, Sample, figure

F32 = npt.NDArray[np.float32]
BANDS = ("critical", "urgent", "routine")
SIDES = ("sensitivity", "specificity")


@dataclass(frozen=True)
class FindingFigures:
    """One finding over studies that both scored. `shift` is shadow minus live, in probability."""

    name: str
    alert_agreement: Figure
    rule_out_agreement: Figure
    shift: Figure
    alerts_live: int
    alerts_shadow: int


@dataclass(frozen=True)
class BandMoves:
    """`table[live band][shadow band]` in studies, bands in the order critical, urgent, routine."""

    table: list[list[int]]
    moved: Figure
    critical_lost: Figure
    critical_gained: Figure


@dataclass(frozen=True)
class Against:
    """Both releases in one figure against the reads, and shadow minus live, paired."""

    live: float | None
    shadow: float | None
    difference: Figure


@dataclass(frozen=True)
class ReadFinding:
    """One finding against reads; blank and uncertain labels count for nothing."""

    name: str
    present: int
    absent: int
    uncertain: int
    present_patients: int
    absent_patients: int
    sensitivity: Against
    specificity: Against
    auroc: Against


@dataclass(frozen=True)
class ReadFigures:
    """`blank_share`: of the labels of studies that were read. Means are over `judged`, with enough patients.

    Reads that are not blind were made with the shown answer in view: they favour the release that was shown.
    """

    studies: int
    patients: int
    blank_share: float | None
    uncertain_share: float | None
    findings: tuple[ReadFinding, ...]
    judged: tuple[str, ...]
    mean_sensitivity_difference: Figure
    mean_specificity_difference: Figure
    mean_auroc_difference: Figure


@dataclass(frozen=True)
class Evidence:
    """Every figure of one call; intervals at `level`, clustered by patient."""

    studies: int
    patients: int
    level: float
    not_scored_live: int
    not_scored_shadow: int
    not_scored_shadow_alone: Figure
    study_agreement: Figure
    mean_alert_agreement: Figure
    findings: tuple[FindingFigures, ...]
    bands: BandMoves
    reads: dict[str, ReadFigures]


def collect(
    pairs: Pairs, *, draws: int = 400, seed: int = 11, alpha: float = 0.05, min_positives: int = 15
) -> Evidence:
    """All figures of `pairs`; time grows with studies x findings x draws."""
    codes, place = np.unique(pairs.patients, return_inverse=True)
    sample = Sample(place.astype(np.int64), len(codes))
    no_live = np.asarray(~np.isfinite(pairs.live).all(axis=1))
    no_shadow = np.asarray(~np.isfinite(pairs.shadow).all(axis=1))
    both = np.asarray(~(no_live | no_shadow)) if pairs.findings else np.zeros(len(place), dtype=np.bool_)
    _ask_pairs(sample, pairs, both, no_live, no_shadow)
    for kind, labels in pairs.reads.items():
        _ask_reads(sample, pairs, both, kind, labels)
    drawn = sample.drawn(draws, seed)
    say = _Say(sample, drawn, alpha)
    mean = [f"alert {k}" for k in range(len(pairs.findings))]
    return Evidence(
        studies=len(place),
        patients=len(codes),
        level=round(1 - alpha, 6),
        not_scored_live=int(no_live.sum()),
        not_scored_shadow=int(no_shadow.sum()),
        not_scored_shadow_alone=say.ratio("not scored"),
        study_agreement=say.ratio("study"),
        mean_alert_agreement=say.mean(mean),
        findings=tuple(
            FindingFigures(
                name,
                say.ratio(f"alert {k}"),
                say.ratio(f"rule-out {k}"),
                say.ratio(f"shift {k}"),
                int((pairs.live[both, k] >= pairs.live_points[k, 1]).sum()),
                int((pairs.shadow[both, k] >= pairs.shadow_points[k, 1]).sum()),
            )
            for k, name in enumerate(pairs.findings)
        ),
        bands=_bands(pairs, say),
        reads={
            kind: _reads(pairs, both, kind, labels, place, say, min_positives) for kind, labels in pairs.reads.items()
        },
    )


class _Say:
    """Questions to figures."""

    def __init__(self, sample: Sample, drawn: dict[str, Array], alpha: float) -> None:
        self.sample, self.drawn, self.alpha = sample, drawn, alpha

    def ratio(self, name: str, patients: int | None = None) -> Figure:
        """The figure of a ratio; `patients` behind it where they are not those of its whole."""
        ratio = self.sample.ratios[name]
        counted = ratio.whole > 0
        count = len(np.unique(self.sample.place[counted])) if patients is None else patients
        drawn = self.drawn.get(name, np.zeros(0))
        return figure(float(self.sample.values(name)[0]), drawn, int(counted.sum()), count, self.alpha)

    def mean(self, names: list[str]) -> Figure:
        """The mean over several ratios, or over differences of areas; those that a draw can't give are left out."""
        if not names or any(name not in self.drawn for name in names):
            return Figure(None, None, None, 0)
        drawn_of = [self.drawn[name] for name in names]
        columns = np.stack([found if found.ndim == 1 else found[:, 2] for found in drawn_of])
        values = np.array([self.sample.values(name)[-1] for name in names])
        held = np.isfinite(columns).sum(axis=0)
        drawn = np.nansum(columns, axis=0) / np.where(held > 0, held, np.nan)
        counted = [
            self.sample.place[self.sample.ratios[n].whole > 0] if n in self.sample.ratios
            else self.sample.place[self.sample.areas[n].rows]
            for n in names
        ]  # fmt: skip
        patients = min(len(np.unique(places)) for places in counted)
        value = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        return figure(value, drawn, max(len(places) for places in counted), patients, self.alpha)


def _ask_pairs(
    sample: Sample,
    pairs: Pairs,
    both: npt.NDArray[np.bool_],
    no_live: npt.NDArray[np.bool_],
    no_shadow: npt.NDArray[np.bool_],
) -> None:
    whole = both.astype(np.float32)
    every = np.ones(len(both), dtype=np.float32)
    same_everywhere = both.copy()
    for k in range(len(pairs.findings)):
        for point, name in ((1, "alert"), (0, "rule-out")):
            same = (pairs.live[:, k] >= pairs.live_points[k, point]) == (
                pairs.shadow[:, k] >= pairs.shadow_points[k, point]
            )
            sample.ratios[f"{name} {k}"] = Ratio((same & both).astype(np.float32), whole)
            if point == 1:
                same_everywhere &= same
        shift = np.where(both, pairs.shadow[:, k] - pairs.live[:, k], 0).astype(np.float32)
        sample.ratios[f"shift {k}"] = Ratio(shift, whole)
    sample.ratios["study"] = Ratio(same_everywhere.astype(np.float32), whole)
    sample.ratios["not scored"] = Ratio((no_shadow & ~no_live).astype(np.float32), every)
    sample.ratios["moved"] = Ratio((pairs.live_band != pairs.shadow_band).astype(np.float32), every)
    lost = (pairs.live_band == 0) & (pairs.shadow_band != 0)
    gained = (pairs.live_band != 0) & (pairs.shadow_band == 0)
    sample.ratios["critical lost"] = Ratio(lost.astype(np.float32), every)
    sample.ratios["critical gained"] = Ratio(gained.astype(np.float32), every)


def _bands(pairs: Pairs, say: _Say) -> BandMoves:
    table = np.zeros((len(BANDS), len(BANDS)), dtype=np.int64)
    np.add.at(table, (pairs.live_band.astype(np.int64), pairs.shadow_band.astype(np.int64)), 1)
    return BandMoves(
        table.tolist(), say.ratio("moved"), say.ratio("critical lost"), say.ratio("critical gained")
    )  # fmt: skip


def _ask_reads(sample: Sample, pairs: Pairs, both: npt.NDArray[np.bool_], kind: Reading, labels: Labels) -> None:
    for k in range(len(pairs.findings)):
        live = pairs.live[:, k] >= pairs.live_points[k, 1]
        shadow = pairs.shadow[:, k] >= pairs.shadow_points[k, 1]
        present, absent = both & (labels[:, k] == 1), both & (labels[:, k] == 0)
        for side, there, ours, theirs in (
            ("sensitivity", present, live, shadow),
            ("specificity", absent, ~live, ~shadow),
        ):
            whole = there.astype(np.float32)
            key = f"{kind} {side} {k}"
            sample.ratios[f"{key} live"] = Ratio((there & ours).astype(np.float32), whole)
            sample.ratios[f"{key} shadow"] = Ratio((there & theirs).astype(np.float32), whole)
            sample.ratios[key] = Ratio(
                (there & theirs).astype(np.float32), whole, minus=(there & ours).astype(np.float32)
            )
        rows = np.flatnonzero(present | absent)
        if present.any() and absent.any():
            sample.areas[f"{kind} auroc {k}"] = Area(
                rows.astype(np.int64), present[rows], pairs.live[rows, k], pairs.shadow[rows, k]
            )


def _reads(
    pairs: Pairs,
    both: npt.NDArray[np.bool_],
    kind: str,
    labels: Labels,
    place: npt.NDArray[np.int64],
    say: _Say,
    min_positives: int,
) -> ReadFigures:
    read = both & (labels != NOT_JUDGED).any(axis=1)
    found, judged = [], []
    for k, name in enumerate(pairs.findings):
        one = _read_finding(both, f"{kind} {{}} {k}", name, labels[:, k], place, say)
        found.append(one)
        if min(one.present_patients, one.absent_patients) >= min_positives:
            judged.append(k)
    asked = labels[read]
    total = asked.size
    return ReadFigures(
        studies=int(read.sum()),
        patients=len(np.unique(place[read])),
        blank_share=round(float((asked == NOT_JUDGED).sum()) / total, 6) if total else None,
        uncertain_share=round(float((asked == -1).sum()) / total, 6) if total else None,
        findings=tuple(found),
        judged=tuple(pairs.findings[k] for k in judged),
        mean_sensitivity_difference=say.mean([f"{kind} sensitivity {k}" for k in judged]),
        mean_specificity_difference=say.mean([f"{kind} specificity {k}" for k in judged]),
        mean_auroc_difference=say.mean([f"{kind} auroc {k}" for k in judged]),
    )


def _read_finding(
    both: npt.NDArray[np.bool_], key: str, name: str, labels: Labels, place: npt.NDArray[np.int64], say: _Say
) -> ReadFinding:
    present, absent = both & (labels == 1), both & (labels == 0)
    sides = {}
    for side in SIDES:
        plain = [say.ratio(f"{key.format(side)} {which}").value for which in ("live", "shadow")]
        sides[side] = Against(plain[0], plain[1], say.ratio(key.format(side)))
    patients = len(np.unique(place[present])), len(np.unique(place[absent]))
    return ReadFinding(
        name=name,
        present=int(present.sum()),
        absent=int(absent.sum()),
        uncertain=int((both & (labels == -1)).sum()),
        present_patients=patients[0],
        absent_patients=patients[1],
        sensitivity=sides["sensitivity"],
        specificity=sides["specificity"],
        auroc=_area(key.format("auroc"), say, min(patients)),
    )


def _area(name: str, say: _Say, patients: int) -> Against:
    if name not in say.sample.areas:
        return Against(None, None, Figure(None, None, None, 0))
    live, shadow, difference = (float(x) for x in say.sample.values(name))
    drawn = say.drawn[name][:, 2]
    n = len(say.sample.areas[name].rows)
    return Against(round(live, 6), round(shadow, 6), figure(difference, drawn, n, patients, say.alpha))
