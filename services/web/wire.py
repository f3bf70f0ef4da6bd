"""Bodies of the reading room's JSON API. Times are ISO 8601 with zone; `None` where a blind reader must not see."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from hilum.wire import Band, CodeOut, Label, ReleaseRef, StudyStatus


def storable(value: str) -> str:
    """`value`, which every database can keep; raises ValueError."""
    if "\0" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise ValueError("characters that are no text")
    return value


StorableText = Annotated[
    str, BeforeValidator(lambda value: storable(value).strip() if isinstance(value, str) else value)
]


class Out(BaseModel):
    """Base of answers: made from the frozen views."""

    model_config = ConfigDict(from_attributes=True)


class WarnedOut(Out):
    """A header or pixel defect of a film."""

    code: str
    text: str
    film_uid: str | None


class ClaimOut(Out):
    """Who reads a study now."""

    reader: str
    mine: bool = Field(description="You are the reader.")
    claimed_at: datetime
    expires_at: datetime


class ClosedOut(Out):
    """A study that was reported elsewhere."""

    by: str
    reason: str
    at: datetime


class StudyOut(Out):
    """One line of the worklist."""

    uid: str
    accession: str
    accession_issuer: str
    patient_id: str
    site: str
    priority: str
    location: str
    status: StudyStatus
    band: Band | None
    score: float | None
    reason: str | None
    arrived_at: datetime
    due_at: datetime | None = Field(description="Null while the study is blind to you: it would tell the band.")
    last_read_at: datetime | None
    reopened: bool
    answer_version: int
    film_count: int
    first_film_uid: str
    warning_count: int
    conflict_count: int
    blind: bool = Field(description="The answer is withheld until your read is kept.")
    synthetic: bool
    claim: ClaimOut | None
    closed: ClosedOut | None = Field(description="Reported elsewhere; null again once it is opened again.")
    skipped_by: int = Field(description="Readers who passed it over.")
    escalated: bool = Field(description="Too many passed it over: it is due within the critical wait from then on.")


class StudyPageOut(Out):
    """Answer of `GET /v1/studies`."""

    studies: list[StudyOut]
    next_cursor: str | None
    truncated: bool = Field(description="`q` begins more numbers than are looked at: ask for a longer text.")


class SkippedOut(Out):
    """Answer of `POST /v1/studies/{uid}/skip`."""

    skipped_by: int = Field(description="Readers who passed it over.")
    times: int = Field(description="How often it was passed over altogether.")
    escalated: bool


class ClosureBody(BaseModel):
    """Body of `POST /v1/studies/{uid}/close` and `/reopen`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"by": "RIS", "reason": "report signed"}})

    by: StorableText = Field(min_length=1, max_length=128, description="Who says so.")
    reason: StorableText = Field(min_length=1, max_length=1000)


class SavedViewBody(BaseModel):
    """Body of `POST /v1/views`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "ED", "filters": {"site": "ED"}, "is_default": False}}
    )

    name: StorableText = Field(min_length=1, max_length=64)
    filters: dict[str, Annotated[str, Field(max_length=256)]] = Field(max_length=20)
    is_default: bool = Field(default=False, description="Shown when the list is opened without filters.")


class SavedViewOut(Out):
    """A saved view of the list."""

    id: str
    name: str
    filters: dict[str, str]
    is_default: bool


class SavedViewsOut(BaseModel):
    """Answer of `GET /v1/views`."""

    views: list[SavedViewOut]


class FilmOut(Out):
    """A film of a study."""

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
    state: Literal["waiting", "scored", "not_scored", "withdrawn"]
    reason: str | None
    warnings: list[WarnedOut]


class FilmSizeOut(Out):
    """A film, as a viewer that fetches it beforehand needs to know it."""

    uid: str
    width: int
    height: int


class FilmSizesOut(BaseModel):
    """Answer of `GET /v1/studies/{uid}/films`."""

    films: list[FilmSizeOut]


class NamedFindingOut(Out):
    """A finding that can be labelled."""

    name: str
    code: CodeOut
    acute: bool
    established: bool


class AnsweredFindingOut(Out):
    """One finding of an answer."""

    name: str
    code: CodeOut
    probability: float
    rule_out: float
    alert: float
    present: bool
    established: bool
    film_uid: str


class AnswerOut(Out):
    """A release's output for a study."""

    version: int
    release: ReleaseRef
    findings: list[AnsweredFindingOut]
    made_at: datetime


