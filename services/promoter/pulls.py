"""Steps that go by a pull request instead of a push, as Gitea, Forgejo and GitHub take them.

The branch is named after the generation that it would make, so that a killed promoter finds its own request again. What
goes back never goes this way: a rollback waits for nobody.
"""

from __future__ import annotations

from typing import Any

import httpx

from services.promoter.states import CANARY, State

FORWARD = {
    "production": frozenset({State.PRODUCTION}),
    "all": frozenset({State.STAGING, *CANARY, State.AWAITING_APPROVAL, State.PRODUCTION}),
}


class PullsUnavailable(Exception):
    """The Git host's API does not answer as it should; try again later."""


class Pulls:
    """The repository's API at `url` (.../repos/OWNER/NAME), for steps into the states of `scope`."""

    def __init__(self, url: str, base: str, token: str, scope: str) -> None:
        self._base = base
        self._states = FORWARD[scope]
        headers = {"Accept": "application/json", **({"Authorization": f"token {token}"} if token else {})}
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=20, headers=headers, follow_redirects=False)

    def wanted(self, state: State) -> bool:
        """Whether a step into `state` is asked for, not made."""
        return state in self._states

    def ensure(self, branch: str, message: str) -> str:
        """Open the request for `branch` where there is none yet; says how it stands. Raises PullsUnavailable."""
        found = next((p for p in self._all() if (p.get("head") or {}).get("ref") == branch), None)
        if found is None:
            title, _, body = message.partition("\n")
            given = {"title": title, "head": branch, "base": self._base, "body": body.strip()}
            found = self._ask("POST", "/pulls", json=given)
        where = found.get("html_url") or f"number {found.get('number')}"
        if found.get("state") == "closed" and not (found.get("merged") or found.get("merged_at")):
            return f"the pull request {where} was closed: reject the promotion, or open it again"
        return f"the pull request {where} waits to be merged"

    def _all(self) -> list[dict[str, Any]]:
        found = self._ask("GET", "/pulls", params={"state": "all", "limit": "50", "per_page": "50"})
        return found if isinstance(found, list) else []

    def _ask(self, method: str, path: str, **kw: Any) -> Any:
        try:
            return self._client.request(method, path, **kw).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise PullsUnavailable(f"pull requests: {type(error).__name__} {error}"[:300]) from error
