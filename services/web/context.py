"""What every handler and worker needs: settings, rows, bytes, and the two services it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hilum.clients.feedback import FeedbackClient
from hilum.clients.inference import InferenceClient
from hilum.storage import Blobs, DatabaseUnavailable, plain_errors, reading, session_factory
from hilum.triage import TriagePolicy
from services.web.identity.person import current
from services.web.live import Hub
from services.web.settings import WebSettings
from services.web.shadow.canary import Canary
from services.web.signal import Signal

# How long a request waits for the tables in the first moments of a start.
PREPARE_SECONDS = 3.0


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Web:
    """The running service.

    Uploads run in threads of their own (`ingesters`), and decode in `decoders`: however many come, pages are answered.
    `canary` is canary's inference, None where none is configured. `films_waiting` and `reads_waiting` wake the workers
    of this process; `hub` tells its open pages. `prepared` is set once the tables are there.
    """

    settings: WebSettings
    engine: Engine
    blobs: Blobs
    inference: InferenceClient
    feedback: FeedbackClient
    decoders: ThreadPoolExecutor
    ingesters: ThreadPoolExecutor
    canary: Canary | None = None
    prepared: threading.Event = field(default_factory=threading.Event)
    films_waiting: Signal = field(default_factory=Signal)
    reads_waiting: Signal = field(default_factory=Signal)
    results_waiting: Signal = field(default_factory=Signal)
    hub: Hub = field(default_factory=Hub)

    @property
    def reader(self) -> str:
        """The name of who asks in this request; of the one person of `make run` outside of requests."""
        person = current()
        if person is None and self.settings.signs_in:
            raise LookupError("nobody is signed in here")
        return person.name if person is not None else self.settings.reader

    @property
    def is_lead(self) -> bool:
        """Whether who asks in this request may ask for second reads and adjudicate."""
        person = current()
        return person is not None and person.may("lead")

    @property
    def policy(self) -> TriagePolicy:
        """The site's target waits."""
        return self.settings.policy

    def served_by(self, digest: str) -> InferenceClient:
        """Who serves release `digest`: canary, where it does, else production's inference."""
        model = None if self.canary is None else self.canary.model
        if self.canary is not None and not self.canary.same and model is not None and model.release.digest == digest:
            return self.canary.client
        return self.inference

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot of the rows; raises DatabaseUnavailable. Blocks: use it in a thread."""
        self._wait()
        with plain_errors(), session_factory(reading(self.engine))() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed (on disk) when the block ends well; raises DatabaseUnavailable."""
        self._wait()
        with plain_errors(), session_factory(self.engine).begin() as session:
            yield session

    def _wait(self) -> None:
        if not self.prepared.wait(PREPARE_SECONDS):
            raise DatabaseUnavailable("the tables are not ready yet")


def get_web(request: Request) -> Web:
    """The running service, from the application's state."""
    web: Web = request.app.state.web
    return web


WebDep = Annotated[Web, Depends(get_web)]
