"""A queue in which the clients take turns: first come, first served within a client, one each across clients."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Not safe across threads: who shares it holds a lock."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def waiting(self, client: str) -> int:
        """How many of `client`'s items wait."""
        return len(self._lines.get(client, ()))

    def before(self, client: str) -> int:
        """How many items have their turn before one that `client` would add now."""
        own = self.waiting(client)
        return sum(min(len(line), own + (name != client)) for name, line in self._lines.items())

    def push(self, client: str, item: T) -> None:
        """Add `item` at the end of `client`'s line."""
        self._lines.setdefault(client, deque()).append(item)
        self._length += 1

    def pop(self) -> T | None:
        """Take the next item; None where nothing waits."""
        if not self._lines:
            return None
        client, line = next(iter(self._lines.items()))
        item = line.popleft()
        self._after(client, line)
        if line:
            self._lines.move_to_end(client)
        return item

    def longest(self) -> str:
        """The client with most items; raises ValueError where nothing waits."""
        return max(self._lines, key=lambda name: len(self._lines[name]))

    def pop_last(self, client: str) -> T:
        """Take back the newest item of `client`; raises KeyError where it has none."""
        line = self._lines[client]
        item = line.pop()
        self._after(client, line)
        return item

    def remove(self, client: str, item: T) -> bool:
        """Take out `item`; False where it no longer waits."""
        line = self._lines.get(client)
        if line is None or item not in line:
            return False
        line.remove(item)
        self._after(client, line)
        return True

    def _after(self, client: str, line: deque[T]) -> None:
        self._length -= 1
        if not line:
            del self._lines[client]
