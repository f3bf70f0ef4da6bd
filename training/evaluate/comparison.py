"""What a comparison of two releases is made of: the plan, one judged figure, the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from training.evaluate.film_set import COMPOSITE

Verdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Plan:
    """What is fixed before any film is looked at. `names` are the columns; COMPOSITE among them is the critical one.

    `margin`: how much the primary figures may lose; `finding_margin`: a single finding, judged from `positives` films.
    """

    names: tuple[str, ...]
    margin: float = 0.02
    finding_margin: float = 0.05
    positives: int = 50
    draws: int = 2000
    seed: int = 11

    def __post_init__(self) -> None:
        """Check the plan."""
        if len(set(self.names)) != len(self.names) or not any(n != COMPOSITE for n in self.names):
            raise ValueError("a plan names each column once, and at least one finding")
        if not (0 < self.margin < 0.5 and 0 < self.finding_margin < 0.5 and self.draws >= 100 and self.positives >= 2):
            raise ValueError("a plan has margins within 0..0.5, at least 100 draws and 2 positive films")


@dataclass(frozen=True)
class Judged:
    """B against A in one figure. `difference` is B minus A; `low`, `high` its 95 % interval, clustered by patient.

    `detectable`: the smallest true difference that these films show with 80 % power; `power_if_equal`: the chance to
    pass where both are equally good. `p_holm` is of "worse than the margin", adjusted over the findings.
    """

    name: str
    films: int
    positives: int
    positive_patients: int
    auroc_a: float
    auroc_b: float
    difference: float
    low: float
    high: float
    error: float
    margin: float
    verdict: Verdict
    reason: str
    detectable: float
    power_if_equal: float
    p_holm: float | None = None
    delong: dict[str, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """The whole comparison: `verdict` in one word, `primary` and `findings` in detail, `plan` as it was fixed."""

    verdict: Verdict
    reason: str
    primary: tuple[Judged, ...]
    findings: tuple[Judged, ...]
    plan: Plan
    films: int
    patients: int
    releases: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    def text(self) -> str:
        """The verdict in plain lines."""
        head = f"{self.verdict.upper()}: {self.reason} ({self.films} films of {self.patients} patients)"
        rows = [
            f"{j.verdict:>12}  {j.name}: {j.auroc_a:.4f} -> {j.auroc_b:.4f}, difference {j.difference:+.4f} "
            f"({j.low:+.4f} to {j.high:+.4f}), margin {j.margin:.2f}, {j.positives} positive films; {j.reason}; "
            f"detectable with 80 % power: {j.detectable:.4f}"
            for j in (*self.primary, *self.findings)
        ]
        return "\n".join([head, *rows])
