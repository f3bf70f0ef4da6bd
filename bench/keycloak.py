"""Sign in by a real Keycloak: its login page, PKCE, roles, logout, new keys. Writes what was seen.

Needs Java 17 and Keycloak's distribution (org.keycloak:keycloak-quarkus-dist, zip) in the folder that HILUM_KEYCLOAK
names, default `.cache/keycloak`. Results: `docs/benchmarks/oidc-keycloak-<cpu>.csv`.
"""

from __future__ import annotations

import csv
import html
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from bench.machine import describe, slug
from tests.fixtures.ports import free_ports
from tests.releases import make_tiny_release
from tests.services.laptop.process import Laptop

ROOT = Path(__file__).resolve().parent.parent
VERSION = "26.0.8"
START_SECONDS = 240.0
console = Console(stderr=True)
PEOPLE = {"anna": ["hilum-reader"], "adam": ["hilum-admin"], "eve": []}


def distribution() -> Path:
    """The unpacked distribution; ends the process with a line where it is not there."""
    folder = Path(os.environ.get("HILUM_KEYCLOAK", ROOT / ".cache/keycloak"))
    home = folder / f"keycloak-{VERSION}"
    archive = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not home.exists() and archive.exists():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    if not home.exists():
        raise SystemExit(f"Put {archive.name} (Maven: org.keycloak:keycloak-quarkus-dist:{VERSION}:zip) into {folder}.")
    return home


def realm(reading_room: str, secret: str, password: str) -> dict[str, Any]:
    """What docs/security.md says to click together."""
    mapper = {
        "name": "realm roles", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-realm-role-mapper",
        "config": {"claim.name": "realm_access.roles", "multivalued": "true", "id.token.claim": "true",
                   "access.token.claim": "true", "jsonType.label": "String"},
    }  # fmt: skip
    client = {
        "clientId": "hilum", "secret": secret, "standardFlowEnabled": True, "directAccessGrantsEnabled": False,
        "redirectUris": [f"{reading_room}/auth/callback"], "protocolMappers": [mapper],
        "attributes": {"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": f"{reading_room}/login"},
    }  # fmt: skip
    users = [
        {"username": name, "enabled": True, "email": f"{name}@example.org", "firstName": name, "lastName": "Test",
         "credentials": [{"type": "password", "value": password}], "realmRoles": roles}
        for name, roles in PEOPLE.items()
    ]  # fmt: skip
    roles = [{"name": f"hilum-{role}"} for role in ("reader", "lead", "admin")]
    return {"realm": "hospital", "enabled": True, "roles": {"realm": roles}, "clients": [client], "users": users}


@contextmanager
def keycloak(port: int, about: dict[str, Any], admin: str) -> Iterator[str]:
    """A running Keycloak with its rows in memory; gives its address."""
    with tempfile.TemporaryDirectory(prefix="hilum-keycloak-") as name:
        home = Path(name) / "keycloak"
        shutil.copytree(distribution(), home)
        (home / "data/import").mkdir(parents=True, exist_ok=True)
        (home / "data/import/hospital.json").write_text(json.dumps(about), encoding="utf-8")
        java = shutil.which("java")
        if java is None:
            raise SystemExit("Keycloak needs Java 17, which is not there.")
        environment = {
            **os.environ, "KC_DB": "dev-mem", "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": admin, "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
        }  # fmt: skip
        log = (Path(name) / "log").open("w+", encoding="utf-8")
        command = ["bash", str(home / "bin/kc.sh"), "start-dev", "--http-host=127.0.0.1", f"--http-port={port}",
                   "--import-realm"]  # fmt: skip
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - ours
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + START_SECONDS
            while not _answers(f"{address}/realms/hospital/.well-known/openid-configuration"):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise SystemExit(f"Keycloak did not start:\n{log.read()[-3000:]}")
                time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(60)
            log.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def browser_like() -> httpx.Client:
    """A client that keeps cookies as browsers do: Keycloak's are Secure, and loopback is secure enough for them."""
    jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
    return httpx.Client(follow_redirects=True, timeout=30, headers={"accept": "text/html"}, cookies=jar)


def sign_in(browser: httpx.Client, room: str, name: str, password: str) -> httpx.Response:
    """As a person does it: our page, Keycloak's form, back."""
    form = browser.get(f"{room}/auth/start", params={"next": "/history"})
    action = re.search(r'<form[^>]+action="([^"]+)"', form.text)
    if action is None:
        return form  # Keycloak's own session still stands.
    return browser.post(html.unescape(action[1]), data={"username": name, "password": password})


