"""How often somebody may ask, in bounded memory: token buckets, the longest unused forgotten first."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable

KEYS = 20_000


class Buckets:
    """`burst` tokens to begin with, `per_second` more, for each key. A full bucket is the same as a forgotten one."""

    def __init__(self, burst: float, per_second: float, keys: int = KEYS) -> None:
        self.burst = burst
        self.per_second = per_second
        self.keys = keys
        self._state: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._state)

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until the next is allowed; 0.0: now. Takes nothing."""
        tokens = self._tokens(key, now)
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / self.per_second

    def take(self, key: Hashable, now: float) -> float:
        """Take a token and return 0.0, or return the seconds until there is one."""
        if wait := self.wait(key, now):
            return wait
        self._state[key] = (self._tokens(key, now) - 1.0, now)
        self._state.move_to_end(key)
        if len(self._state) > self.keys:
            self._state.popitem(last=False)
        return 0.0

    def forget(self, key: Hashable) -> None:
        """A full bucket again."""
        self._state.pop(key, None)

    def _tokens(self, key: Hashable, now: float) -> float:
        tokens, at = self._state.get(key, (self.burst, now))
        return min(self.burst, tokens + max(now - at, 0.0) * self.per_second)


def network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: one subscriber has all of it."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class LoginLimits:
    """Five tries of a name from one network, then one in twelve seconds; sixty of all names, then one a second.

    Nothing counts against a name alone: whoever guesses at a colleague's password from elsewhere locks nobody out, and
    from the same network for twelve seconds.
    """

    def __init__(self) -> None:
        self.by_name = Buckets(5, 1 / 12)
        self.by_network = Buckets(60, 1.0)

    def take(self, address: str, name: str, now: float) -> float:
        """Seconds to wait; 0.0: the try is allowed and counted."""
        place = network(address)
        key = (place, name.casefold()[:128])
        if wait := max(self.by_name.wait(key, now), self.by_network.wait(place, now)):
            return wait
        self.by_name.take(key, now)
        self.by_network.take(place, now)
        return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """The name's own count begins anew."""
        self.by_name.forget((network(address), name.casefold()[:128]))
