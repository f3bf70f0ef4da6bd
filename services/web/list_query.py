"""What the address of a list can say."""

from __future__ import annotations

from datetime import date
from typing import Annotated, get_args

from pydantic import BaseModel, Field

from hilum.wire import Band
from services.web.filters import ListFilters, ListStatus

Short = Annotated[str, Field(max_length=256)]


class ListQuery(BaseModel):
    """Filters and place of a list. A hand-typed filter that is none shows everything unread: a list must never be empty
    by mistake.
    """

    status: Short = "unread"
    band: Short = ""
    finding: Short = ""
    site: Short = ""
    q: Short = ""
    since: Short = ""
    until: Short = ""
    unclaimed: Short = ""
    view: Short = ""
    cursor: Annotated[str, Field(max_length=4096)] = ""
    trail: Annotated[str, Field(max_length=16384)] = ""
    part: Short = ""

    @property
    def list_status(self) -> ListStatus:
        """Which studies; what is read has its own page."""
        return next((s for s in get_args(ListStatus) if s == self.status and s != "read"), "unread")

    @property
    def filters(self) -> ListFilters:
        """What the list is narrowed to."""
        return ListFilters(
            status=self.list_status,
            band=next((b for b in get_args(Band) if b == self.band), None),
            finding=self.finding.replace("\0", "")[:64],
            site=self.site.replace("\0", "")[:128],
            text=self.q,
            since=_day(self.since),
            until=_day(self.until),
            unclaimed=self.unclaimed == "yes",
        )

    @property
    def address(self) -> dict[str, str]:
        """The part of the address that stays from page to page, without what narrows nothing."""
        kept = address_of(self.filters)
        return {**kept, "view": self.view} if self.view else kept


def address_of(filters: ListFilters) -> dict[str, str]:
    """The query by which a page shows these filters; the list of all unread studies has an empty one."""
    query = {
        "status": "" if filters.status == "unread" else filters.status,
        "band": filters.band or "",
        "finding": filters.finding,
        "site": filters.site,
        "q": filters.text,
        "since": filters.since.isoformat() if filters.since else "",
        "until": filters.until.isoformat() if filters.until else "",
        "unclaimed": "yes" if filters.unclaimed else "",
    }
    return {name: value for name, value in query.items() if value}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
