"""`/drift`: the lead's page of drift. Every plot has its table; a film is shown, a patient is not named."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.web.context import WebDep
from services.web.drift.job import newest
from services.web.drift.wire import DriftOut
from services.web.identity.access import need
from services.web.pages.plot import Plot, plot
from services.web.pages.render import page, shell

router = APIRouter(include_in_schema=False)
# The evidence grows by powers of ten; an alarm stands at 100.
LOWEST = 1e-3


@dataclass(frozen=True)
class SiteView:
    """One site's report with its plots."""

    report: DriftOut
    evidence: Plot | None
    psi: Plot | None


def _height(value: float) -> float:
    """Evidence over threshold as a height: 0 at a thousandth and below, 100 at the alarm, 133 at ten times that."""
    return 100.0 * (1 + math.log10(max(min(value, 1e3), LOWEST)) / 3)


def view(report: DriftOut) -> SiteView:
    """A report with its plots: none where there is nothing to draw."""
    evidence = None
    if report.curve:
        labels = [f"{point.at:%d %b}" for point in report.curve]
        heights = [_height(point.value) for point in report.curve]
        evidence = plot("Evidence of a change: 100 is the alarm", "logarithmic", labels, heights, as_line=True)
    rows = [row for row in report.against_release if row.psi is not None]
    psi = None
    if rows:
        title = f"Distance from the release's {report.population} films: 25 is a clear shift"
        psi = plot(title, "PSI x 100", [row.part for row in rows], [100 * (row.psi or 0.0) for row in rows])
    return SiteView(report, evidence, psi)


@router.get("/drift", dependencies=[Depends(need("lead", "admin"))])
def drift_page(web: WebDep) -> Response:
    """The newest report of each site, sites with an alarm first."""
    with web.read() as session:
        found = sorted(newest(session), key=lambda each: (each.state != "drift", each.state != "steady", each.site))
        return page("drift.html", **shell(web, session), place="drift", sites=[view(each) for each in found])