class ConflictOut(Out):
    """A refused film that claimed to be one of this study's."""

    film_uid: str
    file_name: str
    sha256: str
    difference: str
    seen_at: datetime


class ReadRow(Out):
    """A read as kept."""

    id: str
    study_uid: str
    version: int
    reader: str
    labels: dict[str, Label]
    answer_version: int
    release_digest: str | None
    blind: bool
    read_at: datetime
    seconds_spent: float | None
    comment: str
    delivered: bool
    refused: str | None
    kind: Literal["read", "second", "adjudication", "withdrawal"]
    replaces: str | None = Field(description="The reader's own read that this one corrects or takes back.")
    withdrawn: bool = Field(description="Its reader took it back.")


class ReviewOut(Out):
    """A study's second read."""

    why: Literal["share", "lead"]
    asked_by: str
    asked_at: datetime
    note: str
    state: Literal["wanted", "agreed", "conflict", "settled"]
    differs: list[str] = Field(description="Findings that both readers judged, and not alike.")


class ReviewLineOut(Out):
    """A study with its review."""

    study: StudyOut
    review: ReviewOut
    readers: list[str]
    mine: bool = Field(description="You may make the read that is wanted next.")


class ReviewsOut(BaseModel):
    """Answer of `GET /v1/reviews`."""

    reviews: list[ReviewLineOut]


class SecondReadBody(BaseModel):
    """Body of `POST /v1/studies/{uid}/second-read`."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=1000)

    @field_validator("note")
    @classmethod
    def _storable(cls, value: str) -> str:
        return storable(value)


class TrialOut(Out):
    """The live answer is, or was, of a release on trial (canary's); `ended_at` and `reason`: production's took over."""

    release_digest: str
    decided_at: datetime
    ended_at: datetime | None
    reason: str | None


class StudyDetailOut(StudyOut):
    """Answer of `GET /v1/studies/{uid}`."""

    films: list[FilmOut]
    findings: list[NamedFindingOut]
    answer: AnswerOut | None
    warnings: list[WarnedOut]
    conflicts: list[ConflictOut]
    reads: list[ReadRow]
    trial: TrialOut | None
    review: ReviewOut | None
    own_version: int = Field(description="Version of your own last read; 0: none.")
    second: bool = Field(description="You are asked for a second read, blind to the first.")


class NewReadBody(BaseModel):
    """Body of `POST /v1/studies/{uid}/reads`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"labels": {"Effusion": 1, "Edema": 0}}})

    labels: dict[str, Label] = Field(description="1 present, 0 absent, -1 uncertain, null not judged.")
    answer_version: int = Field(default=0, ge=0, le=2**31 - 1, description="The version that was shown; 0: none.")
    seconds_spent: float | None = Field(default=None, ge=0, le=1e6)
    comment: str = Field(default="", max_length=4000)
    film_uids: list[str] | None = Field(default=None, description="The films that were seen; default: all.")
    seen_version: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="Your own_version when you began: a later one of yours is a 409."
    )
    kind: Literal["read", "adjudication"] = "read"

    @field_validator("labels", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object) -> object:
        if isinstance(value, dict) and any(isinstance(label, bool) for label in value.values()):
            raise ValueError("a label is 1, 0, -1 or null, not true or false")
        return value

    @field_validator("comment")
    @classmethod
    def _storable(cls, value: str) -> str:
        return storable(value)


class ReadAnswer(BaseModel):
    """Answer of `POST /v1/studies/{uid}/reads`."""

    read: ReadRow
    study: StudyDetailOut


class FilmOutcomeOut(Out):
    """What became of one uploaded file."""

    file: str
    film_uid: str | None
    study_uid: str | None
    outcome: Literal["stored", "duplicate", "conflict", "refused"]
    detail: str
    status: int


class IngestedOut(BaseModel):
    """Answer of `POST /v1/studies`. `uid` is given where the upload touched exactly one study."""

    studies: list[StudyOut]
    films: list[FilmOutcomeOut]
    uid: str | None


class HealthOut(Out):
    """Answer of `GET /readyz`."""

    ready: bool
    reasons: list[str]
    warnings: list[str]


class StepOut(Out):
    """One step of the self-test."""

    name: str
    ok: bool
    milliseconds: float
    detail: str


class SelfTestOut(BaseModel):
    """Answer of `POST /v1/self-test`."""

    ok: bool
    steps: list[StepOut]
