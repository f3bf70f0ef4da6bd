"""`hilum run` with a users file: a real process that asks who one is, and shows nothing beside the reading room."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from typer.testing import CliRunner

from services.cli import make_app
from tests.services.laptop.process import Laptop

PASSWORD = "correct horse battery"


def test_people_sign_in_and_the_other_services_are_out_of_reach(tmp_path: Path, tiny_release: Path) -> None:
    users = tmp_path / "users.toml"
    words = ["users", "add", "anna", "--role", "reader", "--role", "admin", "--file", str(users), "--stdin"]
    assert CliRunner().invoke(make_app(), words, input=PASSWORD).exit_code == 0
    laptop = Laptop(tmp_path / "data", tiny_release)
    laptop._environment["HILUM_USERS_FILE"] = str(users)
    with laptop, httpx.Client(base_url=laptop.url) as client:
        for path in ("v1/studies", "feedback/v1/reads", "feedback/v1/export.csv", "inference/v1/model", "openapi.json"):
            assert client.get(path).status_code == 401, path
        client.headers["origin"] = laptop.url.rstrip("/")
        assert client.post("login", data={"name": "anna", "password": PASSWORD}).status_code == 303
        assert client.get("v1/studies").status_code == 200
        for path in ("feedback/v1/reads", "inference/v1/model"):
            assert client.get(path).status_code == 404, path
        rows = [json.loads(line) for line in client.get("v1/audit").text.splitlines()]
        assert next((row["who"], row["action"], row["address"]) for row in rows) == ("anna", "sign-in", "127.0.0.1")
