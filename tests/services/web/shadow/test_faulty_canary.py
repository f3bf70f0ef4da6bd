"""With real processes: whatever canary does, the live path scores every study, and the pairs are made up for later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum.storage import make_engine, reading
from services.web.shadow.tables import Pair
from tests.fixtures.gate import Gate
from tests.fixtures.processes import ServiceProcess
from tests.releases import pattern_film
from tests.servers import serve
from tests.services.web.room import wait_for
from tests.services.web.shadow.faulty import FaultyCanary

EACH = 5


@dataclass
class Site:
    """Web, production's and canary's inference, each a process; `gate` cuts the line to canary."""

    web: str
    canary: FaultyCanary
    gate: Gate
    database: Path
    sent: int = 0

    def send_films(self, count: int) -> None:
        """Upload `count` new studies and wait until each has its live answer."""
        uids = []
        for _ in range(count):
            self.sent += 1
            film = pattern_film(2, 256 + 4 * self.sent)
            answer = httpx.post(f"{self.web}/v1/studies", files={"file": ("a.png", film)}, trust_env=False)
            assert answer.status_code == 201, answer.text
            uids.append(answer.json()["uid"])
        wait_for(lambda: all(self._status(uid) == "scored" for uid in uids), 60)

    def _status(self, uid: str) -> str:
        return str(httpx.get(f"{self.web}/v1/studies/{uid}", trust_env=False).json()["status"])

    def pairs(self) -> int:
        """How many studies have their pair."""
        engine = make_engine(f"sqlite:///{self.database}")
        with Session(reading(engine)) as session:
            count = session.scalar(select(func.count()).select_from(Pair)) or 0
        engine.dispose()
        return count


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path, canary_release: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    inferences = [
        ServiceProcess("services.inference", folder / f"{name}.log", release=str(release), trusted_keys="")
        for name, release in (("production", tiny_release), ("canary", canary_release))
    ]
    for process in inferences:
        process.start()
    faulty = FaultyCanary(inferences[1].url, slow_seconds=1.0)
    with serve(faulty.app) as served:
        gate = Gate(served.port)
        web = ServiceProcess(
            "services.web",
            folder / "web.log",
            data=str(folder),
            inference_url=inferences[0].url,
            canary_url=gate.url,
            canary_timeout_seconds="1.5",
            shadow_queue="2",
            retry_max_seconds="0.1",
            poll_seconds="0.1",
            blind_share="0",
        )
        web.start()
        site = Site(web.url, faulty, gate, folder / "web.db")
        site.send_films(1)
        wait_for(lambda: site.pairs() == 1, 60)
        yield site
        web.stop()
        gate.shut()
    for process in inferences:
        process.stop()


@pytest.mark.parametrize("mode", ["down", "hangs", "errs", "talks nonsense"])
def test_the_live_path_goes_on_without_canary_and_the_pairs_come_later(site: Site, mode: str) -> None:
    before = site.pairs()
    if mode == "down":
        site.gate.shut()
    else:
        site.canary.mode = mode  # type: ignore[assignment]
    site.send_films(EACH)
    assert site.pairs() == before
    site.canary.mode = "well"
    if mode == "down":
        site.gate.open()
    wait_for(lambda: site.pairs() == site.sent, 60)


def test_a_slow_canary_falls_behind_and_the_live_path_does_not_wait(site: Site) -> None:
    # Some hundred times slower than production: while the live answers came, it can have given few.
    site.canary.mode, before = "slow", site.pairs()
    site.send_films(EACH)
    assert site.pairs() - before < EACH
    site.canary.mode = "well"
    wait_for(lambda: site.pairs() == site.sent, 60)
