"""The lead's numbers of nine made-up days."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from playwright.sync_api import Browser, Page
from sqlalchemy import insert
from sqlalchemy.orm import Session

import hilum.imaging  # noqa: F401 - before pydicom
from hilum.findings import known_findings
from services.web.app import create_app
from services.web.context import utc_now
from services.web.numbers.tables import AgreementHour, ReadFact
from services.web.settings import WebSettings
from services.web.tables import Study
from tests.servers import serve
from tests.services.web.room import wait_for

WAITS = {"critical": 900.0, "urgent": 14_400.0, "routine": 86_400.0}
RELEASE = "a1b2c3d4e5f60718" * 4


def fill(session: Session, now: datetime) -> None:
    """Nine days of some 250 studies, three readers, two sites."""
    rng = random.Random(1)
    studies: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    for n in range(2400):
        at = now - timedelta(days=9) * rng.random()
        if at.hour < 6 and rng.random() < 0.7:
            continue
        band = rng.choices(tuple(WAITS), (1, 3, 6))[0]
        wait = rng.expovariate(2.5 / WAITS[band])
        read_at, due, site = at + timedelta(seconds=wait), at + timedelta(seconds=WAITS[band]), rng.choice("NS")
        studies.append({
            "uid": f"2.25.{n + 1}", "accession": "", "accession_issuer": "", "patient_id": "", "patient_id_issuer": "",
            "site": {"N": "North clinic", "S": "South clinic"}[site], "priority": "", "location": "", "arrived_at": at,
            "band": band, "score": 0.5, "reason": "", "status": "read" if read_at < now else "scored", "due_at": due,
            "last_read_at": read_at if read_at < now else None, "answer_version": 1, "blind": False, "synthetic": False,
        })  # fmt: skip
        if read_at >= now:
            continue
        facts.append({
            "read_id": f"r{n}", "study_uid": f"2.25.{n + 1}", "read_at": read_at, "due_at": due, "band": band,
            "site": studies[-1]["site"], "reader": rng.choice(("a.ngata", "m.okafor", "s.lind")), "blind": n % 5 == 0,
            "release_digest": RELEASE, "first": True, "second": False, "wait_seconds": wait, "agree": 12,
            "seconds_spent": rng.uniform(15, 90), "disagree": rng.randrange(3), "uncertain": 0,
        })  # fmt: skip
        if n % 12 == 0:
            facts.append({**facts[-1], "read_id": f"r{n}b", "first": False, "second": True})
    hours = [
        {
            "hour": (now - timedelta(hours=h)).replace(minute=0, second=0, microsecond=0), "finding": finding,
            "release_digest": RELEASE, "blind": blind, "agree": rng.randrange(6, 12), "disagree": rng.randrange(3),
            "missed": 0, "uncertain": rng.randrange(2),
        }
        for h in range(160) for finding in known_findings()[:14] for blind in (False, True)
    ]  # fmt: skip
    for table, rows in ((Study, studies), (ReadFact, facts), (AgreementHour, hours)):
        session.execute(insert(table), rows)


def take_numbers(browser: Browser, take: Callable[[Page, str], None]) -> None:
    """Serve a room that is filled with them, and `take` pictures of its page: over time, and by part."""
    with tempfile.TemporaryDirectory() as data:
        app = create_app(WebSettings.model_validate({"data": data}))
        with serve(app) as served:
            web = app.state.web
            wait_for(web.prepared.is_set)
            with web.write() as session:
                fill(session, utc_now())
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.goto(f"{served.url}/numbers?period=week")
            page.wait_for_load_state("networkidle")
            take(page, "numbers")
            page.evaluate("main.scrollTop += document.getElementById('by-part').getBoundingClientRect().top - 90")
            take(page, "numbers-by-part")
            page.close()
