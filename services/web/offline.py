"""The reading room's rows without a running service, for commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from hilum.clients.base import over_network
from hilum.clients.feedback import FeedbackClient
from hilum.clients.inference import InferenceClient
from hilum.storage import make_engine, open_blobs, upgrade
from services.web.context import Web
from services.web.settings import WebSettings
from services.web.work import MIGRATIONS


@contextlib.contextmanager
def open_web(settings: WebSettings) -> Iterator[Web]:
    """Rows and bytes, migrated; nothing runs beside. Raises DatabaseUnavailable."""
    engine = make_engine(settings.database("web"))
    with ThreadPoolExecutor(1) as threads:
        web = Web(
            settings=settings,
            engine=engine,
            blobs=open_blobs(settings.blobs(), settings.s3_endpoint),
            inference=InferenceClient(over_network(settings.inference_url)),
            feedback=FeedbackClient(over_network(settings.feedback_url)),
            decoders=threads,
            ingesters=threads,
        )
        upgrade(engine, "web", MIGRATIONS)
        web.prepared.set()
        try:
            yield web
        finally:
            engine.dispose()
