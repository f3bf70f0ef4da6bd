"""What the service layer gives to the JSON API and to the pages: frozen, and already without what a blind reader
must not see yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Warned:
    """A header or pixel defect, or a conflict in words. `film_uid` is None where it concerns the whole study."""

    code: str
    text: str
    film_uid: str | None = None


@dataclass(frozen=True)
class ClaimView:
    """Who reads a study now. `mine`: the reader who asks; renewing a claim does not make its line another one."""

    reader: str
    mine: bool
    claimed_at: datetime = field(repr=False)
    expires_at: datetime = field(repr=False)


@dataclass(frozen=True)
class ClosedView:
    """A study that was reported elsewhere: who said so and why."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class StudyRow:
    """One line of the worklist. `blind`: the answer is withheld until this reader's read is kept, so `band`, `score`,
    `reason` and `due_at` are None. `first_film_uid` is the film whose thumbnail stands for the study. `skipped_by` is
    a number of readers; `escalated`: too many passed it over.
    """

    uid: str
    accession: str
    accession_issuer: str
    patient_id: str
    site: str
    priority: str
    location: str
    status: str
    band: str | None
    score: float | None
    reason: str | None
    arrived_at: datetime
    due_at: datetime | None
    last_read_at: datetime | None
    reopened: bool
    answer_version: int
    film_count: int
    first_film_uid: str
    warning_count: int
    conflict_count: int
    blind: bool
    synthetic: bool
    claim: ClaimView | None
    closed: ClosedView | None
    skipped_by: int
    escalated: bool


@dataclass(frozen=True)
class StudyPage:
    """A page of the list; `next_cursor` is None at the end. `truncated`: the searched text is too short to say which
    studies are meant, and only some of those that fit are listed.
    """

    studies: tuple[StudyRow, ...]
    next_cursor: str | None
    truncated: bool = False


@dataclass(frozen=True)
class FilmView:
    """A film as the reader sees it. `state`: waiting, scored, not_scored or withdrawn (`reason` says why)."""

    uid: str
    number: int
    file_name: str
    media_type: str
    view: str
    width: int
    height: int
    bits: int
    lossy: bool
    byte_count: int
    sha256: str
    arrived_at: datetime
    state: str
    reason: str | None
    warnings: tuple[Warned, ...]


@dataclass(frozen=True)
class CodeView:
    """A coded concept."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class NamedFinding:
    """A finding that can be labelled, in the release's order; no score in it."""

    name: str
    code: CodeView
    acute: bool
    established: bool


@dataclass(frozen=True)
class ReleaseView:
    """Which release answered."""

    name: str
    version: str
    digest: str
    precision: str


@dataclass(frozen=True)
class AnsweredFinding:
    """One finding of an answer: the maximum over films; `film_uid` is the film that gave it."""

    name: str
    code: CodeView
    probability: float
    rule_out: float
    alert: float
    present: bool
    established: bool
    film_uid: str


@dataclass(frozen=True)
class AnswerView:
    """A release's output for the study, findings in the release's order."""

    version: int
    release: ReleaseView
    findings: tuple[AnsweredFinding, ...]
    made_at: datetime


@dataclass(frozen=True)
class ConflictView:
    """A refused film that claimed to be one of this study's."""

    film_uid: str
    file_name: str
    sha256: str
    difference: str
    seen_at: datetime


@dataclass(frozen=True)
class ReadView:
    """A read as kept. `delivered`: feedback's ledger has it; `refused`: why feedback would not take it."""

    id: str
    study_uid: str
    version: int
    reader: str
    labels: dict[str, int | None]
    answer_version: int
    release_digest: str | None
    blind: bool
    read_at: datetime
    seconds_spent: float | None
    comment: str
    delivered: bool
    refused: str | None
    kind: str = "read"
    replaces: str | None = None
    withdrawn: bool = False


@dataclass(frozen=True)
class ReviewView:
    """A study's second read. `state`: wanted, agreed, conflict or settled; `differs` names the findings in dispute."""

    why: str
    asked_by: str
    asked_at: datetime
    note: str
    state: str
    differs: tuple[str, ...]


@dataclass(frozen=True)
class TrialView:
    """A study whose live answer is, or was, canary's: the release on trial, and why production's took over."""

    release_digest: str
    decided_at: datetime
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class StudyDetail:
    """Everything of one study that this reader may see. `findings` are those that can be labelled now.

    `own_version` is the version of this reader's last read, 0: none. `second`: this reader is asked for a second read.
    """

    study: StudyRow
    films: tuple[FilmView, ...]
    findings: tuple[NamedFinding, ...]
    answer: AnswerView | None
    warnings: tuple[Warned, ...]
    conflicts: tuple[ConflictView, ...]
    reads: tuple[ReadView, ...]
    trial: TrialView | None = None
    review: ReviewView | None = None
    own_version: int = 0
    second: bool = False


@dataclass(frozen=True)
class Summary:
    """Counts over unread studies. A study that is blind to this reader counts under `blind`, not under its band.

    `more`: there are more, and each count is "at least". `any_read`: whether anything was read yet.
    """

    critical: int
    urgent: int
    routine: int
    blind: int
    overdue: int
    unread: int
    not_scored: int
    escalated: int
    any_read: bool
    more: bool


@dataclass(frozen=True)
class FilmOutcome:
    """What became of one uploaded file: stored, duplicate, conflict or refused (`status`, `kind`, `detail` say why)."""

    file: str
    outcome: str
    status: int
    detail: str
    kind: str = ""
    film_uid: str | None = None
    study_uid: str | None = None


@dataclass(frozen=True)
class Ingested:
    """Outcome of one upload, files in the order they came; `study_uids` without repetition."""

    films: tuple[FilmOutcome, ...]
    study_uids: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step of the self-test."""

    name: str
    ok: bool
    milliseconds: float
    detail: str
