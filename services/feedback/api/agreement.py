"""`GET /v1/agreement`: how far readers and releases agree, per finding."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.feedback.service import FeedbackDep
from services.feedback.tally import Slice

router = APIRouter(prefix="/v1", tags=["agreement"])


class EstimateOut(BaseModel):
    """A value with its 95 % interval, clustered by patient; null where nothing can be said."""

    model_config = ConfigDict(from_attributes=True)

    value: float | None
    low: float | None
    high: float | None
    n: int = Field(description="Judgements that it rests on.")


class AgreementOut(BaseModel):
    """One finding, one release, blind or shown reads. The reader's label is the reference."""

    model_config = ConfigDict(from_attributes=True)

    finding: str
    release: str
    blind: bool
    patients: int
    present: int
    absent: int
    uncertain: int
    blank: int
    blank_share: float | None
    sensitivity: EstimateOut
    specificity: EstimateOut
    kappa: EstimateOut


class AgreementPage(BaseModel):
    """Answer of `GET /v1/agreement`."""

    agreement: list[AgreementOut]


@router.get("/agreement")
def agreement(
    feedback: FeedbackDep,
    finding: Annotated[str | None, Query(max_length=128)] = None,
    release: Annotated[str | None, Query(max_length=200, description="A release's digest.")] = None,
    blind: Annotated[bool | None, Query(description="Only blind reads, or only those that saw the answer.")] = None,
    site: Annotated[str | None, Query(max_length=128)] = None,
    reader: Annotated[str | None, Query(max_length=128)] = None,
    since: Annotated[AwareDatetime | None, Query(description="Reads received from this time on.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Reads received before this time.")] = None,
) -> AgreementPage:
    """Blind reads apart from the others: only they measure the release without its own influence on the reader."""
    found = []
    for line in feedback.tally(Slice(since, until, site, reader)).lines():
        if (
            finding not in {None, line.finding}
            or release not in {None, line.release}
            or blind not in {None, line.blind}
        ):
            continue
        named = {"finding": line.finding, "release": line.release, "blind": line.blind}
        found.append(AgreementOut.model_validate(named | _plain(line.found)))
    return AgreementPage(agreement=found)


def _plain(found: object) -> dict[str, object]:
    return {name: getattr(found, name) for name in AgreementOut.model_fields if hasattr(found, name)}
