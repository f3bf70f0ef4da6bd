"""What the services say to each other and to their users: pydantic models of the HTTP bodies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
# 1 present, 0 absent, -1 uncertain, None not judged.
Label = Literal[1, 0, -1] | None
Band = Literal["critical", "urgent", "routine"]
# waiting for its score, scored, not_scored (with a reason), read; a film that comes late takes a read study back.
StudyStatus = Literal["waiting", "scored", "not_scored", "read"]


class Wire(BaseModel):
    """Base of all bodies: unknown fields are refused, and numbers are finite (JSON has no NaN)."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class CodeOut(Wire):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str


class ReleaseRef(Wire):
    """Which release answered."""

    name: str
    version: str
    digest: str
    precision: str


class PredictedFinding(Wire):
    """One finding of an answer. `rule_out` and `alert` are thresholds on the probability; `present` means alert.

    A finding that is not established is never present.
    """

    name: str
    code: CodeOut
    probability: Probability
    rule_out: Probability
    alert: Probability
    present: bool
    established: bool


class DomainCheck(Wire):
    """Whether the film looks like those the release was trained on."""

    in_domain: bool
    score: float
    threshold: float
    reason: str | None = None


class Timings(Wire):
    """Seconds per phase."""

    decode_seconds: float
    preprocess_seconds: float
    queue_seconds: float
    infer_seconds: float


class FilmWarningOut(Wire):
    """A header or pixel defect that a reader should know."""

    code: str
    text: str


class FilmFeatures(Wire):
    """What drift is judged by beside the scores; no film can be rebuilt from it.

    `quality`: the frame's figures by name (`hilum.drift.quality`); `places`: its leading components in the release's
    domain statistics; `pose`: log odds of each kind of `hilum.release.pose` against upright, empty for older releases.
    """

    quality: dict[str, float]
    places: list[float]
    pose: list[float]


class Prediction(Wire):
    """Answer of `POST /v1/predict`. Out of domain: `findings` is empty and `domain.reason` says why.

    `features` are there where they were asked for: a reader older than them refuses a field that it does not know.
    """

    release: ReleaseRef
    findings: list[PredictedFinding]
    domain: DomainCheck
    # By how much the highest acute, established finding exceeds its alert threshold, in logits; None: none does count.
    acute_margin: float | None
    critical_margin: float
    warnings: list[FilmWarningOut]
    timings: Timings
    features: FilmFeatures | None = None


FilmStatus = Literal["scored", "not_scored"]


class FilmOfStudy(Wire):
    """One of several films that were sent together. `prediction` is None where the model never saw the film."""

    number: int = Field(ge=1, description="Place in the request, from 1.")
    study_uid: str | None = Field(default=None, description="StudyInstanceUID, where the film has a DICOM header.")
    view: str = Field(default="", description="The view sent with the film, else its header's; empty: neither says.")
    status: FilmStatus
    reason: str | None = Field(default=None, description="Why the film is shown but not scored.")
    prediction: Prediction | None = None


class CombinedFinding(PredictedFinding):
    """One finding of the study; `film` is the number of the film whose probability it is."""

    film: int


class Combined(Wire):
    """What the films of a study give together. Without a scored film `findings` is empty and `reason` says why."""

    method: Literal["maximum over frontal films"] = "maximum over frontal films"
    films: list[int] = Field(description="Numbers of the films that count.")
    findings: list[CombinedFinding]
    acute_margin: float | None
    critical_margin: float
    reason: str | None = None


class StudyPrediction(Wire):
    """Answer of `POST /v1/predict` to several films of one study."""

    release: ReleaseRef
    films: list[FilmOfStudy]
    combined: Combined


class FindingInfo(Wire):
    """A finding as the release defines it."""

    name: str
    code: CodeOut
    acute: bool
    established: bool
    weight: float
    rule_out: Probability
    alert: Probability


class ModelInfo(Wire):
    """Answer of `GET /v1/model`."""

    release: ReleaseRef
    findings: list[FindingInfo]
    critical_margin: float
    input_height: int
    input_width: int
    # cpu, openvino, cuda or tensorrt; why this one, and which runtime it belongs to.
    provider: str
    provider_reason: str = ""
    runtime: str = ""
    signed_by: str | None
    golden: dict[str, Probability]


class PopulationOut(Wire):
    """What the scores and films of one population looked like where the release was made.

    Counts between the edges of `hilum.release.reference`: `scores` per finding, of log odds; `brightness`, `contrast`.
    `alerts` is per finding the share at or above the alert point. Features are the leading components' mean (D) and
    covariance (D x D).
    """

    name: str
    films: int = Field(ge=0)
    scores: list[list[int]]
    alerts: list[float]
    brightness: list[int]
    contrast: list[int]
    features_mean: list[float]
    features_covariance: list[list[float]]


class ReferenceOut(Wire):
    """Answer of `GET /v1/model/reference`: what drift is judged against.

    `alerts` are the alert points, with their `sensitivity` and `specificity` on the calibration patients, per finding.
    """

    release: ReleaseRef
    findings: list[str]
    alerts: list[Probability]
    sensitivity: list[Probability]
    specificity: list[Probability]
    populations: list[PopulationOut]


# A withdrawal takes the read that it replaces back: it holds no label, and that read counts no longer.
ReadKind = Literal["read", "second", "adjudication", "withdrawal"]


class ReadIn(Wire):
    """One radiologist's labels for one version of a study's answer: body of feedback's `POST /v1/reads`.

    `findings` is the release's order at the time of the read; `labels` holds a subset of them.
    `release_digest` is the release that was shown, or whose answer was withheld where `blind`; None: not scored.
    `version` counts the study's reads from 1 (0: the sender doesn't count). `replaces` is the id of the reader's own
    read that this one corrects or withdraws. `shadow_digest` is the release that answered in shadow at that time.
    `patient` is a pseudonym; `film_keys` name the films' bytes in the store of blobs, in the order of `film_uids`.
    `request_digest` recognises the same read sent again by a browser, also after the sender's rows were lost.
    """

    study_uid: str = Field(min_length=1, max_length=128)
    film_uids: list[str] = Field(min_length=1)
    answer_version: int = Field(ge=0)
    release_digest: str | None
    blind: bool
    reader: str = Field(min_length=1, max_length=128)
    read_at: datetime
    findings: list[str] = Field(min_length=1)
    labels: dict[str, Label]
    present: list[str] = Field(default_factory=list, description="Findings that the answer called present.")
    seconds_spent: float | None = Field(default=None, ge=0)
    comment: str = Field(default="", max_length=4000)
    site: str = ""
    kind: ReadKind = "read"
    version: int = Field(default=0, ge=0, le=2**31 - 1)
    replaces: str | None = Field(default=None, max_length=200)
    shadow_digest: str | None = Field(default=None, max_length=200)
    patient: str = Field(default="", max_length=128)
    film_keys: list[str] = Field(default_factory=list)
    request_digest: str = Field(default="", max_length=128)


class ReadOut(ReadIn):
    """A read as the ledger keeps it. `sequence` is its place, `id` its idempotency key."""

    id: str
    sequence: int
    received_at: datetime
    hash: str


class ReadPage(Wire):
    """Answer of feedback's `GET /v1/reads?since=`: `next` is the `since` of the following page, None at the end."""

    reads: list[ReadOut]
    next: int | None


class Readiness(Wire):
    """Answer of `GET /readyz`."""

    ready: bool
    reasons: list[str]
