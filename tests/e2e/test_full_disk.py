"""The whole reading room on a disk that fills up: refused with a reason, and nothing that was acknowledged is lost."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.e2e.reading_room import Room, running
from tests.fixtures.disk import small_disk
from tests.releases import png


def film(number: int) -> bytes:
    """About 300 kB that no store can make smaller."""
    return png(np.random.default_rng(number).integers(0, 255, (550, 550), dtype=np.uint8))


def send(room: Room, number: int) -> httpx.Response:
    return httpx.post(f"{room.url}/v1/studies", files={"file": ("film.png", film(number))}, timeout=60)


def read(room: Room, uid: str, key: str) -> httpx.Response:
    labels = {"labels": {"Effusion": 1}}
    headers = {"Idempotency-Key": key}
    return httpx.post(f"{room.url}/v1/studies/{uid}/reads", json=labels, headers=headers, timeout=60)


def refused(answer: httpx.Response) -> bool:
    """Whether it says 503, that nothing was kept, and why."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == 503, answer.text
    assert "full" in str(body) or "No space left" in str(body), body
    return True


def settled(room: Room, uids: list[str]) -> None:
    end = time.monotonic() + 60
    while any(room.study(uid)["status"] == "waiting" for uid in uids):
        assert time.monotonic() < end, "never scored"
        time.sleep(0.2)


@pytest.mark.slow
def test_films_and_reads_are_refused_by_a_full_disk_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 7) as disk:
        kept: dict[str, int] = {}
        keys: dict[str, str] = {}
        with running(disk.folder) as room:
            while (answer := send(room, len(kept))).status_code == 201:
                kept[answer.json()["uid"]] = len(kept)
                assert len(kept) < 60, "the disk never filled up"
            assert refused(answer)
            assert len(kept) > 5
            # Room for the scores of what was kept (SQLite's log alone takes 4 MB); then none for a read either.
            disk.grow(24)
            uids = list(kept)
            settled(room, uids)
            before = read(room, uids[0], "before")
            assert before.status_code == 201, before.text
            keys["before"] = uids[0]
            disk.fill()
            for number in range(2000):
                answer = read(room, uids[number % len(uids)], f"full-{number}")
                if answer.status_code != 201:
                    break
                keys[f"full-{number}"] = uids[number % len(uids)]
            assert refused(answer)
            assert refused(send(room, 999))
            # Room again: the same read under the same key, and the film, without a restart.
            disk.empty()
            disk.grow(48)
            assert read(room, uids[number % len(uids)], f"full-{number}").status_code == 201
            keys[f"full-{number}"] = uids[number % len(uids)]
            answer = send(room, 999)
            assert answer.status_code == 201
            kept[answer.json()["uid"]] = 999
        with running(disk.folder) as room:
            settled(room, list(kept))
            shown: list[str] = []
            for uid, number in kept.items():
                study: dict[str, Any] = room.study(uid)
                (its,) = study["films"]
                body = httpx.get(f"{room.url}/v1/studies/{uid}/films/{its['uid']}/original", timeout=30).content
                assert hashlib.sha256(body).digest() == hashlib.sha256(film(number)).digest()
                shown += [each["id"] for each in study["reads"]]
            assert sorted(shown) == sorted(keys)
            end = time.monotonic() + 30
            while len(ledger := _ledger(room)) < len(keys) and time.monotonic() < end:
                time.sleep(0.2)
            assert sorted(ledger) == sorted(keys)


def _ledger(room: Room) -> list[str]:
    page = httpx.get(f"{room.url}/feedback/v1/reads", params={"since": 0, "limit": 1000}, timeout=30).json()
    return [each["id"] for each in page["reads"]]
