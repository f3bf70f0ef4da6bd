"""Steps by pull request: real Git; the API is a small server that answers as Gitea's and GitHub's do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from services.promoter.pulls import Pulls
from services.promoter.states import State
from tests.fixtures.git import git, subjects
from tests.services.promoter.site import OLD, Site
from tests.services.promoter.test_journey import APPROVE, until


@pytest.fixture
def api() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Address of the API, and the requests that it holds."""
    held: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(held)

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made = {"number": len(held) + 1, "state": "open", "head": {"ref": given["head"]}, "html_url": "http://x/1"}
            held.append({**given, **made})
            self._answer(held[-1])

        def _answer(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api/v1/repos/hospital/hilum", held
    server.shutdown()
    server.server_close()


def test_the_step_into_production_is_asked_for_once_and_made_when_it_is_merged_and_going_back_asks_nobody(
    lone_site: Site, api: tuple[str, list[dict[str, Any]]]
) -> None:
    url, held = api
    site = lone_site
    digest = site.bring_to(State.AWAITING_APPROVAL)
    promoter = site.promoter()
    promoter.parts.pulls = Pulls(url, "main", "secret", "production")
    promoter.act(APPROVE)
    assert held == [], "what does not lead into production is pushed"
    assert "waits to be merged" in promoter.turn().waits
    # A promoter that has just started finds its own request again.
    again = site.promoter("two")
    again.parts.pulls = promoter.parts.pulls
    assert "waits to be merged" in again.turn().waits
    (request,) = held
    assert (request["base"], site.ledger().state) == ("main", State.AWAITING_APPROVAL)
    assert site.digests()["production"] == OLD
    assert subjects(site.bare, request["head"]["ref"])[-1].endswith("awaiting-approval -> production")
    request["state"] = "closed"
    assert "was closed" in again.turn().waits
    git("update-ref", "refs/heads/main", f"refs/heads/{request['head']['ref']}", folder=site.bare)
    site.verdicts["guard"] = "fail"
    until(again, State.WAITING)
    assert len(held) == 1 and site.digests()["production"] == OLD
    assert site.ledger().ended[0].candidate.digest == digest
