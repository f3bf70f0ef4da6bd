"""What people of the hospital do: films are sent, studies looked through and read."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.e2e.alerts.site import FILMS, Site

LIMIT = 200


def film(number: int) -> bytes:
    """A film that was never sent before."""
    return FILMS[number % len(FILMS)].read_bytes() + uuid.uuid4().bytes


def send(site: Site, body: bytes, **data: str) -> Any:
    """Again where the door or web says that it is busy: on two cores a hospital of faults is."""
    for _ in range(6):
        told = {"accession": uuid.uuid4().hex[:8], **data}
        answer = site.client().post("/v1/studies", files={"file": body}, data=told)
        if answer.status_code < 500:
            break
        time.sleep(3)
    return answer


def studies(site: Site, status: str = "unread", **how: str) -> list[dict[str, Any]]:
    """The list, the most urgent first."""
    query = {"limit": LIMIT, "status": status, **how}
    found: list[dict[str, Any]] = site.client().get("/v1/studies", params=query).raise_for_status().json()["studies"]
    return found


def read(site: Site, study: dict[str, Any], labels: dict[str, int]) -> None:
    """A read of it. Hold `site.reads` from the list on: somebody reads what is critical."""
    body = {"labels": labels, "answer_version": study["answer_version"]}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    site.client().post(f"/v1/studies/{study['uid']}/reads", json=body, headers=key).raise_for_status()


def read_first(site: Site) -> None:
    """A read of what is most urgent, but for what a reader passed over."""
    with site.reads:
        read(site, next(s for s in studies(site) if s["uid"] != site.memory.get("skipped")), {"Effusion": 0})


def read_all(site: Site, **how: str) -> None:
    """A read of each that waits, but for what a reader passed over."""
    with site.reads:
        for study in studies(site, **how):
            if study["uid"] != site.memory.get("skipped"):
                read(site, study, {"Effusion": 0})
