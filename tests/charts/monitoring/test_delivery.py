"""The real Alertmanager with the chart's own configuration: a mail and a chat arrive, and again when it is over."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.charts.monitoring.promtool import RULES
from tests.charts.tools import ROOT, named, objects
from tests.fixtures.mail import relay
from tests.fixtures.ports import free_ports

CI = ROOT / "charts/monitoring/ci/own-values.yaml"
PASSWORD = "a-relay's-password"


@dataclass
class Delivery:
    """The running Alertmanager and what was delivered: to the relay, to the chat, to the pager (with its token)."""

    url: str
    mails: list[EmailMessage]
    chats: list[dict[str, Any]]
    pages: list[tuple[str, dict[str, Any]]]

    def tell(self, alert: dict[str, Any], *, over: bool = False, **labels: str) -> None:
        """As Prometheus does; `over`: it is resolved."""
        now = datetime.now(UTC)
        body = {
            "labels": {"alertname": alert["alert"], **alert["labels"], "environment": "production", **labels},
            "annotations": alert["annotations"],
            "startsAt": (now - timedelta(minutes=7)).isoformat(),
            "endsAt": (now - timedelta(seconds=1) if over else now + timedelta(minutes=5)).isoformat(),
        }
        httpx.post(f"{self.url}/api/v2/alerts", json=[body], trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("alertmanager is not here: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("delivery")
    chats: list[dict[str, Any]] = []
    pages: list[tuple[str, dict[str, Any]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/chat":
                chats.append(body)
            else:
                pages.append((self.headers.get("Authorization", ""), body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{receiver.server_port}"
    with relay(folder, "hilum", PASSWORD) as (port, authority, mails):
        smarthost = {"alertmanager__smtp__smarthost": f"127.0.0.1:{port}"}
        waits = {"alertmanager__groupWait": "0s", "alertmanager__groupInterval": "1s"}
        made = named(objects("monitoring", CI, **smarthost, **waits), "ConfigMap", "alertmanager")
        text = made["data"]["alertmanager.yaml"].replace("/etc/alertmanager-secret", str(folder))
        (folder / "alertmanager.yaml").write_text(text.replace("https://pager.example.org", here), encoding="utf-8")
        (folder / "smtp-password").write_text(PASSWORD, encoding="utf-8")
        (folder / "smtp-ca").write_bytes(authority.read_bytes())
        (folder / "chat-address").write_text(f"{here}/chat", encoding="utf-8")
        (folder / "pager-token").write_text("the-token", encoding="utf-8")
        own = free_ports(1)[0]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, f"--config.file={folder}/alertmanager.yaml", f"--storage.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{own}", "--cluster.listen-address="],
                stdout=log, stderr=log,
            )  # fmt: skip
        url = f"http://127.0.0.1:{own}"
        try:
            _wait(lambda: _ready(url), folder / "log")
            yield Delivery(url, mails, chats, pages)
        finally:
            process.kill()
            process.wait()
            receiver.shutdown()
            receiver.server_close()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _wait(look: Callable[[], Any], log: Path | None = None) -> Any:
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, log.read_text(encoding="utf-8") if log else "waited in vain"
        time.sleep(0.05)
    return found


def rule(name: str, **labels: str) -> dict[str, Any]:
    """An alert of the chart as Prometheus sends it, its annotations filled in."""
    held = named(objects("monitoring", CI), "ConfigMap", "prometheus-rules")["data"]
    assert set(held) == {path.name for path in RULES}
    rules = [r for text in held.values() for group in yaml.safe_load(text)["groups"] for r in group["rules"]]
    (found,) = (dict(each) for each in rules if each.get("alert") == name)
    found["annotations"] = {
        key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda hit: labels.get(hit[1], "production"), text)
        for key, text in found["annotations"].items()
    }
    return found


def test_a_mail_and_a_chat_say_what_happened_what_to_do_and_when_it_is_over(delivery: Delivery) -> None:
    alert = rule("DriftFound", site="NORTH")
    delivery.tell(alert, site="NORTH", release="1a2b")
    _wait(lambda: delivery.mails and delivery.chats)
    (mail,), (chat,) = list(delivery.mails), list(delivery.chats)
    assert mail["Subject"] == "FIRING: Films or scores of NORTH have changed (production)"
    assert (mail["To"], mail["From"]) == ("science@example.org", "hilum@example.org")
    part = mail.get_body(("plain",))
    assert part is not None
    assert mail.get_body(("html",)) is None
    said = part.get_content().strip().splitlines()
    assert said[0] == "FIRING: Films or scores of NORTH have changed (production)"
    assert said[1] == alert["annotations"]["description"]
    assert said[2].startswith("DriftFound, warning, for data-science; since 20")
    assert said[3:] == [
        "What to do: https://git.example.org/hilum/runbooks/DriftFound.md",
        "Report: https://hilum.example.org/drift",
    ]
    (attached,) = chat["attachments"]
    assert chat["channel"] == "#science"
    assert attached["title"] == "FIRING: DriftFound (1)"
    assert attached["title_link"] == "https://git.example.org/hilum/runbooks/DriftFound.md"
    # A chat's line breaks are the mail's.
    assert attached["text"].strip().splitlines() == said

    delivery.tell(alert, over=True, site="NORTH", release="1a2b")
    _wait(lambda: len(delivery.mails) > 1 and len(delivery.chats) > 1)
    last = delivery.mails[-1]
    over = last.get_body(("plain",))
    assert over is not None
    assert last["Subject"] == "RESOLVED: Films or scores of NORTH have changed (production)"
    assert ", ended 20" in over.get_content()
    assert delivery.chats[-1]["attachments"][0]["title"] == "RESOLVED: DriftFound (1)"


def test_a_physicians_alert_comes_by_pager_with_its_token_and_by_mail(delivery: Delivery) -> None:
    delivery.tell(rule("StudiesOverdueBeyondWait"), band="critical")
    _wait(lambda: delivery.pages and any(mail["To"] == "lead@example.org" for mail in delivery.mails))
    token, page = delivery.pages[-1]
    assert token == "Bearer the-token"
    assert page["alerts"][0]["annotations"]["runbook_url"].endswith("/StudiesOverdueBeyondWait.md")
    assert not any(chat["channel"] == "#hilum" for chat in delivery.chats)
