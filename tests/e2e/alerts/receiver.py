"""Runs in a pod: takes what Alertmanager sends, and shows it. One path refuses while `/refuse` says so."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN: list[dict[str, object]] = []
REFUSED: set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        team = self.path.strip("/")
        if team.startswith(("refuse/", "take/")):
            word, _, whose = team.partition("/")
            (REFUSED.add if word == "refuse" else REFUSED.discard)(whose)
        elif team in REFUSED:
            self.send_error(500)
            return
        for alert in body.get("alerts", []):
            labels = alert["labels"]
            page = alert["annotations"].get("runbook_url", "")
            told = {"at": time.time(), "team": team, "alert": labels["alertname"], "status": alert["status"]}
            about = {"started": alert["startsAt"], "page": page}
            SEEN.append(told | about | {key: labels.get(key, "") for key in ("namespace", "sans")})
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(SEEN).encode())

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("", 8080), Receiver).serve_forever()
