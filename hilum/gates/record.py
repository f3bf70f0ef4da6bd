"""The record of one judgement: one document per environment and attempt, kept whatever came out of it.

It is canonical JSON (sorted keys, no spaces, UTF-8, numbers finite), so that the same judgement always has the same
digest. The promoter, the page and the HTML read this format and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, cast, get_args

Verdict = Literal["pass", "fail", "inconclusive", "error"]
# A check that is "reported" is shown and counts for nothing: too few positives to be asked at all.
CheckVerdict = Literal["pass", "fail", "inconclusive", "error", "reported"]
Environment = Literal["staging", "canary", "production"]
FORMAT = 1


class BadRecord(ValueError):
    """Not a gate record; the text says what is wrong with it."""


@dataclass(frozen=True)
class Check:
    """One question of a gate and its answer.

    `value` is the `metric` that was measured (None: it could not be), with its interval `low` to `high` where one was
    made, `bound` what it is held against, `n` the films, studies, requests or reads behind it. `finding` and `site` are
    None where the question is about all of them. `reason` is a sentence for people.
    """

    name: str
    metric: str
    verdict: CheckVerdict
    reason: str
    value: float | None = None
    bound: float | None = None
    n: int = 0
    finding: str | None = None
    site: str | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """A number that is none is no measurement: it can't pass and it can't fail."""
        for name in ("value", "bound", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                object.__setattr__(self, name, None)
                if name != "bound" and self.verdict == "pass":
                    object.__setattr__(self, "verdict", "inconclusive")
                    object.__setattr__(self, "reason", f"{name} is not a number: {self.reason}")


def combine(checks: Iterable[Check]) -> Verdict:
    """Any fail is a fail; else any error an error; else any inconclusive, or no check at all, inconclusive."""
    said = {check.verdict for check in checks} - {"reported"}
    for verdict in ("fail", "error", "inconclusive"):
        if verdict in said:
            return cast(Verdict, verdict)
    return "pass" if said else "inconclusive"


@dataclass(frozen=True)
class GateRecord:
    """What was judged, by which plan, when, and what came out.

    `release` and `active` are digests: the candidate, and what it is held against ("" where nothing was there).
    `attempt` counts from 1. `started` and `ended` have a zone. `verdict` always follows from `checks` by `combine`.
    `figures` is what the plots of the HTML record are drawn from (curves, histograms, times): plain JSON values.
    """

    environment: Environment
    release: str
    active: str
    attempt: int
    plan: str
    plan_digest: str
    started: datetime
    ended: datetime
    checks: tuple[Check, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def verdict(self) -> Verdict:
        """What the checks say together."""
        return combine(self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences: of the checks that decided. A pass says how many were asked."""
        verdict = self.verdict
        if verdict == "pass":
            return (f"all {sum(c.verdict == 'pass' for c in self.checks)} checks passed",)
        decided = [c for c in self.checks if c.verdict == verdict]
        return tuple(sentence(c) for c in decided) or ("nothing was asked",)

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode("utf-8")).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON, with the verdict and its reasons beside what they follow from."""
        document = {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat(),
            "checks": [asdict(check) for check in self.checks],
            "verdict": self.verdict,
            "reasons": list(self.reasons),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> GateRecord:
        """The record of `text`; raises BadRecord where it is none, or says a verdict that its checks don't give."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise BadRecord(f"format {document['format']} is not {FORMAT}, the one that is known here")
            said = document.pop("verdict")
            document.pop("reasons")
            checks = tuple(_check(one) for one in document.pop("checks"))
            record = cls(
                **{
                    **document,
                    "started": datetime.fromisoformat(document["started"]),
                    "ended": datetime.fromisoformat(document["ended"]),
                    "checks": checks,
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, BadRecord):
                raise
            raise BadRecord(f"not a gate record: {type(error).__name__}: {error}") from error
        if record.environment not in get_args(Environment):
            raise BadRecord(f"no such environment: {record.environment!r}")
        if record.verdict != said:
            raise BadRecord(f"the record says {said!r} and its checks say {record.verdict!r}")
        return record


def _check(document: dict[str, Any]) -> Check:
    if document.get("verdict") not in get_args(CheckVerdict):
        raise BadRecord(f"no such verdict: {document.get('verdict')!r}")
    return Check(**document)


def sentence(check: Check) -> str:
    """One line for people: `sensitivity of Edema: -0.071, bound -0.050, n 412 (worse by more than the margin)`."""
    of = f" of {check.finding}" if check.finding else ""
    at = f" at {check.site}" if check.site else ""
    numbers = [f"{check.name}{of}{at}: {check.metric}"]
    numbers[0] += " unknown" if check.value is None else f" {check.value:.4g}"
    if check.bound is not None:
        numbers.append(f"bound {check.bound:.4g}")
    if check.n:
        numbers.append(f"n {check.n}")
    return f"{', '.join(numbers)} ({check.reason})"


def rejected_tag(record: GateRecord) -> str:
    """The `rejected` tag of a model version: JSON {environment, metric, finding, value, bound, n, reason, record}.

    The first check that failed decides. Raises ValueError where the record is no failure: nothing else rejects.
    """
    failed = [check for check in record.checks if check.verdict == "fail"]
    if not failed:
        raise ValueError(f"a record that says {record.verdict} rejects nothing")
    first = failed[0]
    return json.dumps(
        {
            "environment": record.environment,
            "check": first.name,
            "metric": first.metric,
            "finding": first.finding,
            "value": first.value,
            "bound": first.bound,
            "n": first.n,
            "reason": first.reason,
            "failed": len(failed),
            "record": record.digest,
        },
        sort_keys=True,
        ensure_ascii=False,
    )
