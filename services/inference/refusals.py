"""What the core raises, as the problem that a caller is told: one list for HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from hilum.imaging import BadFilm
from hilum.problems import Problem
from services.inference.scorer import ModelFailed, NotScorable
from services.inference.tensors import BadTensor, UnknownModel
from services.inference.work import Busy, Reason

log = structlog.get_logger("hilum.inference")

_BUSY: dict[Reason, str] = {
    "full": "Every worker is taken and the queue is full",
    "deadline": "So much waits already that this would not be answered in time",
    "late": "It waited too long to be answered in time",
    "turns": "The queue is full, and other senders had their turn first",
    "draining": "This process is ending; another one answers soon",
}


def _busy(error: Busy) -> Problem:
    headers = {"Retry-After": str(error.retry_after_seconds)}
    return Problem(503, "busy", f"{_BUSY[error.reason]}; send it again.", headers=headers, reason=error.reason)


def _failed(error: ModelFailed) -> Problem:
    log.exception("the model failed", exc_info=error)
    detail = f"The model could not be run ({error}); send the film again. If this goes on, see the service's log."
    return Problem(503, "model-failed", detail, headers={"Retry-After": "5"})


_PROBLEMS: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda error: error,
    BadFilm: lambda error: Problem(error.status, error.kind, str(error)),
    ModelFailed: _failed,
    NotScorable: lambda error: Problem(422, "not-scorable", str(error)),
    BadTensor: lambda error: Problem(400, "bad-tensor", str(error)),
    UnknownModel: lambda error: Problem(404, "unknown-model", str(error.args[0])),
    Busy: _busy,
}


def problem_of(error: Exception) -> Problem | None:
    """The problem that `error` is; None where it is unexpected."""
    return next((make(error) for kind, make in _PROBLEMS.items() if isinstance(error, kind)), None)
