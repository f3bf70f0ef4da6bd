"""kill -9 before and after every change that the promoter makes anywhere: it continues, or it reverts, and never both.

All that it changes goes through one door, which kills it: before the change is passed on, and, at the next try, after
it was made but before it is answered.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow.tracking import MlflowClient

from services.promoter.machine import Event
from services.promoter.states import Kind, State
from tests.fixtures.git import backend, body_of, git, subjects
from tests.services.promoter.conftest import Ask
from tests.services.promoter.site import OLD, Site

TURNS = 25


@dataclass
class Door:
    """Forwards to Git's repository `bare` and to MLflow; kills the promoter at each new change, twice."""

    bare: Path
    mlflow: str
    victim: int = 0
    deadly: bool = True
    seen: dict[str, int] = field(default_factory=dict)
    kills: int = 0

    def kill(self) -> None:
        """End the promoter and what it started, at once."""
        victim, self.victim = self.victim, 0
        if victim:
            self.kills += 1
            with contextlib.suppress(ProcessLookupError):
                os.killpg(victim, signal.SIGKILL)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Pass one request on, with or without a murder."""
        body = body_of(request)
        deadly = self.deadly and _changes(request, body)
        # A change is known by what is asked and by how far Git has come: a push's bytes hold its own time.
        commits = len(subjects(self.bare))
        what = f"{request.command} {request.path.split('?')[0]} {commits} {'' if 'git-' in request.path else body!r}"
        times = self.seen.setdefault(what, 0) if deadly else 2
        if deadly:
            self.seen[what] += 1
        if times == 0:
            self.kill()
            return
        if request.path.startswith("/git/"):
            request.path = request.path.removeprefix("/git")
            if times == 1:
                request.wfile = _Nowhere()  # type: ignore[assignment]
            backend(request, self.bare.parent, body)
        else:
            self._forward(request, body, answered=times != 1)
        if times == 1:
            self.kill()

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes, *, answered: bool) -> None:
        kept = {k: v for k, v in request.headers.items() if k.lower() in {"content-type", "accept"}}
        found = httpx.request(
            request.command, f"{self.mlflow}{request.path}", content=body, headers=kept, trust_env=False, timeout=60
        )
        if answered:
            request.send_response(found.status_code)
            request.send_header("Content-Type", found.headers.get("content-type", "application/json"))
            request.send_header("Content-Length", str(len(found.content)))
            request.end_headers()
            request.wfile.write(found.content)


class _Nowhere:
    def write(self, _: bytes) -> int:
        return 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    closed = False


def _changes(request: BaseHTTPRequestHandler, body: bytes) -> bool:
    if request.path.endswith("/git-receive-pack"):
        return len(body) > 100  # shorter ones only ask whether a push would be let in
    return request.command in {"POST", "DELETE", "PATCH"} and not request.path.startswith("/git/")


@pytest.fixture
def door(site: Site) -> Iterator[Door]:
    made = Door(site.bare, site.mlflow_url)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            with contextlib.suppress(OSError):
                made.answer(self)

        do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    site.git_url, site.mlflow_url = f"{address}/git/{site.bare.name}", address
    yield made
    server.shutdown()
    server.server_close()


def life(site: Site, door: Door) -> bool:
    """One life of a promoter in a process of its own, until the promotion has ended; whether nobody killed it."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            os.read(ready, 1)
            promoter = site.promoter()
            for _ in range(TURNS):
                view = promoter.turn()
                if view.ledger.state is State.AWAITING_APPROVAL and not view.ledger.current.approved_by:  # type: ignore[union-attr]
                    promoter.act(Event(Kind.APPROVE, "the figures hold", by="anna"))
                if view.ledger.ended and not view.ledger.current and not view.away:
                    code = 0
                    break
        finally:
            os._exit(code)
    door.victim = child
    os.write(go, b"x")
    os.close(go)
    os.close(ready)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the promoter gave up by itself"
    return not os.WIFSIGNALED(status)


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_killed_at_every_change_it_continues_or_reverts_and_never_both(
    site: Site, ask: Ask, registry: MlflowClient, door: Door, verdict: str
) -> None:
    site.rules = replace(site.rules, exposure=())
    number, digest = ask()
    if verdict == "fail":
        site.verdicts["canary"] = "fail"
    lives = 1
    while not life(site, door):
        lives += 1
        assert lives < 80, door.seen
    assert door.kills == lives - 1 >= (24 if verdict == "pass" else 12), door.seen
    steps = [subject.split(") ")[-1] for subject in subjects(site.bare)[1:] if not subject.endswith("approved")]
    way = ["candidate", "staging", "canary-shadow", "awaiting-approval", "production", "guarded"]
    way = [*way, "done"] if verdict == "pass" else ["candidate", "staging", "canary-shadow", "rejected"]
    assert steps == [f"{a} -> {b}" for a, b in pairwise(way)], "each step was made once"
    assert [s for s in subjects(site.bare) if s.endswith("approved")] == [] or verdict == "pass"
    assert len(subjects(site.bare)) == len(steps) + 1 + (verdict == "pass")
    assert git("rev-list", "--merges", "main", folder=site.bare) == ""
    here = digest if verdict == "pass" else OLD
    assert site.digests() == dict.fromkeys(("staging", "canary", "production"), here)
    assert site.ledger().generation == len(subjects(site.bare)) - 1
    aliases = registry.get_registered_model(site.model).aliases
    assert aliases == ({"staging": number, "production": number} if verdict == "pass" else {})
    tags = registry.get_model_version(site.model, number).tags
    assert ("hilum.rejected" in tags) == (verdict == "fail")
