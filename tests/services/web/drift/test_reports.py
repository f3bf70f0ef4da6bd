"""Drift from rows: the job, its page, its gauges, its commands, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from hilum.drift.quality import NAMES
from hilum.release.pose import KINDS
from services.web.drift.job import newest, run
from services.web.drift.rows import Hours, calibrations, gather
from services.web.drift.tables import DriftReport
from services.web.tables import Answer, Film, Prediction, Read, Study
from tests.releases import FINDINGS
from tests.services.web.room import Room, open_room

# A Saturday: the shift of nights and weekends has few films, and none is compared with the others.
NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
BRIGHTNESS = NAMES.index("brightness")


def fill(room: Room, site: str, count: int, *, darker_from: int = -1, days: float = 3.0, **changes: Any) -> None:
    """`count` films of as many patients up to NOW; from number `darker_from` on they are darker."""
    release = asyncio.run(room.web.inference.model()).release
    chance = np.random.default_rng(1)
    studies, films, predictions = [], [], []
    for k in range(count):
        at = NOW - timedelta(days=days) * (count - k) / count
        uid, film = f"2.25.{site}.{k}", f"2.25.{site}.{k}.1"
        studies.append({
            "uid": uid, "patient_id": f"{site}-{k}", "site": site, "arrived_at": at, "status": "read",
            "band": "routine", "score": 0.1, "reason": "", "due_at": at, "answer_version": 1, "blind": True,
            "synthetic": False, **changes.get("study", {}),
        })  # fmt: skip
        films.append({
            "uid": film, "study_uid": uid, "number": 1, "sha256": f"{k:064x}", "blob_key": "x", "byte_count": 1,
            "media_type": "image/png", "file_name": "x", "view": "PA", "width": 1, "height": 1, "bits": 8,
            "lossy": False, "arrived_at": at, "warnings": [], "state": "scored", "attempts": 1, "next_try": at,
        })  # fmt: skip
        light = dict(zip(NAMES, chance.normal(0.5, 0.03, len(NAMES)).tolist(), strict=True))
        if 0 <= darker_from <= k:
            light["brightness"] -= 0.1
        chances = (1 / (1 + np.exp(-chance.normal(-1, 1, len(FINDINGS))))).tolist()
        found = [
            {"name": name, "probability": p, "present": p > 0.6} for name, p in zip(FINDINGS, chances, strict=True)
        ]
        payload: dict[str, Any] = {
            "findings": found,
            "domain": {"in_domain": True, "score": float(chance.normal(1, 0.1)), "threshold": 2.0},
            "features": {
                "quality": light,
                "places": chance.normal(size=12).tolist(),
                "pose": chance.normal(-4, 1, len(KINDS)).tolist(),
            },
        }
        payload |= changes.get("payload", {})
        predictions.append({
            "film_uid": film, "release_digest": release.digest, "precision": release.precision, "payload": payload,
            "made_at": at,
        })  # fmt: skip
    with room.web.write() as session:
        session.execute(insert(Study), studies)
        session.execute(insert(Film), films)
        session.execute(insert(Prediction), predictions)


def judged(room: Room) -> dict[str, Any]:
    """Reports of one run by site."""
    release = asyncio.run(room.web.inference.model()).release
    reference = asyncio.run(room.web.inference.reference())
    assert reference is None  # the tiny release has no such statistics
    return {each.site: each for each in run(room.web.engine, room.web.settings, release, reference, NOW)}


@pytest.fixture
def small(tmp_path: Path, tiny_release: Path) -> Iterator[Room]:
    """A room whose baseline is 300 films."""
    with open_room(tmp_path, tiny_release, drift_baseline_films=300) as room:
        yield room


@pytest.fixture
def any_small(tmp_path: Path, tiny_release: Path, database_url: str) -> Iterator[Room]:
    """The same on each database."""
    with open_room(tmp_path, tiny_release, drift_baseline_films=300, database_url=database_url) as room:
        yield room


def series(room: Room, name: str) -> dict[str, float]:
    """Site -> value of a gauge."""
    lines = [line for line in room.client.get("/metrics").text.splitlines() if line.startswith(f"{name}{{")]
    return {line.partition('site="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_each_site_has_its_own_report_page_and_gauges(any_small: Room) -> None:
    small = any_small
    fill(small, "NORTH", 1200, darker_from=1000)
    fill(small, "SOUTH", 1200)
    fill(small, "NEW", 20)
    fill(small, "SMALL", 400, days=100)
    fill(small, "BROKEN", 600, payload={"findings": [{"name": n, "probability": None} for n in FINDINGS]})
    fill(small, "SELF-TEST", 600, study={"synthetic": True})
    found = judged(small)
    assert {site: each.state for site, each in found.items()} == {
        "NORTH": "drift",
        "SOUTH": "steady",
        "NEW": "not enough data",
        "SMALL": "not enough data",
        "BROKEN": "not enough data",
    }
    assert "input/brightness" in found["NORTH"].reason
    assert found["NEW"].reason == "20 of the 350 films that a baseline and a first look need"
    assert found["SMALL"].reason.startswith("4 films a day")
    assert all(int(e.film_uid.split(".")[-2]) >= 1000 for e in found["NORTH"].examples)

    assert series(small, "hilum_drift_alarm") == {"NORTH": 1.0, "SOUTH": 0.0}
    assert series(small, "hilum_drift_enough_data") == {
        "NORTH": 1.0, "SOUTH": 1.0, "NEW": 0.0, "SMALL": 0.0, "BROKEN": 0.0,
    }  # fmt: skip
    assert series(small, "hilum_drift_evidence_ratio")["NORTH"] == 1000.0
    assert series(small, "hilum_drift_evidence_ratio")["SOUTH"] < 1
    page = small.client.get("/metrics").text
    assert 'hilum_drift_evidence_share{finding="brightness",kind="input",site="NORTH"}' in page

    html = small.client.get("/drift").text
    assert html.index("NORTH") < html.index("SOUTH") < html.index("BROKEN")
    assert "NORTH-1100" not in html  # a patient
    assert html.count("thumbnail.png") == len(found["NORTH"].examples)
    listed = small.client.get("/v1/drift").json()["reports"]
    assert [each["site"] for each in listed] == sorted(found)


def test_an_accepted_change_begins_a_new_baseline_and_the_alarm_ends(small: Room) -> None:
    fill(small, "NORTH", 1200, darker_from=900)
    assert judged(small)["NORTH"].state == "drift"
    unknown = small.client.post("/v1/drift/baselines", json={"site": "NRTH", "why": "new scanner"})
    assert unknown.status_code == 404
    answer = small.client.post("/v1/drift/baselines", json={"site": "NORTH", "why": "new scanner, films looked at"})
    assert answer.status_code == 201
    after = judged(small)["NORTH"]
    assert (after.state, after.films) == ("not enough data", 0)
    assert "hilum_drift_alarm{" not in small.client.get("/metrics").text


def test_one_patient_is_one_witness_and_a_film_of_the_future_is_left_out(small: Room) -> None:
    fill(small, "WARD", 40, study={"patient_id": "one"})
    release = asyncio.run(small.web.inference.model()).release
    with small.web.read() as session:
        found = gather(
            session, "WARD", release.digest, release.precision,
            now=NOW - timedelta(days=2), baseline=300, most=1000, hours=Hours(),
        )  # fmt: skip
    assert len(found.films) == 1
    assert found.left_out == 39


def test_blind_reads_alone_say_what_probabilities_mean(small: Room) -> None:
    fill(small, "NORTH", 120)
    release = asyncio.run(small.web.inference.model()).release
    name = FINDINGS[0]
    with small.web.write() as session:
        for k in range(120):
            uid = f"2.25.NORTH.{k}"
            payload = {"findings": [{"name": name, "probability": 0.2, "present": False}]}
            session.add(Answer(study_uid=uid, version=1, release_digest=release.digest, precision=release.precision,
                               payload=payload, made_at=NOW))  # fmt: skip
            session.flush()
            session.add(Read(id=f"r{k}", study_uid=uid, version=1, reader="ada", labels={name: int(k % 2 == 0)},
                             answer_version=1, release_digest=release.digest, blind=k < 80, read_at=NOW,
                             request_digest=""))  # fmt: skip
    with small.web.read() as session:
        (found,) = calibrations(session, "NORTH", release.digest, NOW - timedelta(days=1))
    assert (found.finding, found.reads, found.seen) == (name, 80, 40)
    assert found.ratio == pytest.approx(2.5)
    assert found.low is not None
    assert found.low > 1


def test_a_reports_rows_do_not_grow_for_ever_and_without_films_there_is_none(small: Room) -> None:
    with small.web.write() as session:
        old = {"site": "GONE", "release_digest": "d", "precision": "fp32", "made_at": NOW - timedelta(days=500)}
        session.add(DriftReport(**old, payload={}))
    assert judged(small) == {}
    with small.web.read() as session:
        assert newest(session) == []
    assert "No drift report was made yet" in small.client.get("/drift").text


def test_the_commands_judge_show_and_accept(small: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.cli import make_app
    from tests.servers import serve

    settings = small.web.settings
    monkeypatch.setenv("HILUM_DATABASE_URL", settings.database("web"))
    runner = CliRunner()
    monkeypatch.setenv("HILUM_INFERENCE_URL", "http://127.0.0.1:9")
    away = runner.invoke(make_app(), ["drift", "check"])
    assert away.exit_code == 1
    fill(small, "NORTH", 20)
    judged(small)
    shown = runner.invoke(make_app(), ["drift", "show"])
    assert [each["state"] for each in json.loads(shown.stdout)] == ["not enough data"]
    refused = runner.invoke(make_app(), ["drift", "accept", "NRTH", "--why", "x"])
    assert refused.exit_code == 1
    done = runner.invoke(make_app(), ["drift", "accept", "NORTH", "--why", "new scanner"])
    assert (done.exit_code, "new baseline" in done.stdout) == (0, True)
    with serve(small.to_inference.target) as served:
        monkeypatch.setenv("HILUM_INFERENCE_URL", served.url)
        checked = runner.invoke(make_app(), ["drift", "check"])
    assert checked.exit_code == 0, checked.output
