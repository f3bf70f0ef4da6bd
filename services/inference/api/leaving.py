"""A sender who leaves: his film, where it still waits, is not begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.requests import ClientDisconnect

# Most films are answered before: only one that waits is worth a watch.
PATIENCE_SECONDS = 0.03


@asynccontextmanager
async def unless_left(request: Request) -> AsyncIterator[None]:
    """Cancel the block, and raise ClientDisconnect, where the sender leaves within it; the body must be read before."""
    current = asyncio.current_task()
    assert current is not None  # noqa: S101 - a route runs in a task
    loop = asyncio.get_running_loop()
    left = False
    watching: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left = True
        current.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    timer = loop.call_later(PATIENCE_SECONDS, begin)
    try:
        yield
    except asyncio.CancelledError:
        # Cancelled by the watch alone, not by the end of the process too.
        if left and current.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        if watching is not None:
            watching.cancel()
