"""What tests of shadow answers look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from services.web.shadow.tables import Pair, ShadowPrediction
from tests.releases import FINDINGS, make_tiny_release
from tests.services.web.room import Room, wait_for

# The same findings in the other order: a bright block 0 is Effusion to one release and Cardiomegaly to the other,
# block 2 is Pneumothorax to both.
BOTH, ONLY_ONE = 2, 0


def make_canary_release(folder: Path) -> Path:
    """Another release of the same findings, which sees them in other places."""
    return make_tiny_release(folder, FINDINGS[::-1], version="2.0.0").folder


def pairs(room: Room) -> list[Pair]:
    """Every pair."""
    with room.web.read() as session:
        return list(session.scalars(select(Pair).order_by(Pair.arrived_at)))


def shadow_predictions(room: Room) -> list[ShadowPrediction]:
    """Everything that a release said without being shown."""
    with room.web.read() as session:
        return list(session.scalars(select(ShadowPrediction)))


def paired(room: Room, count: int) -> list[Pair]:
    """The pairs, once there are `count`."""
    found: list[Pair] = wait_for(lambda: [p for p in [pairs(room)] if len(p) >= count])[0]
    return found


def metric(room: Room, start: str) -> float:
    """The one sample of the metrics page whose line begins so."""
    lines = [line for line in room.client.get("/metrics").text.splitlines() if line.startswith(start)]
    assert len(lines) == 1, (start, lines)
    return float(lines[0].rpartition(" ")[2])


def everything_said(room: Room, uid: str) -> str:
    """All that any page or call says of the study, as one text."""
    paths = ("/", f"/studies/{uid}", f"/v1/studies/{uid}", "/v1/studies?status=all", "/history", "/about")
    return "\n".join(_ok(room.client.get(path)) for path in paths)


def _ok(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.text)
