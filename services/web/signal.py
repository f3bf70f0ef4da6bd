"""Wakes a worker from any thread."""

from __future__ import annotations

import asyncio


class Signal:
    """An event that a thread may set and one event loop waits for. Lost wakes are harmless: workers also poll."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def bind(self) -> None:
        """Belong to the running loop; called once, in it, before the worker waits."""
        self._loop = asyncio.get_running_loop()

    def set(self) -> None:
        """Wake the worker; before `bind` and after the loop's end this does nothing."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Return when set, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
