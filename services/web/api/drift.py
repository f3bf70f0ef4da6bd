"""`/v1/drift`: the newest report of each site, and accepting a change."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import Field

from hilum.problems import Problem
from hilum.wire import Wire
from services.web.context import WebDep, utc_now
from services.web.drift.job import accept, newest
from services.web.drift.wire import DriftList
from services.web.identity.access import need

router = APIRouter(prefix="/v1/drift", tags=["drift"])


class Accepted(Wire):
    """Body of `POST /v1/drift/baselines`: the films of `site` that arrive from now on are its new baseline."""

    site: str = Field(max_length=128)
    why: str = Field(min_length=3, max_length=1000)


class AcceptedOut(Accepted):
    """The same with its time and who said so."""

    since: datetime
    who: str


@router.get("", summary="Drift, per site", dependencies=[Depends(need("lead", "admin"))])
def get_drift(web: WebDep) -> DriftList:
    """The newest report of each site; none before the first run."""
    with web.read() as session:
        return DriftList(reports=newest(session))


@router.post("/baselines", status_code=201, summary="Accept a change", dependencies=[Depends(need("lead", "admin"))])
def add_baseline(web: WebDep, body: Accepted) -> AcceptedOut:
    """After a change that is wanted or was looked into (another scanner): later films are compared with those since.

    404 where the site has no report: a site's name that was typed wrongly would silence nothing.
    """
    now = utc_now()
    with web.write() as session:
        if body.site not in {report.site for report in newest(session)}:
            raise Problem(404, "no-such-site", "No drift report names this site.")
        accept(session, body.site, body.why, web.reader, now)
    return AcceptedOut(site=body.site, why=body.why, since=now, who=web.reader)
