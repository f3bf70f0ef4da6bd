"""What the core raises, as the problem that a caller is told: one list for HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hilum.imaging import BadFilm
from hilum.problems import Problem
from services.inference.scorer import NotScorable
from services.inference.tensors import BadTensor, UnknownModel
from services.inference.work import Busy

_BUSY = "Every worker is taken and the queue is full; send the film again."
_PROBLEMS: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda error: error,
    BadFilm: lambda error: Problem(error.status, error.kind, str(error)),
    NotScorable: lambda error: Problem(422, "not-scorable", str(error)),
    BadTensor: lambda error: Problem(400, "bad-tensor", str(error)),
    UnknownModel: lambda error: Problem(404, "unknown-model", str(error.args[0])),
    Busy: lambda _: Problem(503, "busy", _BUSY, headers={"Retry-After": "1"}),
}


def problem_of(error: Exception) -> Problem | None:
    """The problem that `error` is; None where it is unexpected."""
    return next((make(error) for kind, make in _PROBLEMS.items() if isinstance(error, kind)), None)
