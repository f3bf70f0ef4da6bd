"""What a fault is, and how one is proven: broken, watched until its alerts fire and are delivered, mended, watched."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.e2e.alerts.results import Row, keep
from tests.e2e.alerts.site import Site
from tests.e2e.alerts.watch import Watch

LOOK_SECONDS = 4.0


@dataclass(frozen=True)
class Fault:
    """`start` breaks something, `stop` mends it; `alerts` must fire in between and be resolved afterwards.

    `batch`: batches follow one another; 0 disturbs nothing and runs beside all others. Within one, `lane`s run at the
    same time and the faults of a lane one after another; without a lane a fault has its own. `fast`: alerts that are
    watched in faster time, by its factor. `ready` is done before anything is broken; `start` may return the time from
    which its fault counts: what it did before was to prepare it.
    """

    name: str
    batch: int
    alerts: tuple[str, ...]
    start: Callable[[Site], object]
    stop: Callable[[Site], object]
    lane: str = ""
    fast: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    minutes: float = 35.0
    rest_minutes: float = 6.0
    ready: Callable[[Site], object] | None = None

    @property
    def expected(self) -> set[tuple[int, str]]:
        """Each alert with its factor."""
        named = {(factor, alert) for factor, alerts in self.fast.items() for alert in alerts}
        return {(1, alert) for alert in self.alerts} | named


@dataclass
class Proof:
    """One fault while it is proven."""

    fault: Fault
    watches: Mapping[int, Watch]
    started: float = 0.0
    fired: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    resolved: dict[tuple[int, str], float] = field(default_factory=dict)

    def run(self, site: Site) -> threading.Thread:
        """Break, watch and mend; a fault that can't be made is told, and hinders no other. Who waits for the end of its
        alerts is given back: the next fault need not wait for that.
        """
        try:
            began = time.time()
            at = self.fault.start(site)
            self.started = at if isinstance(at, float) else began
            say(f"{self.fault.name}")
            self._watch()
        except Exception:
            say(f"FAILED: {self.fault.name}\n{traceback.format_exc()}")
        try:
            self.fault.stop(site)
        except Exception:
            say(f"NOT MENDED: {self.fault.name}\n{traceback.format_exc()}")
        rest = threading.Thread(target=self._rest, args=(time.time(),))
        rest.start()
        return rest

    def _watch(self) -> None:
        end = time.time() + self.fault.minutes * 60
        while time.time() < end and not (self.fault.expected <= set(self.fired) and self._told()):
            for factor, alert in self.fault.expected - set(self.fired):
                since = self.watches[factor].firing().get(alert)
                if since is not None:
                    at = time.time()
                    if since < self.started:
                        told = self.watches[factor].fired_at(alert)
                        # An earlier time is that of an earlier firing.
                        at = told if told > since else at
                    self.fired[factor, alert] = (since, at)
                    say(f"  fires ({factor} x): {alert} after {time.time() - self.started:.0f} s")
            self._rows()
            # Grows with what is waited for: a proof that waits for minutes need not ask each second.
            time.sleep(LOOK_SECONDS)
        missing = sorted(self.fault.expected - set(self.fired))
        if missing:
            say(f"  NOT FIRED: {missing} of {self.fault.name}")

    def _rest(self, stopped: float) -> None:
        end = stopped + self.fault.rest_minutes * 60
        while time.time() < end and set(self.fired) - set(self.resolved):
            for factor, alert in set(self.fired) - set(self.resolved):
                if self._message(factor, alert, "resolved") or alert not in self.watches[factor].firing():
                    self.resolved[factor, alert] = time.time()
            self._rows()
            time.sleep(LOOK_SECONDS)
        # Alertmanager tells of it a little later.
        time.sleep(12)
        self._rows()
        still = sorted(set(self.fired) - set(self.resolved))
        say(f"  over: {self.fault.name}{f'; STILL FIRES: {still}' if still else ''}")

    def _told(self) -> bool:
        """Whether each was delivered; what another alert holds back is waited for no longer than a minute."""
        waits = [self._message(*key, "firing") is None and time.time() - at < 60 for key, (_, at) in self.fired.items()]
        return not any(waits)

    def _message(self, factor: int, alert: str, status: str) -> dict[str, object] | None:
        told = self.watches[factor].received()
        after = [one for one in told if one["alert"] == alert and one["status"] == status and one["at"] > self.started]
        return after[0] if after else None

    def _rows(self) -> None:
        for (factor, alert), (since, at) in self.fired.items():
            # What was broken from the beginning counts from when it showed.
            started = min(self.started, since)
            firing = self._message(factor, alert, "firing")
            told = None if firing is None else float(str(firing["at"]))
            keep(
                Row(
                    alert=alert,
                    factor=factor,
                    cause=self.fault.name,
                    date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                    seen_after=max(since - started, 0.0),
                    # It had fired when it was told, whenever it was looked for.
                    fired_after=min(at, told or at) - started,
                    delivered_after=None if told is None else told - started,
                    team="" if firing is None else str(firing["team"]),
                    resolved=self._message(factor, alert, "resolved") is not None or (factor, alert) in self.resolved,
                )
            )


def say(text: str) -> None:
    """With the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()