def rotate(address: str, admin: str) -> None:
    """A new signing key in the realm, before the old one."""
    with httpx.Client(base_url=address, timeout=20) as client:
        form = {"client_id": "admin-cli", "username": "admin", "password": admin, "grant_type": "password"}
        token = client.post("/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        parent = client.get("/admin/realms/hospital", headers=headers).json()["id"]
        config = {"priority": ["1000"], "keySize": ["2048"], "algorithm": ["RS256"]}
        key = {"name": "new", "providerId": "rsa-generated", "parentId": parent, "config": config}
        key["providerType"] = "org.keycloak.keys.KeyProvider"
        client.post("/admin/realms/hospital/components", headers=headers, json=key).raise_for_status()


def prove(room: str, address: str, password: str, admin: str) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Sentences, each with its check, in order."""
    browser = browser_like()

    def reads_as_anna() -> bool:
        landed = sign_in(browser, room, "anna", password)
        return str(landed.url) == f"{room}/history" and "Reading as <b>anna</b>" in landed.text

    yield "a reader signs in by Keycloak's form and lands where they wanted to go", reads_as_anna
    yield (
        "a reader's role opens the list and not the audit log",
        lambda: (
            (
                browser.get(f"{room}/v1/studies").status_code,
                browser.get(f"{room}/v1/audit").status_code,
            )
            == (200, 403)
        ),
    )

    def leaves() -> bool:
        left = browser.post(f"{room}/logout", headers={"origin": room})
        if "refresh" not in left.headers:
            return False
        ended = browser.get(left.headers["refresh"].removeprefix("0; url="))
        again = browser.get(f"{room}/auth/start")
        return str(ended.url).startswith(f"{room}/login") and 'name="password"' in again.text

    yield "signing out ends Keycloak's own session too", leaves

    def admin_in() -> bool:
        with browser_like() as other:
            sign_in(other, room, "adam", password)
            return (other.get(f"{room}/v1/audit").status_code, other.get(f"{room}/v1/studies").status_code) == (
                200,
                403,
            )

    yield "an admin's role opens the audit log and not the list", admin_in

    def nobody() -> bool:
        with browser_like() as other:
            refused = sign_in(other, room, "eve", password)
            return refused.status_code == 401 and other.get(f"{room}/v1/studies").status_code == 401

    yield "a person without a role of ours is refused", nobody

    def wrong() -> bool:
        with browser_like() as other:
            sign_in(other, room, "anna", "wrong")
            return other.get(f"{room}/v1/studies").status_code == 401

    yield "a wrong password signs nobody in", wrong

    def stolen() -> bool:
        with browser_like() as thief:
            code = {"code": "x", "state": "y", "session_state": "z"}
            return thief.get(f"{room}/auth/callback", params=code).status_code == 400

    yield "a callback that the browser did not begin is refused", stolen

    def new_keys() -> bool:
        rotate(address, admin)
        time.sleep(31)  # Keys are asked for again after half a minute at the earliest.
        with browser_like() as other:
            return "Reading as <b>anna</b>" in sign_in(other, room, "anna", password).text

    yield "a new signing key of the realm is taken up without a restart", new_keys


def main() -> None:
    """Run every step; exit status 1 where one failed."""
    secret, password, admin = (secrets.token_urlsafe(24) for _ in range(3))
    ours, theirs = free_ports(2)
    room = f"http://127.0.0.1:{ours}"
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="hilum-oidc-") as name:
        folder = Path(name)
        (folder / "secret").write_text(secret, encoding="utf-8")
        began = time.monotonic()
        with keycloak(theirs, realm(room, secret, password), admin) as address:
            rows.append(("Keycloak starts with the realm", "yes", f"{time.monotonic() - began:.1f}"))
            laptop = Laptop(folder / "data", make_tiny_release(folder / "tiny").folder, port=ours)
            laptop._environment |= {
                "HILUM_OIDC_ISSUER": f"{address}/realms/hospital",
                "HILUM_OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
                "HILUM_OIDC_ROLES_CLAIM": "realm_access.roles",
            }
            with laptop:
                for sentence, check in prove(room, address, password, admin):
                    began = time.monotonic()
                    rows.append((sentence, "yes" if check() else "NO", f"{time.monotonic() - began:.1f}"))
                    console.print(*rows[-1])
    target = ROOT / "docs/benchmarks" / f"oidc-keycloak-{slug()}.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "so", "seconds", "provider", "machine"])
        writer.writerows([*row, f"Keycloak {VERSION}", describe()] for row in rows)
    raise SystemExit(1 if any(row[1] == "NO" for row in rows) else 0)


if __name__ == "__main__":
    main()
