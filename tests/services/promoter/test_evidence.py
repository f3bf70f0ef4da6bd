"""What the promoter asks the reading room leaves as HTTP: with its token, or without one where none is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from services.promoter.bundle import Bundle
from services.promoter.evidence import Evidence
from services.promoter.promotion import Candidate, Promotion
from services.promoter.states import State
from tests.services.promoter.site import record

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CANDIDATE = Candidate("hilum-default", "7", "1.2.0", "b" * 64, "fp32")
PROMOTION = Promotion(
    1, CANDIDATE, State.CANARY_SHADOW, 3, NOW, NOW, {"production": Bundle("a" * 64, "fp32", (), "main")}
)


class Room(BaseHTTPRequestHandler):
    """A room that keeps what it was sent, and always passes."""

    sent: list[str | None]

    def do_GET(self) -> None:
        self.sent.append(self.headers.get("Authorization"))
        body = record("canary", PROMOTION, "pass").to_json()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def room() -> Iterator[str]:
    Room.sent = []
    server = HTTPServer(("127.0.0.1", 0), Room)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("token", "sent"), [("", None), ("hilum_1", "Bearer hilum_1")])
def test_a_room_that_asks_for_no_token_is_sent_none(room: str, token: str, sent: str | None) -> None:
    """An empty token once made a header that no client sends: canary's evidence was an error for ever."""
    assert Evidence(room, lambda: token, None)(PROMOTION, NOW).verdict == "pass"
    assert Room.sent == [sent]
