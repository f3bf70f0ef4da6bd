"""A load generator: N connections that each send the same request again as soon as its answer is there.

Raw asyncio, so that the generator costs little of the two cores that it shares with the server.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """One request: path, headers and body."""

    path: str
    body: bytes
    content_type: str = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()

    def raw(self, port: int) -> bytes:
        """The bytes on the wire."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass
class Seen:
    """Seconds of each answered request, and how many answers had another status than 200."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    first_refusal: str = ""


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    names = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "content-length" in names:
        return status, await reader.readexactly(int(names["content-length"]))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return status, body


async def _connection(port: int, request: bytes, until: float, seen: Seen) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        while (began := time.perf_counter()) < until:
            writer.write(request)
            status, body = await _answer(reader)
            if status == 200:
                seen.seconds.append(time.perf_counter() - began)
            else:
                seen.refused += 1
                seen.first_refusal = seen.first_refusal or f"{status} {body[:200]!r}"
                await asyncio.sleep(0.05)
    finally:
        writer.close()


async def _load(port: int, call: Call, connections: int, seconds: float) -> tuple[Seen, float]:
    seen, request = Seen(), call.raw(port)
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_connection(port, request, until, seen) for _ in range(connections)))
    return seen, time.perf_counter() - began


def load(port: int, call: Call, connections: int, seconds: float) -> tuple[Seen, float]:
    """Load the server on loopback for about `seconds`; what was seen, and how long it really took."""
    return asyncio.run(_load(port, call, connections, seconds))


def once(port: int, call: Call) -> tuple[int, bytes]:
    """One request: status and body."""

    async def ask() -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        try:
            writer.write(call.raw(port))
            return await _answer(reader)
        finally:
            writer.close()

    return asyncio.run(ask())
