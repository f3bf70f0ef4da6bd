"""Checks of a gate as drawings: a measured value with its interval, against its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WIDTH, EDGE = 200.0, 6.0


@dataclass(frozen=True)
class Interval:
    """One check. Places are pixels from the left; None where there is nothing to draw there."""

    name: str
    metric: str
    about: str
    verdict: str
    reason: str
    n: int
    value: float | None
    bound: float | None
    low: float | None
    high: float | None
    at: float | None
    bound_at: float | None
    from_at: float | None
    to_at: float | None

    @property
    def says(self) -> str:
        """The drawing in words."""
        if self.value is None:
            return f"{self.metric}: no figure"
        span = "" if self.low is None or self.high is None else f", {figure(self.low)} to {figure(self.high)}"
        bound = "" if self.bound is None else f"; bound {figure(self.bound)}"
        return f"{self.metric} {figure(self.value)}{span}{bound}"


def figure(value: float | None) -> str:
    """Four digits; a dash where there is no number."""
    return "–" if value is None else f"{value:.4g}"


def interval(check: dict[str, Any]) -> Interval:
    """The drawing of one check of a record."""
    value, bound, low, high = (check.get(key) for key in ("value", "bound", "low", "high"))
    there = [each for each in (value, bound, low, high) if each is not None]
    least, most = (min(there), max(there)) if there else (0.0, 0.0)

    def place(each: float | None) -> float | None:
        if each is None or value is None:
            return None
        share = 0.5 if most <= least else (each - least) / (most - least)
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)

    about = " at ".join(part for part in (check.get("finding"), check.get("site")) if part)
    return Interval(
        str(check["name"]), str(check["metric"]), about, str(check["verdict"]), str(check["reason"]), int(check["n"]),
        value, bound, low, high, place(value), place(bound), place(low), place(high),
    )  # fmt: skip


def intervals(record: dict[str, Any] | None) -> list[Interval]:
    """All checks of a record: what failed first, what is only reported last."""
    order = {"fail": 0, "error": 1, "inconclusive": 2, "pass": 3, "reported": 4}
    checks = [] if record is None else record["checks"]
    return [interval(each) for each in sorted(checks, key=lambda c: order.get(c["verdict"], 5))]
