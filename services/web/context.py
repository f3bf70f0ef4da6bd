"""What every handler and worker needs: settings, rows, bytes, and the two services it asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from hilum.clients.feedback import FeedbackClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hilum.clients.inference import InferenceClient
from hilum.storage import Blobs, plain_errors, reading, session_factory
from hilum.triage import TriagePolicy
from services.web.settings import WebSettings
from services.web.signal import Signal


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Web:
    """The running service. `films_waiting` and `reads_waiting` wake the workers of this process."""

    settings: WebSettings
    engine: Engine
    blobs: Blobs
    inference: InferenceClient
    feedback: FeedbackClient
    decoders: ThreadPoolExecutor
    films_waiting: Signal = field(default_factory=Signal)
    reads_waiting: Signal = field(default_factory=Signal)

    @property
    def reader(self) -> str:
        """Who is signed in."""
        return self.settings.reader

    @property
    def policy(self) -> TriagePolicy:
        """The site's target waits."""
        return self.settings.policy

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot of the rows; raises DatabaseUnavailable."""
        with plain_errors(), session_factory(reading(self.engine))() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed (on disk) when the block ends well; raises DatabaseUnavailable."""
        with plain_errors(), session_factory(self.engine).begin() as session:
            yield session


def get_web(request: Request) -> Web:
    """The running service, from the application's state."""
    web: Web = request.app.state.web
    return web


WebDep = Annotated[Web, Depends(get_web)]
