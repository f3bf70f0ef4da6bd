"""What a network in training tells of itself; one line of JSON each where it is told across processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Stepped:
    """`step` of `steps` is done; `loss` is smoothed over about fifty steps."""

    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class EpochEnded:
    """Figures by metric name ("auroc/<finding>" among them) of epoch number `epoch`, which ended with `step`."""

    epoch: int
    step: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Noted:
    """A line for the person who waits."""

    text: str


@dataclass(frozen=True)
class Failed:
    """Training ended with an error that another try would meet again."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The network is done and stands in its file."""

    steps: int


Event = Stepped | EpochEnded | Noted | Failed | Ended
Listener = Callable[[Event], None]
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in (Stepped, EpochEnded, Noted, Failed, Ended)}


def line_of(event: Event) -> str:
    """One line of JSON, with its end."""
    return json.dumps({"kind": type(event).__name__} | asdict(event)) + "\n"


def event_of(line: str) -> Event:
    """The event of a line."""
    fields = json.loads(line)
    return _KINDS[fields.pop("kind")](**fields)


def ignore(event: Event) -> None:
    """Nobody listens."""
