"""`python -m services.web.drift`: judge every site once and end; the CronJob's command. Status 1 says in a line why."""

from __future__ import annotations

import asyncio
import sys

from hilum.clients.base import Refused, Unavailable, over_network
from hilum.clients.inference import InferenceClient
from hilum.settings import from_environment
from hilum.storage import DatabaseUnavailable, make_engine
from hilum.telemetry import configure_logging
from hilum.wire import ReferenceOut, ReleaseRef
from services.web.context import utc_now
from services.web.drift.job import run
from services.web.drift.wire import DriftOut
from services.web.settings import WebSettings


async def ask(settings: WebSettings) -> tuple[ReleaseRef, ReferenceOut | None]:
    """Which release is served, and its reference statistics. Raises what inference's client raises."""
    async with over_network(settings.inference_url) as http:
        client = InferenceClient(http)
        return (await client.model()).release, await client.reference()


def check(settings: WebSettings) -> list[DriftOut]:
    """One run; raises SystemExit with one line where inference or the database is away."""
    try:
        release, reference = asyncio.run(ask(settings))
        return run(make_engine(settings.database("web")), settings, release, reference, utc_now())
    except (Unavailable, Refused) as error:
        sys.exit(f"inference can't be asked for its release: {error}")
    except DatabaseUnavailable as error:
        sys.exit(f"the database can't be used: {error}")


def main() -> None:
    """Entry point."""
    settings = from_environment(WebSettings)
    configure_logging(settings.log_level, settings.log_format, settings.patient_salt)
    check(settings)


if __name__ == "__main__":
    main()
