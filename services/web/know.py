"""Learn a release's findings before its first answer is kept, so that the answer can be read without inference."""

from __future__ import annotations

import asyncio

from hilum.wire import ReleaseRef
from services.web.context import Web, utc_now
from services.web.releases import keep_release, known_release


async def know_release(web: Web, release: ReleaseRef) -> None:
    """Ask production's inference about its release where neither it nor canary's is known by this key.

    Raises what inference's client raises.
    """

    def known() -> bool:
        with web.read() as session:
            return known_release(session, release.digest, release.precision)

    if not await asyncio.to_thread(known):
        info = await web.inference.model()

        def keep() -> None:
            with web.write() as session:
                keep_release(session, info, utc_now())

        await asyncio.to_thread(keep)
