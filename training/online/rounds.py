"""The same films through the served release again and again: gauges that say whether it is still as good as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from training.data.manifest import BadData
from training.online.evaluate import NotReady
from training.online.gauges import EvaluationGauges
from training.online.tally import Tally

log = structlog.get_logger("hilum.evaluate_online")


def rounds(
    one: Callable[[Tally], object],
    gauges: EvaluationGauges,
    out: Path,
    pause_seconds: float,
    sleep: Callable[[float], object] = time.sleep,
    count: int | None = None,
) -> None:
    """Do `one` round after the other (`count`; None: for ever), each with results of its own in `out`.

    `gauges` show the last round that is whole: a round of ten films says nothing yet. A service that is not ready is
    asked again after the pause, and the figures stay; the round before is kept beside `out`.
    """
    done = 0
    while count is None or done < count:
        if out.exists():
            out.replace(out.with_name(f"{out.name}.before"))
        tally = Tally()
        try:
            one(tally)
            gauges.follow(tally)
        except (NotReady, BadData) as error:
            log.warning("a round could not be done", reason=str(error))
        done += 1
        if count is None or done < count:
            sleep(pause_seconds)
