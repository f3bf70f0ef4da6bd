"""What the promoter knows: one file in Git, `argocd/environments/promotion.json`. There is no other memory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from services.promoter.bundle import ENVIRONMENTS, FOLDER, Bundle, Image
from services.promoter.states import State

FILE = f"{FOLDER}/promotion.json"
FORMAT = 1
KEPT = 20


class BadState(ValueError):
    """The file in Git is not the promoter's; nothing is done until a person mended it."""


@dataclass(frozen=True)
class Candidate:
    """A version of the registry that asks to be promoted. `number` is the registry's, `version` the release's."""

    model: str
    number: str
    version: str
    digest: str
    precision: str

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.model} {self.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Note:
    """One step of the timeline: when, to which state, why, by whom; `record` is the key of the evidence ("": none)."""

    at: datetime
    state: State
    kind: str
    reason: str
    by: str = ""
    record: str = ""


@dataclass(frozen=True)
class Promotion:
    """One release on its way.

    `attempt` is unique among all attempts of this promoter; a gate's record belongs to one attempt. `tries` counts this
    promotion's. `base` is what ran in each environment before, to which everything returns. `exposed` counts the steps
    of exposure taken. `back_to` is where a held or interrupted promotion goes on. `failed`: the check that decided.
    """

    id: int
    candidate: Candidate
    state: State
    attempt: int
    started: datetime
    since: datetime
    base: dict[str, Bundle]
    deadline: datetime | None = None
    tries: int = 1
    exposed: int = 0
    back_to: State | None = None
    approved_by: str = ""
    approved_why: str = ""
    failed: dict[str, Any] | None = None
    timeline: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """The whole state. `generation` grows by one with every commit, `attempts` with every attempt."""

    generation: int = 0
    attempts: int = 0
    promotions: int = 0
    current: Promotion | None = None
    ended: tuple[Promotion, ...] = field(default=())

    @property
    def state(self) -> State:
        """Where the promoter stands."""
        return self.current.state if self.current else State.WAITING

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, default=_plain, ensure_ascii=False) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def read(text: str | None) -> Ledger:
    """The state of the file's `text`; a missing file is the beginning. Raises BadState."""
    if text is None:
        return Ledger()
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BadState(f"{FILE} has format {document['format']}, this promoter knows {FORMAT}")
        current = document["current"]
        return Ledger(
            int(document["generation"]),
            int(document["attempts"]),
            int(document["promotions"]),
            None if current is None else _promotion(current),
            tuple(_promotion(each) for each in document["ended"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadState):
            raise
        raise BadState(
            f"{FILE} can't be read ({type(error).__name__}: {error}); revert it to its last commit"
        ) from error


def _promotion(of: dict[str, Any]) -> Promotion:
    bundles = {name: _bundle(of["base"][name]) for name in ENVIRONMENTS}
    made = {
        **of,
        "candidate": Candidate(**of["candidate"]),
        "state": State(of["state"]),
        "started": _moment(of["started"]),
        "since": _moment(of["since"]),
        "base": bundles,
        "deadline": None if of["deadline"] is None else _moment(of["deadline"]),
        "back_to": None if of["back_to"] is None else State(of["back_to"]),
        "timeline": tuple(
            Note(**{**note, "at": _moment(note["at"]), "state": State(note["state"])}) for note in of["timeline"]
        ),
    }
    return Promotion(**made)


def _bundle(of: dict[str, Any]) -> Bundle:
    return Bundle(**{**of, "images": tuple(Image(**image) for image in of["images"])})


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment
