"""The thread that sends a run's journal while the training goes on."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.tracking.deliver import Busy, deliver
from training.tracking.journal import Journal
from training.tracking.place import Place, TrackingUnavailable, client

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

LOOK_SECONDS = 1.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of a run's events. `left`: not sent; then `reason` says why and `hilum runs sync` sends them."""

    run_id: str | None
    left: int
    interruptions: int
    refused: tuple[str, ...]
    reason: str


class Sender:
    """Sends `journal` to `where` as it grows; away means wait and try again, longer each time."""

    def __init__(self, journal: Journal, where: Place, made: MlflowClient | None = None) -> None:
        self._journal, self._where, self._client = journal, where, made
        self._refused: tuple[str, ...] = ()
        self._interruptions = 0
        self._reason = ""
        self._wait = FIRST_WAIT_SECONDS
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow-sender", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, grace_seconds: float) -> Outcome:
        """Send the rest, for at most `grace_seconds` if MLflow is away."""
        run_id = self._journal.state.run_id
        self._closing.set()
        self._thread.join(grace_seconds + 60)
        deadline = time.monotonic() + grace_seconds
        # A thread that hangs in a request holds the lock: deliver says Busy, and the rest is for `hilum runs sync`.
        while not self._once() and time.monotonic() < deadline:
            time.sleep(min(1.0, self._wait))
        left = self._journal.unsent if self._journal.folder.exists() else 0
        run_id = run_id or (self._journal.state.run_id if self._journal.folder.exists() else None)
        return Outcome(run_id, left, self._interruptions, self._refused, self._reason if left else "")

    def _work(self) -> None:
        while not self._closing.is_set():
            self._closing.wait(LOOK_SECONDS if self._once() else self._wait)

    def _once(self) -> bool:
        """Send what there is; False where MLflow is away."""
        if not self._journal.folder.exists() or not self._journal.unsent:
            return True
        try:
            self._client = self._client or client(self._where)
            sent = deliver(self._journal, self._where, self._client)
        except (TrackingUnavailable, Busy) as error:
            if not self._reason:
                self._interruptions += 1
            self._reason = str(error)
            self._client = None
            self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)
            return False
        self._reason, self._wait = "", FIRST_WAIT_SECONDS
        self._refused = sent.refused
        return True
