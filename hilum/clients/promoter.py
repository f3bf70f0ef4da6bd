"""A typed client of the promoter: where a promotion stands, its records, and commands."""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from hilum.clients.base import Refused, Unavailable, request
from hilum.wire_promotion import Command, CommandIn, PromotionStatus


class PromoterClient:
    """The promoter at `client`'s base URL, asked with `token`. Every call raises Unavailable or Refused."""

    def __init__(self, client: httpx.AsyncClient, token: str = "") -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def status(self) -> PromotionStatus:
        """Where the promotion stands, by the promoter's last turn."""
        return _parsed(await request(self._client, "GET", "/v1/promotion", headers=self._headers))

    async def act(self, command: Command, reason: str, by: str = "") -> PromotionStatus:
        """Give a command, `by` a person where the token may speak for others; committed when this returns."""
        body = CommandIn(reason=reason, by=by)
        headers = {**self._headers, "Content-Type": "application/json"}
        return _parsed(
            await request(
                self._client, "POST", f"/v1/promotion/{command}", content=body.model_dump_json(), headers=headers
            )
        )

    async def record(self, key: str) -> tuple[bytes, str]:
        """The bytes of a gate's record, or of its HTML, and their media type."""
        answer = await request(self._client, "GET", f"/v1/promotion/records/{key}", headers=self._headers)
        return answer.content, answer.headers.get("content-type", "application/json")

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def _parsed(answer: httpx.Response) -> PromotionStatus:
    try:
        return PromotionStatus.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unavailable(f"the promoter's answer ({answer.status_code}) is not its status") from error


__all__ = ["PromoterClient", "Refused", "Unavailable"]
