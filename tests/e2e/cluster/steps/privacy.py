"""Who was in the run, and whether anything says so where it must not: logs, metrics, statuses, events, Prometheus."""

from __future__ import annotations

import json

import httpx

from tests.e2e.cluster.site import PRODUCTION, Site, forwarded, listed
from tests.e2e.drift.names import IDENTITY, everything_said

LEAST = 8


def nobody_is_named_in_logs_metrics_and_events(site: Site) -> str:
    """Of every study on the list the accession number, patient and UID, and the person of the C-STOREd film."""
    studies = listed(site.client()).values()
    named = {part for text in IDENTITY.values() for part in text.split("^")}
    for study in studies:
        named |= {str(study[key]) for key in ("accession", "patient_id", "uid") if study.get(key)}
    # What is shorter is found in any number.
    sought = {part.lower() for part in named if len(part) >= LEAST}
    said = everything_said(PRODUCTION, [])
    with forwarded("monitoring", "prometheus", 9090) as address:
        series = httpx.get(f"{address}/api/v1/series", params={"match[]": "{job!=''}"}, timeout=60, trust_env=False)
        said["Prometheus"] = json.dumps(series.raise_for_status().json())
    found = [(where, part) for where, text in said.items() for part in sought if part in text.lower()]
    assert not found, found[:5]
    lines = sum(text.count("\n") for text in said.values())
    places = f"{lines} lines of {len(said)} places"
    return f"{len(sought)} names, numbers and UIDs of {len(studies)} studies in none of {places}"
