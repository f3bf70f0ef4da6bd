"""A typed client of feedback: append a read, page through the ledger."""

from __future__ import annotations

from typing import TypeVar

import httpx
from pydantic import ValidationError

from hilum.clients.base import Refused, Unavailable, request
from hilum.wire import ReadIn, Readiness, ReadOut, ReadPage, Wire

W = TypeVar("W", bound=Wire)


class FeedbackClient:
    """Feedback at `client`'s base URL: `over_network(url)` or `in_process(app)` of `hilum.clients.base`.

    Every call raises Unavailable (send the same later) or Refused.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def append(self, read: ReadIn, key: str, synthetic: bool = False) -> ReadOut:
        """Have `read` kept under the idempotency key `key`; on disk when this returns.

        The same read again gives the one that is kept; another read under the key is Refused with status 409.
        A synthetic read goes the whole way and is not kept.
        """
        answer = await request(
            self._client,
            "POST",
            "/v1/reads",
            content=read.model_dump_json(),
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
            params={"synthetic": "true"} if synthetic else None,
        )
        return _parsed(ReadOut, answer)

    async def reads_since(self, sequence: int, limit: int = 100) -> ReadPage:
        """At most `limit` (1 to 1000) reads after `sequence`, in the ledger's order."""
        params = {"since": sequence, "limit": limit}
        return _parsed(ReadPage, await request(self._client, "GET", "/v1/reads", params=params))

    async def ready(self) -> Readiness:
        """Whether feedback can keep a read now, with its reasons; not to be reached is a reason too."""
        try:
            answer = await self._client.get("/readyz")
            return Readiness.model_validate_json(answer.content)
        except httpx.TransportError as error:
            return Readiness(ready=False, reasons=[f"feedback can't be reached: {type(error).__name__}"])
        except ValidationError:
            return Readiness(ready=False, reasons=[f"feedback answered {answer.status_code} without its readiness"])

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def _parsed(model: type[W], answer: httpx.Response) -> W:
    """The answer as `model`. What is no answer of feedback (a proxy's page) is no acknowledgement either."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unavailable(f"feedback's answer ({answer.status_code}) is not a {model.__name__}") from error


__all__ = ["FeedbackClient", "Refused", "Unavailable"]
