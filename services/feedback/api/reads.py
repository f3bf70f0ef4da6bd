"""Append a read, page through reads, check the chain."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from hilum.problems import Problem
from hilum.wire import ReadIn, ReadOut, ReadPage
from services.feedback.agreement import COLLECTOR
from services.feedback.ledger import KeyConflict
from services.feedback.service import LedgerDep
from services.feedback.validation import valid_key, valid_read

router = APIRouter(prefix="/v1", tags=["reads"])
LARGEST_SEQUENCE = 2**63 - 1


class ChainOut(BaseModel):
    """Answer of `GET /v1/ledger/check`. Removed last reads leave a chain that holds: compare `reads` and `head_hash`
    with what was noted elsewhere (every `ReadOut` carries its hash)."""

    holds: bool
    reads: int
    head_hash: str
    first_broken: int | None
    reason: str | None


@router.post(
    "/reads",
    status_code=201,
    responses={
        200: {"model": ReadOut, "description": "This read was kept before, or it is synthetic"},
        400: {"description": "No Idempotency-Key"},
        409: {"description": "The key belongs to another read"},
        503: {"description": "The database is away; send the same again later"},
    },
)
def append(
    read: ReadIn,
    ledger: LedgerDep,
    response: Response,
    idempotency_key: Annotated[str | None, Header(description="One key per read; a retry sends it again.")] = None,
    synthetic: Annotated[bool, Query(description="Go the whole way, keep nothing.")] = False,
) -> ReadOut:
    """Keep a read. It is on disk when the answer comes."""
    key = valid_key(idempotency_key)
    valid_read(read)
    try:
        appended = ledger.append(read, key, synthetic)
    except KeyConflict as error:
        raise Problem(409, "idempotency-key-conflict", "This Idempotency-Key was used for another read.") from error
    COLLECTOR.know(read)
    response.status_code = 201 if appended.created else 200
    return appended.read


@router.get("/reads")
def page(
    ledger: LedgerDep,
    since: Annotated[int, Query(ge=0, le=LARGEST_SEQUENCE, description="Reads after this sequence.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ReadPage:
    """Reads in the order of their commits."""
    reads = ledger.since(since, limit + 1)
    more = len(reads) > limit
    return ReadPage(reads=reads[:limit], next=reads[limit - 1].sequence if more else None)


@router.get("/ledger/check")
def check(ledger: LedgerDep) -> ChainOut:
    """Compute the whole chain of hashes again and name the first read that is not what was kept."""
    found = ledger.check_chain()
    return ChainOut(
        holds=found.first_broken is None,
        reads=found.reads,
        head_hash=found.head_hash,
        first_broken=found.first_broken,
        reason=found.reason,
    )
